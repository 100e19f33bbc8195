"""JSON between text and Python's objects, held against Python's own module: what is written is the same text, to the digit."""

import asyncio
import json
import random
import struct

import pytest

from hat_native import _native


@pytest.fixture
def event_loop_policy():
    # nothing here depends on the event loop: once is enough
    return asyncio.DefaultEventLoopPolicy()


def floats():
    rng = random.Random(1)
    yield from (0.0, -0.0, 1.0, -1.0, 0.1, 0.5, 1e-4, 9.999e-5, 1e-5, 1e15, 1e16, 9999999999999998.0, 123456789012345680.0,
                5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 1e22, 1e23, 100.0, 1234.5, 0.001, 1 / 3)
    for _ in range(20_000):
        number, = struct.unpack('d', rng.randbytes(8))
        if number == number and abs(number) != float('inf'):
            yield number
        yield round(rng.uniform(-1e6, 1e6), rng.randrange(8))
        yield rng.randrange(-1 << 62, 1 << 62) * 10.0 ** rng.randrange(-30, 30)


def test_numbers_are_written_as_python_writes_them():
    for number in floats():
        assert _native.json_encode(number) == repr(number)
        assert _native.json_decode(repr(number)) == number


@pytest.mark.parametrize('value', [
    None, True, False, 0, -5, 1 << 62, 'text', '', [], {}, [1, [2.5, None]], {'a': {'b': [True, 'x']}, 'c': -0.0},
    {f'name{i}': i for i in range(3000)}])
def test_values(value):
    text = json.dumps(value)
    assert _native.json_encode(value) == text
    assert _native.json_decode(text) == value or value is None


def test_names_of_members_that_share_a_place():
    # there are fewer places than names: each is right, whichever was kept
    rng = random.Random(2)
    names = [f'{rng.randrange(10_000)}' for _ in range(5_000)]
    for _ in range(3):
        for name in names:
            assert _native.json_decode(json.dumps({name: 1})) == {name: 1}


@pytest.mark.parametrize('value', ['č', '"', '\\', '\n', float('nan'), float('inf'), 1 << 64, (1, 2), {1: 2}, object(), b''])
def test_what_is_rare_is_left_to_python(value):
    assert _native.json_encode(value) is None
    assert _native.json_encode([{'a': value}]) is None
