import asyncio
import math
import random

import pytest

from hat import sbs as theirs

from hat_native import sbs as ours


@pytest.fixture
def event_loop_policy():
    # nothing here depends on the event loop: once is enough
    return asyncio.DefaultEventLoopPolicy()


SCHEMA = '''
module Module

Entry(K, V) = Record { key: K, value: V }
T = Array(Optional(Entry(String, Integer)))
N = None  B = Boolean  I = Integer  F = Float  S = String  Y = Bytes
A = Array(Array(I))
R = Record { a: N, b: B, c: I, d: F, e: S, f: Y }   # a comment
C = Choice { x: Integer, y: String, z: C2 }
C2 = Choice { leaf: None, more: C }
Foreign = Other.T
P(x) = Array(x)
Q = P(P(Float))
'''
OTHER = 'module Other\nT = Record { of: Module.I }'

VALUES = [
    ('T', [('none', None), ('value', {'key': 'abc', 'value': 123})]),
    ('N', None), ('B', True), ('B', False), ('I', 0), ('I', -1), ('I', 63), ('I', 64), ('I', -64), ('I', -65),
    ('I', (1 << 62)), ('I', -(1 << 63)), ('I', (1 << 63) - 1),
    ('F', 0.5), ('F', -1e300), ('F', math.inf), ('S', ''), ('S', 'čćž€😀'), ('Y', b''), ('Y', bytes(range(256))),
    ('A', []), ('A', [[], [1, 2], [-3]]), ('R', {'a': None, 'b': True, 'c': 1, 'd': 1.5, 'e': 'x', 'f': b'y'}),
    ('C', ('x', 1)), ('C', ('z', ('more', ('z', ('leaf', None))))), ('Foreign', {'of': 7}), ('Q', [[0.5], []])]

repositories = pytest.mark.parametrize('module', [ours, theirs], ids=['ours', 'theirs'])


@pytest.mark.parametrize('name,value', VALUES)
def test_values(name, value):
    repos = [ours.Repository(SCHEMA, OTHER), theirs.Repository(SCHEMA, OTHER),
             ours.Repository.from_json(theirs.Repository(SCHEMA, OTHER).to_json()),
             theirs.Repository.from_json(ours.Repository(SCHEMA, OTHER).to_json())]
    data = repos[1].encode(f'Module.{name}', value)
    assert type(data) is bytes
    for repo in repos:
        for serializer in (ours.NativeSerializer, theirs.CSerializer, theirs.PySerializer):
            assert repo.encode(f'Module.{name}', value, serializer=serializer) == data
            decoded = repo.decode(f'Module.{name}', data, serializer=serializer)
            assert decoded == value
        assert repo.decode(theirs.Ref('Module', name), bytearray(data)) == value
        assert repo.decode(f'Module.{name}', memoryview(data + b'more')) == value


def test_integers_of_any_size():
    # the deployed C serializer raises OverflowError; the one in Python takes them
    repo = ours.Repository()
    for value in (1 << 63, -(1 << 63) - 1, 1 << 64, (1 << 69) - 1, 1 << 69, -(1 << 69), 1 << 500, -(1 << 1000) + 1):
        data = repo.encode('Integer', value)
        assert data == repo.encode('Integer', value, serializer=theirs.PySerializer)
        assert repo.decode('Integer', data) == value


def test_types_of_values():
    repo = ours.Repository(SCHEMA, OTHER)
    value = repo.decode('Module.R', repo.encode('Module.R', dict(VALUES)['R']))
    assert [type(i) for i in value.values()] == [type(None), bool, int, float, str, bytes]
    assert type(repo.decode('Module.C', repo.encode('Module.C', ('x', 1)))) is tuple
    assert repo.encode('Module.Y', bytearray(b'1')) == repo.encode('Module.Y', memoryview(b'1'))
    assert repo.encode('Module.A', ((1,), (2, 3))) == repo.encode('Module.A', [[1], [2, 3]])


@repositories
def test_refusals(module):
    repo = module.Repository(SCHEMA, OTHER)
    for name, value in (('Module.X', 1), ('X', 1), ('Module.R', {}), ('Module.R', None), ('Module.I', 'x'), ('Module.I', 1.5),
                        ('Module.S', b'x'), ('Module.Y', 'x'), ('Module.F', 'x'), ('Module.A', 5),
                        ('Module.C', ('no', 1)), ('Module.P', [])):
        with pytest.raises(Exception):
            repo.encode(name, value)
    for name, data in (('Module.X', b''), ('Module.I', b''), ('Module.I', b'\x00'), ('Module.R', b'\x01'), ('Module.F', bytes(7)),
                       ('Module.S', b'\x85a'), ('Module.S', b'\x81\xff'), ('Module.Y', b'\x82a'), ('Module.C', b'\x85'),
                       ('Module.C', b'\xff')):
        with pytest.raises(Exception):
            repo.decode(name, data)
    for arg in (5, None, 'module', 'module M\nT = ', 'nothing'):
        with pytest.raises(Exception):
            module.Repository(arg)


def test_hostile_counts_are_refused():
    repo = ours.Repository('module M  A = Array(None)  B = Array(B)  D = Record { d: Optional(D) }')
    for name, data in (('M.A', b'\x00\x7f\x7f\x7f\x7f\x7f\x7f\xff'), ('M.B', b'\x81' * 5000), ('M.A', b'\xff')):
        with pytest.raises((ValueError, RecursionError)):
            repo.decode(name, data)
    deep = ('none', None)
    for _ in range(5000):
        deep = ('value', {'d': deep})
    with pytest.raises(RecursionError):
        repo.encode('M.D', {'d': deep})


@repositories
def test_files(module, tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'a.sbs').write_text('module A  T = B.T')
    (tmp_path / 'b.sbs').write_text('module B  T = Integer')
    for args in ((tmp_path,), (tmp_path / 'folder' / 'a.sbs', tmp_path / 'b.sbs'),
                 (module.Repository(tmp_path / 'b.sbs'), tmp_path / 'folder' / 'a.sbs')):
        assert module.Repository(*args).encode('A.T', 5) == b'\x85'
    with pytest.raises(FileNotFoundError):
        module.Repository(tmp_path / 'none.sbs')


def test_generated_data_is_never_a_crash():
    random.seed(1)
    repo = ours.Repository(SCHEMA, OTHER)
    reference = theirs.Repository(SCHEMA, OTHER)
    for _ in range(20000):
        data = random.randbytes(random.randrange(30))
        name = 'Module.' + random.choice('TBIFSYARCQ')
        try:
            value = repo.decode(name, data)
        except (ValueError, IndexError):
            continue
        assert str(value) == str(reference.decode(name, data))


def test_types_that_are_equal_tuples():
    """For Python, the classes of types are tuples, and those of equal contents the same."""
    refs = ours.Repository('module M\nT = Integer')._refs
    for one in (refs, dict(refs)):
        for of, value in ((ours.IntegerType(), 5), (ours.StringType(), 'x'), (ours.NoneType(), None), (ours.BooleanType(), True),
                          (ours.ArrayType(ours.IntegerType()), [5]), (ours.ArrayType(ours.StringType()), ['x']),
                          (ours.RecordType((('a', ours.IntegerType()),)), {'a': 5}), (ours.ChoiceType((('a', ours.IntegerType()),)), ('a', 5)),
                          (ours.Ref('M', 'T'), 5), (ours.ArrayType(ours.Ref('M', 'T')), [5])):
            data = theirs.PySerializer.encode(one, of, value)
            assert ours.NativeSerializer.encode(one, of, value) == data
            assert ours.NativeSerializer.decode(one, of, data) == value
