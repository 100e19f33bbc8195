"""Peer with S7 communication: layer ``s7``, by python-snap7.

* ``s7.listen {addr, blocks: {NUMBER: SIZE}}`` -> ``{obj, addresses}``: a
  server with data blocks of zeros
* ``s7.connect {addr, rack, slot}`` -> ``{obj}``: a client, with the setup of
  communication done
* ``s7.write {obj, block, start, data(b64)}``
* ``s7.read {obj, block, start, size}`` -> ``{data(b64)}``

`close` of a client sends a DR, as python-snap7 does.
"""

import asyncio
import base64
import functools
import logging

from hat import aio
from snap7.client import Client
from snap7.server import Server
from snap7.type import SrvArea

import lines


class S7:
    """Layer ``s7``"""

    def __init__(self, session: lines.Lines):
        self._session = session

    async def listen(self, p):
        server = Server(log=False)
        for number, size in p.get('blocks', {}).items():
            server.register_area(SrvArea.DB, int(number), bytearray(size))

        server.start_to(p['addr']['host'], p['addr']['port'])
        host, port = server.server_socket.getsockname()

        return {'obj': self._session.add(_Resource(server, server.stop)),
                'addresses': [{'host': host, 'port': port}]}

    async def connect(self, p):
        client = Client()
        await asyncio.to_thread(client.connect, p['addr']['host'],
                                p['rack'], p['slot'], p['addr']['port'])

        return {'obj': self._session.add(_Resource(client,
                                                   client.disconnect))}

    async def write(self, p):
        data = bytearray(base64.b64decode(p['data'], validate=True))
        await self._run(p, 'db_write', p['block'], p['start'], data)

    async def read(self, p):
        data = await self._run(p, 'db_read', p['block'], p['start'],
                               p['size'])

        return {'data': base64.b64encode(data).decode()}

    async def _run(self, p, name, *args):
        client = self._session.get(p['obj']).wrapped
        return await asyncio.to_thread(getattr(client, name), *args)


class _Resource(aio.Resource):
    """A blocking client or server, which has no events of its own"""

    def __init__(self, wrapped, close):
        self.wrapped = wrapped
        self._async_group = aio.Group()
        self._async_group.spawn(aio.call_on_cancel,
                                functools.partial(asyncio.to_thread, close))

    @property
    def async_group(self):
        """Async group"""
        return self._async_group


def main():
    """Entry point"""
    logging.getLogger('snap7').setLevel(logging.ERROR)
    lines.run('python-snap7 3.3', lambda session: {'s7': S7(session)})


if __name__ == '__main__':
    main()
