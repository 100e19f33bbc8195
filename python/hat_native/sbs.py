"""Simple binary serializer, as `hat.sbs`.

================ =================
SBS type         Python type
================ =================
None             NoneType
Boolean          bool
Integer          int
Float            float
String           str
Bytes            bytes
Array            list[Data]
Record           dict[str, Data]
Choice           tuple[str, Data]
================ =================

"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
import json
import pathlib
import typing

from hat_native import _deployed
from hat_native import _native


Bytes: typing.TypeAlias = bytes | bytearray | memoryview

_types = ('Ref', 'NoneType', 'BooleanType', 'IntegerType', 'FloatType', 'StringType', 'BytesType', 'ArrayType',
          'RecordType', 'ChoiceType')

_values = _deployed.find('hat.sbs.common', *_types)

if typing.TYPE_CHECKING or _values is None:

    class Ref(typing.NamedTuple):
        """A type by its name"""
        module: str | None
        name: str

    class NoneType(typing.NamedTuple):
        """`None`"""

    class BooleanType(typing.NamedTuple):
        """`Boolean`"""

    class IntegerType(typing.NamedTuple):
        """`Integer`"""

    class FloatType(typing.NamedTuple):
        """`Float`"""

    class StringType(typing.NamedTuple):
        """`String`"""

    class BytesType(typing.NamedTuple):
        """`Bytes`"""

    class ArrayType(typing.NamedTuple):
        """`Array(T)`"""
        t: Type

    class RecordType(typing.NamedTuple):
        """`Record { ... }`"""
        entries: list[tuple[str, Type]]

    class ChoiceType(typing.NamedTuple):
        """`Choice { ... }`"""
        entries: list[tuple[str, Type]]

else:
    globals().update(zip(_types, _values))

Type: typing.TypeAlias = typing.Union['Ref', 'NoneType', 'BooleanType', 'IntegerType', 'FloatType', 'StringType',
                                      'BytesType', 'ArrayType', 'RecordType', 'ChoiceType']

Data: typing.TypeAlias = typing.Any
"""SBS data: see the table of the module"""

_Refs: typing.TypeAlias = dict['Ref', 'Type']

_serializers = _deployed.find('hat.sbs.serializer', 'Serializer', 'CSerializer', 'PySerializer')

if typing.TYPE_CHECKING or _serializers is None:

    class Serializer(abc.ABC):
        """Serializer of a repository"""

        @staticmethod
        @abc.abstractmethod
        def encode(refs: _Refs, t: Type, value: Data) -> Bytes:
            """Encode value"""

        @staticmethod
        @abc.abstractmethod
        def decode(refs: _Refs, t: Type, data: Bytes) -> Data:
            """Decode data"""

else:
    Serializer = _serializers[0]


class NativeSerializer(Serializer):
    """Serializer implementation in Rust

    It serves the deployed `hat.sbs.Repository` too, as its argument `serializer`.

    """

    @staticmethod
    def encode(refs: _Refs, t: Type, value: Data) -> bytes:
        """Encode value

        Raises `KeyError` where a type or an entry of a record is missing, `TypeError` where the value is of another type.

        """
        return _plan(refs, t).encode(value)

    @staticmethod
    def decode(refs: _Refs, t: Type, data: Bytes) -> Data:
        """Decode data

        Raises `ValueError` where `data` is no value of the type. Bytes after the value are ignored.

        """
        return _plan(refs, t).decode(data)


if typing.TYPE_CHECKING or _serializers is None:

    class CSerializer(NativeSerializer):
        """Serializer implementation in Rust, under the name of the one in C"""

    class PySerializer(NativeSerializer):
        """Serializer implementation in Rust, under the name of the one in Python"""

else:
    _, CSerializer, PySerializer = _serializers

DefaultSerializer: typing.TypeAlias = NativeSerializer


class Schemas:
    """What repositories of every generation have in common: modules, and what their types stand for."""

    def __init__(self, *args: Schemas | pathlib.PurePath | str):
        self._modules = [module for arg in args for module in _modules_of(arg)]
        self._refs = _evaluate(self._modules)

    def to_json(self) -> typing.Any:
        """Export repository content as json serializable data.

        New repository can be created from it with `from_json`.

        """
        return json.loads(json.dumps(self._modules))

    def _load(self, data: typing.Any) -> typing.Self:
        if isinstance(data, pathlib.PurePath):
            data = json.loads(pathlib.Path(data).read_text('utf-8'))
        self._modules = list(data)
        self._refs = _evaluate(self._modules)
        return self


class Repository(Schemas):
    """SBS schema repository.

    Supported initialization arguments:
        * string containing sbs schema
        * file path to .sbs file
        * path to directory recursively searched for .sbs files
        * other repository

    """

    def __init__(self, *args: Repository | pathlib.PurePath | str):
        super().__init__(*args)

    def encode(self,
               name: str | Ref,
               value: Data,
               *,
               serializer: type[Serializer] = DefaultSerializer
               ) -> Bytes:
        """Encode value."""
        return serializer.encode(self._refs, _parse_name(name), value)

    def decode(self,
               name: str | Ref,
               data: Bytes,
               *,
               serializer: type[Serializer] = DefaultSerializer
               ) -> Data:
        """Decode data."""
        return serializer.decode(self._refs, _parse_name(name), data)

    @staticmethod
    def from_json(data: pathlib.PurePath | typing.Any) -> Repository:
        """Create new repository from what `Repository.to_json` exported, or from a file with it."""
        return Repository()._load(data)


class _References(dict):  # type: ignore[type-arg]
    """The types of a repository, with those that are ready for use."""

    __slots__ = ('plans', '__weakref__')

    def __init__(self) -> None:
        super().__init__()
        self.plans: dict[typing.Any, _native.Plan] = {}


_foreign: dict[int, tuple[typing.Any, dict[typing.Any, _native.Plan]]] = {}
"""Plans for the references of deployed repositories, which are plain dictionaries"""

_MAX_FOREIGN = 64


def _plan(refs: _Refs, t: Type) -> _native.Plan:
    if type(t) is not Ref:
        # as keys, types of different classes are equal tuples: IntegerType() is StringType()
        return _native.Plan(refs, t)
    if isinstance(refs, _References):
        plans = refs.plans
    else:
        known = _foreign.get(id(refs))
        if known is None or known[0] is not refs:
            if len(_foreign) >= _MAX_FOREIGN:
                _foreign.clear()
            known = _foreign[id(refs)] = refs, {}
        plans = known[1]
    plan = plans.get(t)
    if plan is None:
        plan = plans[t] = _native.Plan(refs, t)
    return plan


def _modules_of(arg: typing.Any) -> Iterator[typing.Any]:
    if isinstance(arg, pathlib.PurePath):
        path = pathlib.Path(arg)
        for i in [path] if path.suffix == '.sbs' else path.rglob('*.sbs'):
            yield from json.loads(_native.parse_schema(i.read_text('utf-8')))
    elif isinstance(arg, Schemas):
        yield from arg._modules
    elif isinstance(arg, str):
        yield from json.loads(_native.parse_schema(arg))
    else:
        raise ValueError('unsupported arg')


def _parse_name(name: str | Ref) -> Ref:
    if not isinstance(name, str):
        return name
    module, dot, rest = name.partition('.')
    return Ref(module, rest) if dot else Ref(None, name)


_BUILTIN: dict[str, Type] = {'None': NoneType(), 'Boolean': BooleanType(), 'Integer': IntegerType(),
                             'Float': FloatType(), 'String': StringType(), 'Bytes': BytesType()}

_OPTIONAL = {'name': 'Optional',
             'args': ['a'],
             'type': {'module': None,
                      'name': 'Choice',
                      'entries': [{'name': 'none', 'type': {'module': None, 'name': 'None', 'entries': [], 'args': []}},
                                  {'name': 'value', 'type': {'module': None, 'name': 'a', 'entries': [], 'args': []}}],
                      'args': []}}


def _evaluate(modules: Iterable[typing.Any]) -> _References:
    """What every name without parameters stands for, parameters of what it uses put in."""
    by_name = {module['name']: module['type_defs'] for module in modules}
    refs = _References()
    refs.update((Ref(None, name), of) for name, of in _BUILTIN.items())
    for module, definitions in by_name.items():
        for name, definition in definitions.items():
            if not definition['args']:
                refs[Ref(module, name)] = _define(by_name, module, definition, [])
    return refs


def _define(by_name: dict[str, typing.Any],
            module: str | None,
            definition: typing.Any,
            args: list[Type]) -> Type:
    if len(args) != len(definition['args']):
        raise Exception("number of arguments doesn't match type definition")
    return _resolve(by_name, module, definition['type'], dict(zip(definition['args'], args)))


def _resolve(by_name: dict[str, typing.Any],
             module: str | None,
             t: typing.Any,
             parameters: dict[str, Type]) -> Type:
    name = t['name']
    args = [_resolve(by_name, module, i, parameters) for i in t['args']]
    entries = [(i['name'], _resolve(by_name, module, i['type'], parameters)) for i in t['entries']]

    if t['module'] is None:
        if name in parameters:
            if args:
                raise Exception('substituted types do not support arguments')
            return parameters[name]
        if name in _BUILTIN:
            if args:
                raise Exception('simple builtin types do not have arguments')
            return Ref(None, name)
        if name == 'Optional':
            return _define(by_name, None, _OPTIONAL, args)
        if name == 'Array':
            if len(args) != 1:
                raise Exception('Array requires one argument')
            return ArrayType(args[0])
        if name == 'Record':
            return RecordType(entries)
        if name == 'Choice':
            return ChoiceType(entries)

    of: typing.Any = t['module'] or module
    if not args:
        return Ref(of, name)
    return _define(by_name, of, by_name[of][name], args)


__all__ = ['Ref',
           'Data',
           'Repository',
           'Serializer',
           'CSerializer',
           'PySerializer',
           'NativeSerializer',
           'DefaultSerializer']
