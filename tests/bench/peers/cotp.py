"""COTP echo by hat-drivers: `serve`, or `drive PORT SIZE WINDOW MS`"""

import asyncio
import sys
import time

from hat.drivers import cotp
from hat.drivers import net

import side


async def serve():
    async def on_connection(conn):
        try:
            while True:
                await conn.send(await conn.receive())
        except ConnectionError:
            pass

    server = await cotp.listen(on_connection, net.TcpAddress('127.0.0.1', 0))
    side.listening(server.info.addresses[0].port)
    await server.wait_closed()


async def drive(port, size, window, milliseconds):
    conn = await cotp.connect(net.TcpAddress('127.0.0.1', port))
    message = bytes(size)
    side.ready()
    start = time.monotonic()
    sent = received = 0

    while True:
        while (sent - received < window and
               time.monotonic() - start < milliseconds / 1000):
            await conn.send(message)
            sent += 1

        if received == sent:
            break

        await conn.receive()
        received += 1

    side.done(messages=received, seconds=time.monotonic() - start)
    await conn.async_close()


if sys.argv[1] == 'serve':
    asyncio.run(serve())
else:
    asyncio.run(drive(*(int(i) for i in sys.argv[2:])))
