"""Whatever waits in Juggler's symmetric peers, cancelled or closed at each of its awaits: nothing is left of it."""

import asyncio
import contextlib
import logging
import pathlib
import sys

import aiohttp
import pytest
import uvloop

from hat import util
from hat.aio.group import GroupClosedError

from hat_native import _link, _native
from hat_native import juggler05

sys.path.append(str(pathlib.Path(__file__).parents[2] / 'tests'))
from cancelling import EVERY  # noqa: E402


KINDS = (_link.Link, _native.PeerTexts, juggler05.Connection, juggler05.RpcConnection, juggler05.Server)


@pytest.fixture(params=['asyncio', 'uvloop'])
def event_loop_policy(request):
    return asyncio.DefaultEventLoopPolicy() if request.param == 'asyncio' else uvloop.EventLoopPolicy()


@pytest.fixture(autouse=True)
def without_logs():
    # what was logged holds the frames of its exceptions, and pytest keeps it
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def add(a, b):
    await asyncio.sleep(0)
    return a + b


class Peers:
    """Messages, data, and calls in both directions"""

    errors = (OSError, aiohttp.ClientError)

    async def listen(self):
        async def connection_cb(conn):
            # it may be closed again by now
            with contextlib.suppress(ConnectionError, GroupClosedError):
                rpc = juggler05.RpcConnection(conn, {'add': add})
                rpc.set_local_data({'a': 1})
                while True:
                    await rpc.send(await rpc.receive())

        self.port = util.get_unused_tcp_port()
        return await juggler05.listen('127.0.0.1', self.port, connection_cb, autoflush_delay=0.001)

    async def connect(self, srv):
        return await juggler05.connect(f'ws://127.0.0.1:{self.port}/ws', autoflush_delay=0.001)

    async def use(self, conn):
        rpc = juggler05.RpcConnection(conn, {'add': add})
        assert await rpc.call('add', 1, 2) == 3
        await rpc.send('x')
        assert await rpc.receive() == 'x'
        rpc.set_local_data([1])
        await rpc.flush_local_data()
        changed = asyncio.Event()
        with rpc.register_change_cb(changed.set):
            while rpc.remote_data != {'a': 1} and rpc.is_open:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(changed.wait(), 0.01)


@pytest.mark.parametrize('what', EVERY)
async def test_at_every_await(what):
    await what(Peers(), KINDS)
