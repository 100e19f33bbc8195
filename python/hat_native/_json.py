"""JSON data: patches that copy only what they change, and an observable storage where `hat-json` is not installed."""

from __future__ import annotations

from collections.abc import Callable
import json
import typing

from hat_native import _deployed
from hat_native import _native


Data: typing.TypeAlias = typing.Any
"""JSON data"""

Path: typing.TypeAlias = typing.Any
"""An int, a str, or a list of paths"""

diff = _native.json_diff


def _encode(data: Data) -> str:
    return json.dumps(data, allow_nan=False)


encode, decode = _deployed.find('hat.json', 'encode', 'decode') or (_encode, json.loads)


def patch(data: Data, operations: typing.Iterable[typing.Any]) -> Data:
    """Data after a JSON Patch

    `data` stays what it was; what the patch does not touch is shared with it. Raises an exception where the patch does not fit.

    """
    patcher = _Patcher(data)
    for operation in operations:
        patcher.apply(operation)
    return patcher.data


class _Patcher:

    def __init__(self, data: Data):
        self.data = data
        # lists and objects that were copied for this patch already, kept alive so that their ids
        # stay theirs
        self._own: dict[int, Data] = {}

    def apply(self, operation: typing.Any) -> None:
        op = operation['op']
        tokens = _tokens(operation['path'])
        if op == 'add':
            self._add(tokens, operation['value'])
        elif op == 'remove':
            self._remove(tokens)
        elif op == 'replace':
            self._replace(tokens, operation['value'])
        elif op == 'move':
            self._add(tokens, self._remove(_tokens(operation['from'])))
        elif op == 'copy':
            value = self._get(_tokens(operation['from']))
            # it stands in two places now: whatever of it changes, is copied again
            self._own.clear()
            self._add(tokens, value)
        elif op == 'test':
            if self._get(tokens) != operation['value']:
                raise Exception('JSON Patch test failed')
        else:
            raise Exception(f'invalid JSON Patch operation {op!r}')

    def _get(self, tokens: list[str]) -> Data:
        data: typing.Any = self.data
        for token in tokens:
            if isinstance(data, list):
                data = data[_index(data, token)]
            elif isinstance(data, dict):
                data = data[token]
            else:
                raise KeyError(token)
        return data

    def _copied(self, data: Data) -> Data:
        if id(data) in self._own:
            return data
        if isinstance(data, dict):
            data = dict(data)
        elif isinstance(data, list):
            data = list(data)
        else:
            raise Exception('JSON Patch path leads through a value that is neither an object nor a list')
        self._own[id(data)] = data
        return data

    def _parent(self, tokens: list[str]) -> Data:
        """What holds the last of `tokens`, copied with all above it."""
        parent = self.data = self._copied(self.data)
        for token in tokens[:-1]:
            key: typing.Any = _index(parent, token) if isinstance(parent, list) else token
            child = self._copied(parent[key])
            parent[key] = child
            parent = child
        return parent

    def _add(self, tokens: list[str], value: Data) -> None:
        if not tokens:
            self.data = value
            return
        parent = self._parent(tokens)
        if isinstance(parent, dict):
            parent[tokens[-1]] = value
        else:
            index = len(parent) if tokens[-1] == '-' else int(tokens[-1])
            if not 0 <= index <= len(parent):
                raise Exception('JSON Patch index out of range')
            parent.insert(index, value)

    def _remove(self, tokens: list[str]) -> Data:
        if not tokens:
            data, self.data = self.data, None
            return data
        parent = self._parent(tokens)
        return parent.pop(_index(parent, tokens[-1]) if isinstance(parent, list) else tokens[-1])

    def _replace(self, tokens: list[str], value: Data) -> None:
        if not tokens:
            self.data = value
            return
        parent = self._parent(tokens)
        if isinstance(parent, list):
            parent[_index(parent, tokens[-1])] = value
        else:
            if tokens[-1] not in parent:
                raise KeyError(tokens[-1])
            parent[tokens[-1]] = value


def _tokens(path: str) -> list[str]:
    if not path:
        return []
    if path[0] != '/':
        raise Exception(f'invalid JSON Pointer {path!r}')
    tokens = path[1:].split('/')
    if '~' in path:
        return [token.replace('~1', '/').replace('~0', '~') for token in tokens]
    return tokens


def _index(data: list[Data], token: str) -> int:
    index = int(token)
    if not 0 <= index < len(data):
        raise IndexError('JSON Patch index out of range')
    return index


class Callbacks:
    """Callbacks that are called one after the other."""

    class Handle(typing.NamedTuple):
        """Handle for canceling callback registration."""

        cancel: Callable[[], None]
        """cancel callback registration"""

        def __enter__(self) -> typing.Self:
            return self

        def __exit__(self, *args: object) -> None:
            self.cancel()

    def __init__(self) -> None:
        self._cbs: list[Callable[..., None]] = []

    def register(self, cb: Callable[..., None]) -> Callbacks.Handle:
        """Register a callback."""
        self._cbs.append(cb)
        return Callbacks.Handle(lambda: self._cbs.remove(cb))

    def notify(self, *args: typing.Any) -> None:
        """Call all registered callbacks."""
        for cb in list(self._cbs):
            cb(*args)


_storage = _deployed.find('hat.json', 'Storage')

if typing.TYPE_CHECKING or _storage is None:

    class Storage:
        """Observable JSON data, changed by paths: `hat.json.Storage`"""

        def __init__(self, data: Data = None):
            self._data = data
            self._change_cbs = Callbacks()

        @property
        def data(self) -> Data:
            """Data"""
            return self._data

        def register_change_cb(self, cb: Callable[[Data], None]) -> Callbacks.Handle:
            """Register data change callback"""
            return self._change_cbs.register(cb)

        def get(self, path: Path, default: Data = None) -> Data:
            """Get data"""
            data: typing.Any = self._data
            for key in _flatten(path):
                if isinstance(key, str):
                    if not isinstance(data, dict) or key not in data:
                        return default
                    data = data[key]
                else:
                    if not isinstance(data, list) or not -len(data) <= key < len(data):
                        return default
                    data = data[key]
            return data

        def set(self, path: Path, value: Data) -> None:
            """Set data"""
            self._data = _set(self._data, list(_flatten(path)), value)
            self._change_cbs.notify(self._data)

        def remove(self, path: Path) -> None:
            """Remove data"""
            self._data = _remove(self._data, list(_flatten(path)))
            self._change_cbs.notify(self._data)

else:
    Storage, = _storage


def _flatten(path: Path) -> typing.Iterator[str | int]:
    if isinstance(path, list):
        for i in path:
            yield from _flatten(i)
    elif isinstance(path, str) or (isinstance(path, int) and not isinstance(path, bool)):
        yield path
    else:
        raise ValueError('invalid path')


def _set(data: Data, path: list[str | int], value: Data) -> Data:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(key, str):
        parent: typing.Any = dict(data) if isinstance(data, dict) else {}
        parent[key] = _set(parent.get(key), rest, value)
        return parent
    parent = list(data) if isinstance(data, list) else []
    if key >= len(parent):
        parent.extend([None] * (key - len(parent) + 1))
    elif -key > len(parent):
        parent[:0] = [None] * (-key - len(parent))
    parent[key] = _set(parent[key], rest, value)
    return parent


def _remove(data: Data, path: list[str | int]) -> Data:
    if not path:
        return None
    key, rest = path[0], path[1:]
    parent: typing.Any
    if isinstance(key, str) and isinstance(data, dict) and key in data:
        parent = dict(data)
    elif isinstance(key, int) and isinstance(data, list) and -len(data) <= key < len(data):
        parent = list(data)
    else:
        return data
    if not rest:
        del parent[key]
        return parent
    child = _remove(parent[key], rest)
    if child is parent[key]:
        return data
    parent[key] = child
    return parent
