"""Every public name of the deployed modules, with its parameters, defaults, kind and base classes."""

import asyncio
import importlib
import inspect
import types

import pytest

from hat_native import _install
from interfaces import differences, public_names


@pytest.fixture
def event_loop_policy():
    # nothing here depends on the event loop: once is enough
    return asyncio.DefaultEventLoopPolicy()


MODULES = [(theirs, ours) for theirs, ours in _install.TABLE.items() if theirs != 'hat.chatter'] + [
    ('hat.event.common', 'hat_native.event.common')]

REASONED = {
    ('hat.sbs', 'DefaultSerializer has the name NativeSerializer'):
        'it is another one: a program asks for CSerializer where it means that',
    ('hat.sbs', 'DefaultSerializer is no CSerializer'):
        'as above',
}
"""Differences that stay, each with its reason"""


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.parametrize('theirs,ours', MODULES)
def test_interface(theirs, ours):
    found = set(differences(importlib.import_module(theirs), importlib.import_module(ours)))
    assert found == {what for module, what in REASONED if module == theirs}


PUBLIC = sorted({ours for _, ours in MODULES} | {ours for _, ours in _install.OLDER.values()} | {'hat_native', 'hat_native.chatter05'})


@pytest.mark.parametrize('name', PUBLIC)
def test_every_name_of_ours_says_what_it_is(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert [path for path, value in members_of_ours(module) if not inspect.getdoc(value)] == []


@pytest.mark.parametrize('name', PUBLIC)
def test_every_coroutine_of_ours_says_how_it_fails(name):
    """Who awaits one of a connection is told what it raises when that closes."""
    assert [path for path, value in members_of_ours(importlib.import_module(name))
            if inspect.iscoroutinefunction(value) and path.partition('.')[2] not in LIFETIME
            and not any(word in inspect.getdoc(value) for word in ('aises', 'is raised'))] == []


LIFETIME = {'async_close', 'wait_closing', 'wait_closed', 'start', '__aenter__', '__aexit__'}
"""Of every resource; none of them raises anything, but `start`, which is for the package itself"""


def members_of_ours(module):
    """Public names of a module that are the package's own, and of the classes among them every method and property, by their paths."""
    for name in public_names(module):
        value = getattr(module, name)
        if not isinstance(value, (type, types.FunctionType)) or not value.__module__.startswith('hat_native'):
            continue
        yield name, value
        if isinstance(value, type):
            for member in dir(value):
                of = inspect.getattr_static(value, member)
                of = getattr(of, '__func__', of)
                if not member.startswith('_') and isinstance(of, (property, types.FunctionType)):
                    yield f'{name}.{member}', of


def test_a_difference_is_found():
    def module(**names):
        made = types.ModuleType('module')
        made.__dict__.update(names, __all__=list(names))
        return made

    class Theirs:
        """Doc"""

        @property
        def info(self):
            """Doc"""

        async def send(self, data, *, last=True):
            """Doc"""

    class Ours:
        info = 5

        def send(self, data, *, last=False):
            """Doc"""

    Ours.__name__ = 'Theirs'
    found = list(differences(module(a=Theirs, b=len, c=ValueError, d=len), module(a=Ours, b=len, c=KeyError)))
    assert found == ['a has no docstring', 'a.info is no property',
                     'a.send(self, data, last) instead of a.send(self, data, last)', 'a.send: iscoroutinefunction is False',
                     'c has the name KeyError', 'c is no ValueError', 'd is missing']
