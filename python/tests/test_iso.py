import asyncio

import pytest

from hat import aio
from hat.drivers import cotp as their_cotp
from hat.drivers import net
from hat.drivers import tpkt as their_tpkt

from hat_native.drivers import cotp as our_cotp
from hat_native.drivers import tpkt as our_tpkt

from conftest import each, leaves, sides


async def open_pair(client, server, addr, client_args={}, server_args={}):
    conns = aio.Queue()
    srv = await server.listen(conns.put_nowait, addr, **server_args)
    a = await client.connect(addr, **client_args)
    return srv, a, await asyncio.wait_for(conns.get(), 5)


async def close(*resources):
    for resource in resources:
        await resource.async_close()


def test_names():
    for name in ('ConnectionCb', 'connect', 'listen', 'Server', 'Connection'):
        assert hasattr(our_tpkt, name)
    for name in their_cotp.__all__:
        assert hasattr(our_cotp, name)
    assert our_cotp.TcpConnectionInfo is their_cotp.TcpConnectionInfo


@sides(our_tpkt, their_tpkt)
async def test_tpkt(client, server, addr):
    srv, a, b = await open_pair(client, server, addr, {'name': 'a'})
    assert isinstance(a.info, net.TcpConnectionInfo) and a.info.name == 'a'
    assert srv.info.addresses == [addr]
    for data in (b'123', bytes(range(256)), bytes(0xFFFB), bytearray(b'abc'), memoryview(b'abcd')[1:]):
        await a.send(data)
        assert await b.receive() == bytes(data)
    for data in (b'', b'12', bytes(0xFFFC)):
        with pytest.raises(ValueError):
            await a.send(data)
    await a.drain()
    await b.send(b'last')
    await b.drain()
    await asyncio.sleep(0.05)
    await b.async_close()
    await a.wait_closed()
    assert await a.receive() == b'last'
    with pytest.raises(ConnectionError):
        await a.receive()
    with pytest.raises(ConnectionError):
        await a.send(b'123')
    await a.drain()
    await srv.async_close()


@each(our_tpkt, their_tpkt)
@pytest.mark.parametrize('garbage', [b'\x04\x00\x00\x07', b'\x03\x00\x00\x06'])
async def test_tpkt_garbage(module, addr, garbage):
    conns = aio.Queue()
    srv = await module.listen(conns.put_nowait, addr)
    raw = await net.connect(addr)
    conn = await conns.get()
    await raw.write(garbage)
    await asyncio.wait_for(conn.wait_closed(), 5)
    await close(raw, srv)


@sides(our_cotp, their_cotp)
async def test_cotp(client, server, addr):
    srv, a, b = await open_pair(client, server, addr, {'local_tsel': 1, 'remote_tsel': 2, 'name': 'n'})
    assert isinstance(a.info, their_cotp.TcpConnectionInfo)
    assert (a.info.name, a.info.local_tsel, a.info.remote_tsel, a.info.remote_addr) == ('n', 1, 2, addr)
    assert (b.info.name, b.info.local_tsel, b.info.remote_tsel, b.info.local_addr) == (None, 2, 1, addr)
    for size in (1, 3, 2045, 2046, 65536, 1 << 20):
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        await a.send(data)
        assert await b.receive() == data
        await b.send(memoryview(data))
        assert await a.receive() == data
    await a.drain()
    await a.async_close()
    await b.wait_closed()
    for conn in (a, b):
        with pytest.raises(ConnectionError):
            await conn.receive()
        with pytest.raises(ConnectionError):
            await conn.send(b'123')
    await srv.async_close()


@sides(our_cotp, their_cotp)
async def test_cotp_without_selectors(client, server, addr):
    srv, a, b = await open_pair(client, server, addr)
    assert (a.info.local_tsel, a.info.remote_tsel, b.info.local_tsel, b.info.remote_tsel) == (None,) * 4
    await close(a, b, srv)


@each(our_cotp, their_cotp)
async def test_refused(module, addr):
    with pytest.raises(ConnectionRefusedError):
        await module.connect(addr)
    conns = aio.Queue()
    srv = await net.listen(conns.put_nowait, addr)

    async def answer(data):
        conn = await conns.get()
        await conn.readexactly(7)
        if data:
            await conn.write(data)
        else:
            await conn.async_close()

    # a disconnect request; a confirmation of class 4; the end; no TPKT
    for data in (bytes.fromhex('0300000b06800000000101'), bytes.fromhex('0300000b06d00001000140'), b'', b'HTTP/1.1 400'):
        answering = asyncio.create_task(answer(data))
        with pytest.raises(Exception):
            await asyncio.wait_for(module.connect(addr), 5)
        await answering
    await srv.async_close()


@each(our_cotp, their_cotp)
async def test_server_survives_what_is_no_request(module, addr, caplog):
    conns = aio.Queue()
    srv = await module.listen(conns.put_nowait, addr)
    for garbage in (b'GET / HTTP/1.1\r\n\r\n', bytes.fromhex('0300000702f080'), bytes.fromhex('0300000b06e00000000140')):
        raw = await net.connect(addr)
        await raw.write(garbage)
        await asyncio.wait_for(raw.wait_closed(), 5)
    assert conns.empty()
    a = await module.connect(addr)
    await (await conns.get()).async_close()
    await a.async_close()
    await srv.async_close()


@pytest.mark.parametrize('said', ['', '03', '0300000b'])
@each(our_cotp, their_cotp)
async def test_a_peer_that_goes_during_the_handshake(module, addr, said):
    srv = await leaves(addr, said)
    with pytest.raises(ConnectionError):
        await module.connect(addr)
    await srv.async_close()
