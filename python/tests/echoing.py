"""Servers that give back what they are sent."""

import contextlib

from hat.drivers import net


def loopback():
    return net.TcpAddress('127.0.0.1', 0)


async def listen(module, answer):
    """A server of `module`, for Chatter, TPKT or COTP, that sends what `answer` makes of each message."""
    async def echo(conn):
        with contextlib.suppress(ConnectionError):
            while True:
                await conn.send(answer(await conn.receive()))

    return await module.listen(echo, loopback(), bind_connections=True)
