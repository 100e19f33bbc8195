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
