"""Puts our modules in the place of the deployed ones: a finder in front of Python's own.

A name of the table leads to our module. What lies under it and is not in the table (`hat.drivers.net.stream`, with the classes of the
values) is still the deployed module's, found in the deployed package's folder.

"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import functools
import importlib
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
import os
import sys
from types import ModuleType


TABLE: dict[str, str] = {
    'hat.sbs': 'hat_native.sbs',
    'hat.drivers.net': 'hat_native.drivers.net',
    'hat.drivers.tcp': 'hat_native.drivers.tcp',
    'hat.drivers.tpkt': 'hat_native.drivers.tpkt',
    'hat.drivers.cotp': 'hat_native.drivers.cotp',
    'hat.drivers.chatter': 'hat_native.drivers.chatter',
    'hat.event.common.subscription': 'hat_native.event.common.subscription',
    'hat.event.eventer': 'hat_native.event.eventer',
    'hat.event.eventer.client': 'hat_native.event.eventer.client',
    'hat.event.eventer.server': 'hat_native.event.eventer.server',
    'hat.juggler': 'hat_native.juggler',
    'hat.chatter': 'hat_native.chatter05',
}
"""Deployed modules, and ours for them"""

OLDER: dict[str, tuple[str, str]] = {
    'hat.sbs': ('hat.sbs.common import Ref', 'hat_native.sbs06'),
    'hat.juggler': ('hat.juggler.client', 'hat_native.juggler05'),
}
"""Deployed modules whose interface was another one before: a text that their newer generation has in its source, and ours for the older"""


def install(only: Iterable[str] | str | None = None) -> None:
    """Put our modules in the place of the deployed ones, for imports from now on

    `only` names some of the deployed modules, such as ``'hat.event.eventer'``, or one of them. Call it before they are imported: one that
    a program already has stays what it is, and raises `ImportError` here, and then none is replaced. Modules of this package count, as they
    import the deployed ones for the classes of values. Raises `ValueError` where there is no module of ours for a name.

    """
    wanted = set(TABLE if only is None else [only] if isinstance(only, str) else only)
    unknown = wanted - set(TABLE)
    if unknown:
        raise ValueError(f"hat_native does not replace {', '.join(sorted(unknown))}; it replaces {', '.join(TABLE)}")

    late = [name for name in sorted(wanted) if name in sys.modules and not _is_ours(sys.modules[name])]
    if late:
        ours = [name for name in sorted({TABLE[name] for name in late}) if name in sys.modules]
        by = f" ({', '.join(ours)} did so)" if ours else ''
        raise ImportError(f"{', '.join(late)} imported before hat_native.install(){by}: call it first")

    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.names |= {name for name in TABLE if any(name == i or name.startswith(i + '.') for i in wanted)}


def install_from_environment() -> None:
    """`install`, as the variable `HAT_NATIVE` says: ``1`` for all modules, or the names of some with commas between them."""
    value = os.environ.get('HAT_NATIVE', '')
    if value not in ('', '0'):
        install(None if value == '1' else [name.strip() for name in value.split(',')])


def is_installed(name: str) -> bool:
    """Whether the deployed module `name` is replaced by ours."""
    return name in _finder.names


def report() -> dict[str, str]:
    """Which module runs what

    The deployed modules of the table that this process has imported, or would import, each with the name of the module that it gets and
    the file of it: ours, or the deployed one's.

    """
    result = {}
    for name in TABLE:
        module = sys.modules.get(name)
        if module is not None:
            result[name] = f'{module.__name__} ({getattr(module, "__file__", None)})'
        elif name in _finder.names and _finder in sys.meta_path:
            result[name] = f'{_target(name)}, once imported'
        else:
            result[name] = 'deployed, once imported'
    return result


class _Finder(MetaPathFinder):

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(self,
                  fullname: str,
                  path: Sequence[str] | None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname in self.names:
            return ModuleSpec(fullname, _Alias(fullname), is_package=True)
        parent, _, _ = fullname.rpartition('.')
        while parent and parent not in self.names:
            parent, _, _ = parent.rpartition('.')
        if not parent:
            return None
        return _find_deployed(fullname)


class _Alias(Loader):
    """Gives our module for a deployed name."""

    def __init__(self, name: str):
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_target(self._name))
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # the import system has put the deployed name's spec in its place
        module.__spec__ = self._spec
        module.__dict__.setdefault('__getattr__', functools.partial(_get_submodule, self._name))


def _get_submodule(package: str, name: str) -> ModuleType:
    """What a program imports from a deployed package and ours does not have: a module of the deployed one."""
    fullname = f'{package}.{name}'
    if name.startswith('__') or _find_deployed(fullname) is None:
        raise AttributeError(f"module '{package}' has no attribute '{name}'")
    return importlib.import_module(fullname)


_finder = _Finder()


def _is_ours(module: ModuleType) -> bool:
    return module.__name__.partition('.')[0] == 'hat_native'


def _target(name: str) -> str:
    if name not in OLDER:
        return TABLE[name]
    mark, older = OLDER[name]
    spec = _find_deployed(name)
    if spec is None or spec.origin is None:
        return TABLE[name]
    with open(spec.origin, encoding='utf-8') as source:
        return TABLE[name] if mark in source.read() else older


def _find_deployed(fullname: str) -> ModuleSpec | None:
    """The deployed module of this name, whatever is in its packages' places."""
    path: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = fullname.split('.')
    for index in range(1, len(parts) + 1):
        spec = PathFinder.find_spec('.'.join(parts[:index]), path)
        if spec is None:
            return None
        path = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    return spec
