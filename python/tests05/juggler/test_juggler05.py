"""Juggler's symmetric peers, both ways against the deployed module."""

import asyncio
import pathlib
import sys

import pytest

from hat import aio
from hat import juggler as theirs
from hat import util

from hat_native import juggler05 as ours


sides = pytest.mark.parametrize('client,server', [
    pytest.param(a, b, id=f'{x}-{y}') for x, a in (('ours', ours), ('theirs', theirs))
    for y, b in (('ours', ours), ('theirs', theirs))])


async def open_pair(client, server, **args):
    port = util.get_unused_tcp_port()
    conns = aio.Queue()
    srv = await server.listen('127.0.0.1', port, conns.put_nowait, **args)
    a = await client.connect(f'ws://127.0.0.1:{port}/ws', **args)
    return srv, a, await conns.get()


async def changed(conn, data):
    event = asyncio.Event()
    with conn.register_change_cb(event.set):
        while conn.remote_data != data:
            await asyncio.wait_for(event.wait(), 5)
            event.clear()


@sides
async def test_messages(client, server):
    srv, a, b = await open_pair(client, server)
    for value in (None, True, 1, 1.5, 'čž', [], [1, [2]], {'a': {'b': None}}, 'x' * 3_000_000):
        await a.send(value)
        assert await b.receive() == value
        await b.send(value)
        assert await a.receive() == value
    await a.async_close()
    await b.wait_closed()
    for conn in (a, b):
        with pytest.raises(ConnectionError):
            await conn.send(1)
        with pytest.raises(ConnectionError):
            await conn.receive()
        with pytest.raises(ConnectionError):
            conn.set_local_data(1)
        with pytest.raises(ConnectionError):
            await conn.flush_local_data()
    await srv.async_close()


@sides
@pytest.mark.parametrize('delay', [0, 0.01, None])
async def test_data(client, server, delay):
    srv, a, b = await open_pair(client, server, autoflush_delay=delay)
    assert a.local_data is None and b.remote_data is None
    steps = [{'a': [1, 2, 3]}, {'a': [1, 3], 'b': {}}, {'a': [0, 1, 3], 'b': {'c/d~e': 1}}, [], None, 5, [{'x': 1}] * 3]
    for one, other in ((a, b), (b, a)):
        for data in steps:
            one.set_local_data(data)
            assert one.local_data == data
            if delay is None:
                assert other.remote_data != data or data is None
                await one.flush_local_data()
            await changed(other, data)
    await b.async_close()
    await a.wait_closed()
    await srv.async_close()


@sides
async def test_truths_are_no_numbers(client, server):
    """A change that Python's own equality does not see is one: 0 is no False, also inside of lists that only Python can write."""
    from hat import json
    srv, a, b = await open_pair(client, server, autoflush_delay=0)
    for data in (['č', 0], ['č', False], ['č', [True]], ['č', [1]], ['č', [1.0]], [0, 2.0], [False, 2], {'a': ['"', {'b': 0}]},
                 {'a': ['"', {'b': False}]}):
        a.set_local_data(data)
        async with asyncio.timeout(5):
            while json.encode(b.remote_data) != json.encode(data):
                await asyncio.sleep(0.005)
    await a.async_close()
    await srv.async_close()


@sides
async def test_rpc(client, server):
    srv, a, b = await open_pair(client, server)

    async def add(x, y):
        await asyncio.sleep(0)
        return x + y

    def fail():
        raise Exception('it does not work')

    def default(name, *args):
        return [name, *args]

    caller = client.RpcConnection(a)
    callee = server.RpcConnection(b, {'add': add, 'fail': fail}, default)
    assert await caller.call('add', 1, 2) == 3
    assert await caller.call('other', 'x') == ['other', 'x']
    with pytest.raises(Exception, match='it does not work'):
        await caller.call('fail')
    with pytest.raises(Exception, match='invalid action'):
        await callee.call('add', 1, 2)
    await caller.send({'type': 'not rpc'})
    assert await callee.receive() == {'type': 'not rpc'}
    caller.set_local_data([1])
    await caller.flush_local_data()
    await changed(callee, [1])

    waiting = asyncio.create_task(client.RpcConnection(a).call('add', 1))
    await asyncio.sleep(0)
    await a.async_close()
    with pytest.raises(Exception):
        await waiting
    with pytest.raises(ConnectionError):
        await caller.call('add', 1, 2)
    await srv.async_close()


@pytest.mark.parametrize('module', [ours, theirs], ids=['ours', 'theirs'])
async def test_http(module, tmp_path):
    import aiohttp
    (tmp_path / 'index.html').write_text('<p>page</p>')
    port = util.get_unused_tcp_port()
    srv = await module.listen('127.0.0.1', port, lambda conn: None, static_dir=tmp_path)
    async with aiohttp.ClientSession() as session:
        response = await session.get(f'http://127.0.0.1:{port}/')
        assert await response.text() == '<p>page</p>' and response.url.path == '/index.html'
        assert (await session.get(f'http://127.0.0.1:{port}/other')).status == 404
    await srv.async_close()
    with pytest.raises(OSError):
        await module.connect(f'ws://127.0.0.1:{port}/ws')


def test_interface():
    sys.path.append(str(pathlib.Path(__file__).parents[2] / 'tests'))
    from interfaces import differences
    assert list(differences(theirs, ours)) == []
