"""Layer ``sbs``: encoding and decoding by hat-sbs.

* ``sbs.encode {schemas: [STR], type, value}`` -> ``{"data": b64}``
* ``sbs.decode {schemas: [STR], type, data(b64)}`` -> ``{"value"}``

`type` is ``Module.Type`` or the name of a builtin type. Both take an optional
`serializer`: ``"default"`` (the one that is deployed, in C) or ``"python"``
(Integers of any size). Whatever goes wrong is an error of kind ``value``.

Values are written as in the test vectors, by their types:

======== ===================================================================
None     ``null``
Boolean  ``true``, ``false``
Integer  decimal text: ``"-129"``
Float    ``{"bits": TEXT}``, 16 hexadecimal digits of IEEE 754 binary64
String   text
Bytes    hexadecimal text
Array    list
Record   object
Choice   ``[entry, value]``: Optional is ``["none", null]``, ``["value", X]``
======== ===================================================================
"""

import base64
import functools
import struct

from hat import sbs
from hat.sbs import common
from hat.sbs import serializer

import failure


class Sbs:
    """Layer ``sbs``"""

    async def encode(self, p):
        try:
            repo = _create_repo(tuple(p['schemas']))
            value = _value_from_json(repo._refs, _ref(p), p['value'])
            data = repo.encode(_ref(p), value, serializer=_serializer(p))

        except Exception as e:
            raise _value_error(e) from e

        return {'data': base64.b64encode(data).decode()}

    async def decode(self, p):
        try:
            repo = _create_repo(tuple(p['schemas']))
            data = base64.b64decode(p['data'], validate=True)
            value = repo.decode(_ref(p), data, serializer=_serializer(p))

        except Exception as e:
            raise _value_error(e) from e

        return {'value': _value_to_json(value)}


@functools.lru_cache
def _create_repo(schemas):
    return sbs.Repository(*schemas)


def _ref(p):
    module, _, name = p['type'].rpartition('.')
    return common.Ref(module or None, name)


def _serializer(p):
    return {'default': serializer.DefaultSerializer,
            'python': serializer.PySerializer}[p.get('serializer', 'default')]


def _value_error(e):
    return failure.Failure('value', f'{type(e).__name__}: {e}')


def _value_to_json(value):
    """Decoded values tell their types well enough"""
    if value is None or isinstance(value, (bool, str)):
        return value

    if isinstance(value, int):
        return str(value)

    if isinstance(value, float):
        return {'bits': struct.pack('>d', value).hex()}

    if isinstance(value, list):
        return [_value_to_json(i) for i in value]

    if isinstance(value, dict):
        return {name: _value_to_json(i) for name, i in value.items()}

    if isinstance(value, tuple):
        return [value[0], _value_to_json(value[1])]

    return bytes(value).hex()


def _value_from_json(refs, t, data):
    while isinstance(t, common.Ref):
        t = refs[t]

    if isinstance(t, common.IntegerType):
        return int(data)

    if isinstance(t, common.FloatType):
        return struct.unpack('>d', bytes.fromhex(data['bits']))[0]

    if isinstance(t, common.BytesType):
        return bytes.fromhex(data)

    if isinstance(t, common.ArrayType):
        return [_value_from_json(refs, t.t, i) for i in data]

    if isinstance(t, common.RecordType):
        return {name: _value_from_json(refs, entry, data[name])
                for name, entry in t.entries}

    if isinstance(t, common.ChoiceType):
        name, value = data
        return name, _value_from_json(refs, dict(t.entries)[name], value)

    return data
