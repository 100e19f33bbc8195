"""WebSocket by the package `websockets`, as a client or as a server.

Gives back what comes; the text ``close CODE REASON`` closes. Prints how each
connection ended, and before that, as a server, the port.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def echo(connection):
    """One connection"""
    try:
        async for message in connection:
            if isinstance(message, str) and message.startswith('close '):
                _, code, reason = message.split(' ', 2)
                await connection.close(int(code), reason)
            else:
                await connection.send(message)
    except ConnectionClosed:
        pass
    end = {'code': connection.close_code, 'reason': connection.close_reason}
    print(json.dumps(end), flush=True)


async def main():
    """Entry point"""
    if sys.argv[1] == 'client':
        async with connect(sys.argv[2], max_size=None) as connection:
            await echo(connection)
    else:
        async with serve(echo, '127.0.0.1', 0, max_size=None) as server:
            print(server.sockets[0].getsockname()[1], flush=True)
            await asyncio.Future()


if __name__ == '__main__':
    asyncio.run(main())
