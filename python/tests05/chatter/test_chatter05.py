"""Chatter of dialect `Hat`, both ways against the deployed module."""

import asyncio
import pathlib
import subprocess
import sys

import pytest

from hat import aio
from hat import chatter as theirs
from hat import sbs
from hat import util

from hat_native import chatter05 as ours
from hat_native import sbs06 as our_sbs


sides = pytest.mark.parametrize('client,server', [
    pytest.param(a, b, id=f'{x}-{y}') for x, a in (('ours', ours), ('theirs', theirs))
    for y, b in (('ours', ours), ('theirs', theirs))])
each = pytest.mark.parametrize('module', [ours, theirs], ids=['ours', 'theirs'])

SCHEMA = 'module Test  Data = Record { a: Integer, b: Array(String) }'


@pytest.fixture
def repo():
    return sbs.Repository(theirs.sbs_repo, SCHEMA)


@pytest.fixture
def address():
    return f'tcp+sbs://127.0.0.1:{util.get_unused_tcp_port()}'


async def open_pair(client, server, repo, address, **args):
    conns = aio.Queue()
    srv = await server.listen(repo, address, conns.put_nowait, **args)
    a = await client.connect(repo, address, **args)
    return srv, a, await conns.get()


def test_values():
    assert ours.Data is theirs.Data and ours.Msg is theirs.Msg and ours.Conversation is theirs.Conversation
    data = {'id': 1, 'first': 2, 'owner': True, 'token': False, 'last': True,
            'data': {'module': ('value', 'm'), 'type': 't', 'data': b'1'}}
    assert ours.sbs_repo.encode('Hat', 'Msg', data) == theirs.sbs_repo.encode('Hat', 'Msg', data)


@sides
async def test_conversation(client, server, repo, address):
    srv, a, b = await open_pair(client, server, repo, address)
    assert srv.addresses == [address]
    assert a.remote_address == address == b.local_address
    assert a.local_address == b.remote_address

    value = {'a': 5, 'b': ['x', 'y']}
    conv = a.send(theirs.Data('Test', 'Data', value), last=False)
    assert conv == theirs.Conversation(a, True, 1)
    msg = await b.receive()
    assert msg == theirs.Msg(theirs.Data('Test', 'Data', value), theirs.Conversation(b, False, 1), True, False, True)
    assert type(msg) is theirs.Msg
    assert b.send(theirs.Data('Test', 'Data', value), conv=msg.conv, token=False) is msg.conv
    msg = await a.receive()
    assert msg == theirs.Msg(theirs.Data('Test', 'Data', value), conv, False, True, False)
    b.send(theirs.Data(None, 'Integer', 7))
    assert (await a.receive()).data == theirs.Data(None, 'Integer', 7)
    await a.drain()

    await a.async_close()
    await b.wait_closed()
    with pytest.raises(ConnectionError):
        a.send(theirs.Data('Test', 'Data', value))
    with pytest.raises(ConnectionError):
        await b.receive()
    await srv.async_close()


@sides
async def test_timeouts(client, server, repo, address):
    srv, a, b = await open_pair(client, server, repo, address)
    fired = aio.Queue()
    value = theirs.Data(None, 'Integer', 1)
    first = a.send(value, last=False, timeout=0.05, timeout_cb=fired.put_nowait)
    assert await asyncio.wait_for(fired.get(), 5) == first
    await b.receive()

    # a message of the conversation cancels it, in either direction; the last one has none
    conv = a.send(value, last=False, timeout=0.1, timeout_cb=fired.put_nowait)
    b.send(value, conv=(await b.receive()).conv, last=False)
    await a.receive()
    other = a.send(value, last=False, timeout=0.1, timeout_cb=fired.put_nowait)
    a.send(value, conv=other, last=False)
    a.send(value, last=True, timeout=0.1, timeout_cb=fired.put_nowait)
    await asyncio.sleep(0.3)
    assert fired.empty()

    # nobody is called once the connection is closed
    a.send(value, conv=conv, last=False, timeout=0.05, timeout_cb=fired.put_nowait)
    await a.async_close()
    await asyncio.sleep(0.1)
    assert fired.empty()
    await srv.async_close()


@each
async def test_a_timeout_callback_that_raises(module, repo, address):
    """It is the loop's matter, as with any of its timers: the connection goes on."""
    said = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context['exception']))
    srv, a, b = await open_pair(module, module, repo, address)
    fault = Exception('of the program')
    called = []

    def timeout_cb(conv):
        called.append(conv)
        raise fault

    value = theirs.Data(None, 'Integer', 1)
    conv = a.send(value, last=False, timeout=0.01, timeout_cb=timeout_cb)
    while not called:
        await asyncio.sleep(0.005)
    assert called[0] is conv and said == [fault]
    b.send(value)
    assert (await a.receive()).data == value
    assert a.is_open
    await a.async_close()
    await srv.async_close()


@sides
async def test_pings(client, server, repo, address):
    # on a busy machine an answer takes as long as others let it
    srv, a, b = await open_pair(client, server, repo, address, ping_timeout=0.5)
    await asyncio.sleep(1.6)
    assert a.is_open and b.is_open
    await srv.async_close()
    await a.wait_closed()


@each
async def test_silent_peer(module, repo, address):
    srv = await asyncio.start_server(lambda reader, writer: None, '127.0.0.1', int(address.rsplit(':', 1)[1]))
    conn = await module.connect(repo, address, ping_timeout=0.05)
    await asyncio.wait_for(conn.wait_closed(), 5)
    srv.close()


@each
@pytest.mark.parametrize('bind', [True, False])
async def test_bind_connections(module, repo, address, bind):
    conns = aio.Queue()
    srv = await module.listen(repo, address, conns.put_nowait, bind_connections=bind)
    a = await module.connect(repo, address)
    b = await conns.get()
    await srv.async_close()
    await asyncio.sleep(0.05)
    assert (a.is_open, b.is_open) == (not bind, not bind)
    await a.async_close()
    await b.async_close()


@each
async def test_addresses(module, repo):
    for address in ('tcp+sbs://127.0.0.1', 'tcp://127.0.0.1:1', '127.0.0.1:1', ''):
        with pytest.raises(ValueError):
            await module.connect(repo, address)
    for address in ('tcp+sbs://127.0.0.1', 'tcp://127.0.0.1:1'):
        with pytest.raises(ValueError):
            await module.listen(repo, address, lambda conn: None)
    # no host is this one
    srv = await module.listen(repo, 'tcp+sbs://:0', lambda conn: None)
    conn = await module.connect(repo, f"tcp+sbs://:{srv.addresses[0].rsplit(':', 1)[1]}")
    await conn.async_close()
    await srv.async_close()
    srv = await module.listen(repo, 'tcp+sbs://127.0.0.1:0', lambda conn: None)
    assert not srv.addresses[0].endswith(':0')
    await srv.async_close()
    with pytest.raises(OSError):
        await module.connect(repo, srv.addresses[0])


@pytest.fixture
def pem(tmp_path):
    pem = tmp_path / 'pem'
    subprocess.run(['openssl', 'req', '-batch', '-x509', '-noenc', '-newkey', 'rsa:2048', '-days', '1',
                    '-keyout', str(pem), '-out', str(pem)], stderr=subprocess.DEVNULL, check=True)
    return pem


@each
async def test_failed_handshakes_leave_nothing(module, repo, pem):
    conns = aio.Queue()
    port = util.get_unused_tcp_port()
    srv = await module.listen(repo, f'ssl+sbs://127.0.0.1:{port}', conns.put_nowait, pem_file=str(pem))
    for _ in range(3):
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        writer.write(b'this is no TLS')
        while await reader.read(1024):
            pass
        writer.close()
    a = await module.connect(repo, srv.addresses[0])
    b = await asyncio.wait_for(conns.get(), 5)
    # those that failed came before this one
    groups = len(srv.async_group._children)
    assert groups <= 1
    await a.async_close()
    await b.wait_closed()
    assert not srv.async_group._children
    await srv.async_close()


@sides
async def test_tls(client, server, repo, pem):
    address = f'ssl+sbs://127.0.0.1:{util.get_unused_tcp_port()}'
    conns = aio.Queue()
    srv = await server.listen(repo, address, conns.put_nowait, pem_file=str(pem))
    a = await client.connect(repo, address)
    b = await conns.get()
    assert a.remote_address == address == b.local_address
    a.send(theirs.Data(None, 'Bytes', bytes(100_000)))
    assert len((await b.receive()).data.data) == 100_000
    await a.async_close()
    await srv.async_close()


async def test_our_own_repository(address):
    # where hat-sbs is not installed, ours stands in for it
    repo = our_sbs.Repository(SCHEMA)
    srv, a, b = await open_pair(ours, ours, repo, address)
    a.send(theirs.Data('Test', 'Data', {'a': 1, 'b': []}))
    assert (await b.receive()).data.data == {'a': 1, 'b': []}
    await a.async_close()
    await srv.async_close()


def test_interfaces():
    sys.path.append(str(pathlib.Path(__file__).parents[2] / 'tests'))
    from interfaces import differences
    assert list(differences(theirs, ours)) == []
    assert set(differences(sbs, our_sbs)) == {'DefaultSerializer has the name NativeSerializer',
                                              'DefaultSerializer is no CSerializer'}


@pytest.mark.parametrize('serializer', [our_sbs.NativeSerializer, sbs.CSerializer, sbs.PySerializer])
def test_repositories(serializer):
    value = {'a': 5, 'b': ['x', 'y']}
    for one in (sbs, our_sbs):
        for other in (sbs, our_sbs):
            repo = other.Repository.from_json(one.Repository(SCHEMA).to_json(),
                                              serializer=serializer)
            data = repo.encode(module_name='Test', type_name='Data', value=value)
            assert data == sbs.Repository(SCHEMA, serializer=sbs.PySerializer).encode('Test', 'Data', value)
            assert repo.decode(module_name='Test', type_name='Data', data=data) == value


def test_install_takes_the_generation_that_is_there():
    code = "import hat_native; hat_native.install(); from hat import sbs, chatter; print(sbs.__name__, chatter.__name__)"
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ['hat_native.sbs06', 'hat_native.chatter05']
