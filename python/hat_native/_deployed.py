"""Which classes are the values: the deployed ones where their packages are installed, ours of the same shape where they are not."""

from importlib import import_module
from typing import Any


def find(module: str, *names: str) -> tuple[Any, ...] | None:
    """The attributes `names` of the deployed `module`, or None where it is not installed or has not all of them."""
    try:
        found = import_module(module)
        return tuple(getattr(found, name) for name in names)
    except (ImportError, AttributeError):
        return None


def adopt(module: str, *classes: Any) -> None:
    """Our classes stand under the name of the deployed `module` where that is replaced by ours: so they are pickled by names that every
    installation knows."""
    from hat_native._install import is_installed
    if is_installed(module):
        for one in classes:
            one.__module__ = module
