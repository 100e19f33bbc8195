"""Whatever waits, cancelled at each of its awaits: nothing is left of it, and others do not notice."""

import asyncio
import contextlib
import gc
import os

import aiohttp
import pytest

from hat import aio, util
from hat.event import common

from hat_native import juggler
from hat_native.drivers import chatter, cotp, net as our_net, tpkt
from hat_native.event import eventer

import echoing
from cancelling import at_every_await, cut
from echoing import loopback
from test_leaks import alive, without_logs  # noqa: F401


EVENT = common.Event(common.EventId(1, 1, 1), ('a',), common.now(), None, None)


def sockets():
    """How many sockets this process has."""
    count = 0
    for name in os.listdir('/proc/self/fd'):
        with contextlib.suppress(OSError):
            count += os.readlink(f'/proc/self/fd/{name}').startswith('socket:')
    return count


async def until(check):
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.001)


class Messages:
    """Chatter, TPKT, COTP: what is sent comes back."""

    def __init__(self, module, message, content=lambda received: received):
        self.module = module
        self.message = message
        self.content = content

    async def listen(self):
        return await echoing.listen(self.module, self.content)

    def connect(self, srv):
        return self.module.connect(srv.info.addresses[0])

    async def use(self, conn):
        for _ in range(2):
            await conn.send(self.message)
            assert self.content(await conn.receive()) == self.message
        await conn.drain()


class Bytes:
    """Plain bytes"""

    async def listen(self):
        async def echo(conn):
            with contextlib.suppress(ConnectionError):
                while True:
                    await conn.write(await conn.readexactly(3))

        return await our_net.listen(echo, loopback(), bind_connections=True)

    def connect(self, srv):
        return our_net.connect(srv.info.addresses[0])

    async def use(self, conn):
        for _ in range(2):
            await conn.write(b'123')
            assert await conn.readexactly(3) == b'123'
        await conn.drain()


class Events:
    """Eventer: registers, asks, is told with an ack"""

    async def listen(self):
        async def register_cb(info, events):
            await asyncio.sleep(0)
            await srv.notify_events([EVENT], False)
            return [EVENT]

        srv = self.srv = await eventer.listen(loopback(), register_cb=register_cb)
        return srv

    def connect(self, srv):
        return eventer.connect(srv.info.addresses[0], 'name', subscriptions=[('*',)],
                               events_cb=lambda _, events: asyncio.sleep(0))

    async def use(self, client):
        assert await client.register([common.RegisterEvent(('a',), None, None)], True) == [EVENT]
        assert (await client.query(common.QueryLatestParams())).events == []
        await self.srv.notify_events([EVENT], False, True)
        await self.srv.set_status(common.Status.OPERATIONAL)
        await self.srv.set_status(common.Status.STANDBY)


class State:
    """Juggler: asks, and follows"""

    async def listen(self):
        async def request_cb(conn, name, data):
            await asyncio.sleep(0)
            conn.state.set('x', data)
            await conn.flush()
            await conn.notify('x', data)
            return data

        self.port = util.get_unused_tcp_port()
        return await juggler.listen('127.0.0.1', self.port, request_cb=request_cb)

    def connect(self, srv):
        return juggler.connect(f'ws://127.0.0.1:{self.port}/ws', notify_cb=lambda *args: asyncio.sleep(0))

    async def use(self, client):
        assert await client.send('name', 5) == 5
        assert client.state.get('x') == 5


ALL = {'chatter': Messages(chatter, chatter.Data('t', b'123'), lambda msg: msg.data),
       'tpkt': Messages(tpkt, b'123'),
       'cotp': Messages(cotp, b'123'),
       'net': Bytes(),
       'eventer': Events(),
       'juggler': State()}


@pytest.mark.parametrize('name', ALL)
async def test_a_client_at_every_await(name):
    of = ALL[name]
    errors = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    srv = await of.listen()
    await asyncio.sleep(0.01)
    tasks, open_sockets = len(asyncio.all_tasks()), sockets()

    async def life():
        conn = await of.connect(srv)
        try:
            await of.use(conn)
        finally:
            await conn.async_close()

    async def after():
        await until(lambda: len(asyncio.all_tasks()) == tasks and sockets() == open_sockets)
        assert srv.is_open

    assert await at_every_await(life, after) >= 4
    await srv.async_close()
    of.srv = srv = None
    for _ in range(20):
        await asyncio.sleep(0)
    if 'uvloop' not in type(asyncio.get_running_loop()).__module__:
        assert alive() == []
    assert [str(i)[:300] for i in errors] == []


@pytest.mark.parametrize('name', ALL)
async def test_a_server_at_every_await(name):
    of = ALL[name]
    tasks, open_sockets = len(asyncio.all_tasks()), sockets()

    async def life():
        srv = await of.listen()
        try:
            conn = await aio.uncancellable(of.connect(srv))
            await conn.async_close()
        finally:
            await srv.async_close()

    async def after():
        gc.collect()
        await until(lambda: len(asyncio.all_tasks()) == tasks and sockets() == open_sockets)

    await at_every_await(life, after)


@pytest.mark.parametrize('name', ALL)
async def test_a_server_that_closes_at_every_await_of_a_client(name):
    of = ALL[name]
    errors = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    tasks, open_sockets = len(asyncio.all_tasks()), sockets()
    awaits, closing = 0, None

    async def life(srv):
        conn = await of.connect(srv)
        try:
            await of.use(conn)
        finally:
            await conn.async_close()

    def close():
        nonlocal closing
        closing = asyncio.ensure_future(srv.async_close())

    while awaits >= 0:
        srv = await of.listen()
        closing = None
        with contextlib.suppress(OSError, aiohttp.ClientError):
            await asyncio.wait_for(cut(life(srv), awaits, close), 20)
        awaits = -1 if closing is None else awaits + 1
        await (closing or srv.async_close())
        of.srv = srv = closing = None
        gc.collect()
        await until(lambda: len(asyncio.all_tasks()) == tasks and sockets() == open_sockets)
    if 'uvloop' not in type(asyncio.get_running_loop()).__module__:
        assert alive() == []
    assert [str(i)[:300] for i in errors] == []
