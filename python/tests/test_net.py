import asyncio
import pickle
import socket
import struct

import pytest

from hat import aio
from hat.drivers import net as theirs
from hat.drivers import tcp as their_tcp

from hat_native.drivers import chatter
from hat_native.drivers import cotp
from hat_native.drivers import net as ours
from hat_native.drivers import tcp as our_tcp
from hat_native.drivers import tpkt
from hat_native.event import eventer

from conftest import each, sides


async def open_pair(client, server, addr, client_args={}, server_args={}):
    conns = aio.Queue()
    srv = await server.listen(conns.put_nowait, addr, **server_args)
    a = await client.connect(addr, **client_args)
    return srv, a, await asyncio.wait_for(conns.get(), 5)


async def close(*resources):
    for resource in resources:
        await resource.async_close()


def test_names():
    for name in theirs.__all__:
        assert hasattr(ours, name), name
    for name in ('Address', 'ConnectionInfo', 'ServerInfo', 'ConnectionCb', 'Server', 'Connection', 'connect', 'listen'):
        assert hasattr(our_tcp, name)
    assert our_tcp.Address is their_tcp.Address is theirs.TcpAddress
    for info in (theirs.TcpConnectionInfo('n', theirs.TcpAddress('a', 1), theirs.TcpAddress('b', 2)),
                 theirs.UnixConnectionInfo(None, theirs.UnixAddress('/x'))):
        assert ours.connection_info_to_json(info) == theirs.connection_info_to_json(info)
        assert pickle.loads(pickle.dumps(info)) == info
    for info in (theirs.TcpServerInfo('n', [theirs.TcpAddress('a', 1)]), theirs.UnixServerInfo(None, [])):
        assert ours.server_info_to_json(info) == theirs.server_info_to_json(info)
    for to_json in (ours.connection_info_to_json, ours.server_info_to_json):
        with pytest.raises(TypeError):
            to_json(1)


@sides(ours, theirs)
async def test_read_and_write(client, server, addr):
    srv, a, b = await open_pair(client, server, addr, {'name': 'a'}, {'name': 'b'})
    assert srv.info == theirs.TcpServerInfo('b', [addr])
    assert (a.info.name, b.info.name) == ('a', 'b')
    assert a.ssl_object is None
    await a.write(b'0123456789')
    assert await b.readexactly(3) == b'012'
    assert await b.read(2) == b'34'
    assert await b.read(0) == b'' == await b.readexactly(0)
    assert await b.read() == b'56789'
    await b.write(bytearray(b'abc'))
    await b.write(memoryview(b'def'))
    await b.drain()
    assert await a.readexactly(6) == b'abcdef'

    reading = [asyncio.create_task(a.readexactly(2)), asyncio.create_task(a.read(10)), asyncio.create_task(a.read(1))]
    await asyncio.sleep(0)
    await b.write(b'xyzw')
    assert await reading[0] == b'xy'
    assert await reading[1] == b'zw'
    reading[2].cancel()
    await asyncio.sleep(0)
    await b.write(b'123')
    assert await a.readexactly(3) == b'123'

    await b.write(b'12')
    await b.async_close()
    with pytest.raises(ConnectionError):
        await a.readexactly(3)
    await a.wait_closed()
    with pytest.raises(ConnectionError):
        await a.write(b'')
    await srv.async_close()


@each(ours, theirs)
async def test_what_came_before_the_end_can_be_read(module, addr):
    srv, a, b = await open_pair(module, module, addr)
    await a.write(b'123456')
    await a.async_close()
    await b.wait_closed()
    assert await b.readexactly(2) == b'12'
    assert await b.read(2) == b'34'
    with pytest.raises(ConnectionError):
        await b.readexactly(3)
    assert await b.read(10) == b'56'
    with pytest.raises(ConnectionError):
        await b.read(1)
    await b.drain()
    await srv.async_close()


@each(ours, theirs)
async def test_clear_input_buffer(module, addr):
    srv, a, b = await open_pair(module, module, addr, {}, {'input_buffer_limit': 10})
    await a.write(bytes(100))
    await asyncio.sleep(0.05)
    assert b.clear_input_buffer() == 100
    assert b.clear_input_buffer() == 0
    await a.write(b'1')
    assert await b.read() == b'1'
    await close(a, b, srv)


@sides(ours, theirs)
async def test_backpressure(client, server, addr):
    srv, a, b = await open_pair(client, server, addr)
    written = 0

    async def flood():
        nonlocal written
        for _ in range(200):
            await a.write(bytes(1 << 18))
            written += 1

    flooding = asyncio.create_task(flood())
    before = -1
    while written != before:
        before = written
        await asyncio.sleep(0.1)
    assert written < 200
    draining = asyncio.create_task(a.drain())
    for _ in range(200):
        assert len(await b.readexactly(1 << 18)) == 1 << 18
    await flooding
    await draining
    await close(a, b, srv)


@each(ours, theirs)
async def test_writers_end_with_the_connection(module, addr):
    srv, a, b = await open_pair(module, module, addr)

    async def flood():
        while True:
            await a.write(bytes(1 << 18))

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(0.3)
    b._protocol._transport.abort()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(flooding, 5)
    await close(a, b, srv)


@each(ours, theirs)
@pytest.mark.parametrize('bind', [True, False])
async def test_bind_connections(module, addr, bind):
    srv, a, b = await open_pair(module, module, addr, {}, {'bind_connections': bind})
    await srv.async_close()
    await asyncio.sleep(0.05)
    assert b.is_open is not bind
    await close(a, b)


@each(ours, theirs)
async def test_unix(module, tmp_path):
    path = tmp_path / 'socket'
    srv, a, b = await open_pair(module, module, path)
    assert a.info == theirs.UnixConnectionInfo(None, path) == b.info
    await a.write(b'1')
    assert await b.read() == b'1'
    await close(a, b, srv)


@pytest.mark.parametrize('event_loop_policy', [asyncio.DefaultEventLoopPolicy()], ids=['asyncio'])
@pytest.mark.parametrize('connect', [ours.connect, tpkt.connect, cotp.connect, chatter.connect,
                                     lambda addr: eventer.connect(addr, 'name')], ids=['net', 'tpkt', 'cotp', 'chatter', 'eventer'])
async def test_a_peer_that_resets_at_once(connect, addr, monkeypatch):
    """A peer that resets as soon as it has accepted, before there is a transport, which then has no peer any more."""
    loop = asyncio.get_running_loop()
    sock_connect = loop.sock_connect
    with socket.create_server(addr) as srv:

        async def reset_then(sock, address):
            await sock_connect(sock, address)
            peer, _ = srv.accept()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            peer.close()
            with pytest.raises(OSError):
                sock.getpeername()

        monkeypatch.setattr(loop, 'sock_connect', reset_then)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(connect(addr), 5)
