"""Whatever waits, cancelled at each of its awaits: nothing is left of it, and others do not notice."""

import asyncio
import contextlib

import aiohttp
import pytest

from hat import util
from hat.event import common

from hat_native import juggler
from hat_native.drivers import chatter, cotp, net as our_net, tpkt
from hat_native.event import eventer

import echoing
from cancelling import EVERY
from echoing import loopback
from test_leaks import KINDS, without_logs  # noqa: F401


EVENT = common.Event(common.EventId(1, 1, 1), ('a',), common.now(), None, None)


class Messages:
    """Chatter, TPKT, COTP: what is sent comes back."""

    errors = (OSError,)

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

    errors = (OSError,)

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

    errors = (OSError,)

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

    errors = (OSError, aiohttp.ClientError)

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
@pytest.mark.parametrize('what', EVERY)
async def test_at_every_await(what, name):
    await what(ALL[name], KINDS)
