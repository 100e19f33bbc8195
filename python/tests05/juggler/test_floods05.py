"""A peer that asks and reads nothing is stopped, and goes on once it reads. What is not received waits, and not without limit."""

import asyncio
import logging
import pathlib
import sys

import pytest
import uvloop

from hat import aio
from hat import util

from hat_native import juggler05

sys.path.append(str(pathlib.Path(__file__).parents[2] / 'tests'))
from flooding import flood, frame, read, web_socket  # noqa: E402


@pytest.fixture(params=['asyncio', 'uvloop'])
def event_loop_policy(request):
    return asyncio.DefaultEventLoopPolicy() if request.param == 'asyncio' else uvloop.EventLoopPolicy()


async def open_server():
    conns = aio.Queue()
    port = util.get_unused_tcp_port()
    srv = await juggler05.listen('127.0.0.1', port, conns.put_nowait)
    return srv, port, conns


@pytest.mark.parametrize('ping,pong', [(frame(bytes(100), 9), b'\x8a\x64'), (frame(b'{"type":"PING"}'), b'"PONG"')],
                         ids=['websocket', 'juggler'])
async def test_pings(ping, pong):
    srv, port, conns = await open_server()
    reader, writer = await web_socket(port)
    conn = await conns.get()
    count = await flood(writer, lambda: ping * 1000)
    assert conn.is_open
    await read(reader, pong, count * 1000)
    # and all is as before
    writer.write(frame(b'{"type":"MESSAGE","payload":5}'))
    assert await asyncio.wait_for(conn.receive(), 5) == 5
    writer.close()
    await asyncio.wait_for(conn.wait_closed(), 5)
    await srv.async_close()


async def test_pings_and_a_peer_that_sends_much_itself():
    """Two that both send first do not stop each other."""
    srv, port, conns = await open_server()
    reader, writer = await web_socket(port)
    conn = await conns.get()
    sending = asyncio.create_task(conn.send('x' * (32 << 20)))
    writer.write(frame(b'{"type":"PING"}') * 10)
    writer.write(frame(b'{"type":"MESSAGE","payload":"' + b'x' * 50_000 + b'"}') * 200)
    await asyncio.wait_for(writer.drain(), 10)
    for _ in range(200):
        assert len(await asyncio.wait_for(conn.receive(), 5)) == 50_000
    await read(reader, b'"PONG"', 10)
    await sending
    writer.close()
    await srv.async_close()


async def test_messages_of_an_rpc_connection_that_are_not_received(monkeypatch, caplog):
    monkeypatch.setattr(juggler05, 'MAX_MESSAGES', 100)
    srv, port, conns = await open_server()
    _, writer = await web_socket(port)
    rpc = juggler05.RpcConnection(await conns.get())
    message = frame(b'{"type":"MESSAGE","payload":"' + b'x' * 5000 + b'"}')
    with caplog.at_level(logging.WARNING):
        count = await flood(writer, lambda: message)
    assert [i.getMessage() for i in caplog.records if 'wait to be received' in i.getMessage()] == [
        '100 messages wait to be received: calls and answers wait behind them']
    for _ in range(count):
        assert await asyncio.wait_for(rpc.receive(), 5) == 'x' * 5000
    writer.close()
    await asyncio.wait_for(rpc.wait_closed(), 5)
    await srv.async_close()


async def test_what_came_before_the_end_behind_an_action():
    srv, port, conns = await open_server()
    called = asyncio.Event()

    async def action():
        called.set()
        await asyncio.Event().wait()

    a = juggler05.RpcConnection(await juggler05.connect(f'ws://127.0.0.1:{port}/ws'), {'action': action})
    conn = await conns.get()
    b = juggler05.RpcConnection(conn, {'add': lambda x, y: x + y})
    asking = asyncio.create_task(b.call('action'))
    await called.wait()
    answered = asyncio.create_task(a.call('add', 1, 2))
    for i in range(5):
        await conn.send(i)
    await asyncio.sleep(0.2)
    await b.async_close()
    assert await asyncio.wait_for(answered, 5) == 3
    for i in range(5):
        assert await asyncio.wait_for(a.receive(), 5) == i
    for task in (asking, asyncio.ensure_future(a.receive())):
        with pytest.raises(ConnectionError):
            await task
    await asyncio.wait_for(a.wait_closed(), 5)
    await srv.async_close()
