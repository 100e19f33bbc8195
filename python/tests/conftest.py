"""What all suites share: the event loops, free ports, and both implementations.

The deployed modules are imported as they are (nothing is installed in their place here), and ours beside them: so one body is held against
all four combinations, of which the one without ours shows that the body says what the deployed modules do.

"""

import asyncio

import pytest
import uvloop

from hat import util


@pytest.fixture(params=['asyncio', 'uvloop'])
def event_loop_policy(request):
    return asyncio.DefaultEventLoopPolicy() if request.param == 'asyncio' else uvloop.EventLoopPolicy()


@pytest.fixture
def port():
    return util.get_unused_tcp_port()


@pytest.fixture
def addr(port):
    from hat.drivers import net
    return net.TcpAddress('127.0.0.1', port)


def sides(ours, theirs):
    """Client and server, ours and theirs."""
    return pytest.mark.parametrize('client,server', [
        pytest.param(ours, ours, id='ours-ours'),
        pytest.param(ours, theirs, id='ours-theirs'),
        pytest.param(theirs, ours, id='theirs-ours'),
        pytest.param(theirs, theirs, id='theirs-theirs')])


def each(ours, theirs):
    """One side, ours and theirs."""
    return pytest.mark.parametrize('module', [pytest.param(ours, id='ours'), pytest.param(theirs, id='theirs')])


async def leaves(addr, said):
    """A server at `addr` that says some bytes, in hexadecimal, to whoever connects, and goes."""
    from hat.drivers import net

    async def go(conn):
        await conn.write(bytes.fromhex(said))
        await conn.drain()
        await conn.async_close()

    return await net.listen(go, addr)
