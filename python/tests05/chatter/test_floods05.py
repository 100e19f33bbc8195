"""A peer that pings and reads nothing is stopped, and goes on once it reads."""

import asyncio
import pathlib
import sys

import pytest
import uvloop

from hat import aio
from hat import util

from hat_native import _native, chatter05

sys.path.append(str(pathlib.Path(__file__).parents[2] / 'tests'))
from flooding import ends, flood, read  # noqa: E402


@pytest.fixture(params=['asyncio', 'uvloop'])
def event_loop_policy(request):
    return asyncio.DefaultEventLoopPolicy() if request.param == 'asyncio' else uvloop.EventLoopPolicy()


async def test_pings():
    machine = _native.Chatter((tuple,) * 3, 0.0, timeout=1.0, hat=True)
    machine.poll(1.0)
    ping = bytes(machine.take())
    assert b'MsgPing' in ping
    conns = aio.Queue()
    port = util.get_unused_tcp_port()
    srv = await chatter05.listen(chatter05.sbs_repo, f'tcp+sbs://127.0.0.1:{port}', conns.put_nowait, ping_timeout=0.4)
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    conn = await conns.get()
    count = await flood(writer, lambda: ping * 1000)
    assert conn.is_open
    await read(reader, b'MsgPong', count * 1000)
    await ends(reader)
    await asyncio.wait_for(conn.wait_closed(), 5)
    writer.close()
    await srv.async_close()
