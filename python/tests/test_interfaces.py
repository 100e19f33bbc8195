"""Every public name of the deployed modules, with its parameters, defaults, kind and base classes."""

import importlib
import types

import pytest

from hat_native import _install
from interfaces import differences, public_names


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


@pytest.mark.parametrize('theirs,ours', MODULES)
def test_every_name_of_ours_says_what_it_is(theirs, ours):
    module = importlib.import_module(ours)
    for name in public_names(module):
        value = getattr(module, name)
        if isinstance(value, (type, types.FunctionType)) and value.__module__.startswith('hat_native'):
            assert value.__doc__, name


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
