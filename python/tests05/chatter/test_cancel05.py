"""Whatever waits in Chatter of dialect `Hat`, cancelled or closed at each of its awaits: nothing is left of it."""

import asyncio
import contextlib
import logging
import pathlib
import sys

import pytest
import uvloop

from hat import chatter as theirs
from hat import sbs

from hat_native import _link, _native
from hat_native import chatter05

sys.path.append(str(pathlib.Path(__file__).parents[2] / 'tests'))
from cancelling import EVERY  # noqa: E402


KINDS = (_link.Link, _native.Chatter, chatter05.Connection, chatter05.Server)


@pytest.fixture(params=['asyncio', 'uvloop'])
def event_loop_policy(request):
    return asyncio.DefaultEventLoopPolicy() if request.param == 'asyncio' else uvloop.EventLoopPolicy()


@pytest.fixture(autouse=True)
def without_logs():
    # what was logged holds the frames of its exceptions, and pytest keeps it
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Conversations:
    """What is sent comes back, before a timeout and after one"""

    errors = (OSError,)

    def __init__(self, ping_timeout):
        self.ping_timeout = ping_timeout
        self.repo = sbs.Repository(theirs.sbs_repo)

    async def listen(self):
        async def echo(conn):
            with contextlib.suppress(ConnectionError):
                while True:
                    msg = await conn.receive()
                    if msg.last:
                        conn.send(msg.data, conv=msg.conv)
                    await conn.drain()

        return await chatter05.listen(self.repo, 'tcp+sbs://127.0.0.1:0', echo, ping_timeout=self.ping_timeout)

    async def connect(self, srv):
        return await chatter05.connect(self.repo, srv.addresses[0], ping_timeout=self.ping_timeout)

    async def use(self, conn):
        loop = asyncio.get_running_loop()
        data = chatter05.Data(None, 'Integer', 5)
        for _ in range(2):
            conn.send(data)
            assert (await conn.receive()).data == data
        fired = loop.create_future()
        conn.send(data, last=False, timeout=0.005, timeout_cb=fired.set_result)
        # another one of a connection that is gone would never come
        conn.send(data, last=False, timeout=60, timeout_cb=lambda conv: None)
        await conn.drain()
        await asyncio.wait([fired], timeout=0.05)


@pytest.mark.parametrize('ping_timeout', [None, 20])
@pytest.mark.parametrize('what', EVERY)
async def test_at_every_await(what, ping_timeout):
    await what(Conversations(ping_timeout), KINDS)
