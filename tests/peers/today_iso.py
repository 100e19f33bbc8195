"""Layers ``tpkt`` and ``cotp``: ISO transport over TCP, by hat-drivers"""

import asyncio
import base64

from hat.drivers import cotp
from hat.drivers import net
from hat.drivers import ssl
from hat.drivers import tpkt

from today_chatter import address, ssl_options
import lines


TLS_CLIENT = ssl.SslProtocol.TLS_CLIENT
TLS_SERVER = ssl.SslProtocol.TLS_SERVER


class Iso:
    """One of the layers: both have the same methods"""

    def __init__(self, session: lines.Lines, module, options: list[str]):
        self._session = session
        self._module = module
        self._options = options

    async def connect(self, p):
        tsels = {name: p[name]
                 for name in ('local_tsel', 'remote_tsel')
                 if self._module is cotp and p.get(name) is not None}
        conn = await self._module.connect(address(p), **tsels,
                                          **self._given(p),
                                          **ssl_options(p, TLS_CLIENT))

        return {'obj': self._session.add(conn),
                'info': _info_to_json(conn.info)}

    async def listen(self, p):
        handle = asyncio.get_running_loop().create_future()

        async def on_connection(conn):
            self._session.accept(await handle, conn,
                                 _info_to_json(conn.info))

        server = await self._module.listen(on_connection, address(p),
                                           **self._given(p),
                                           **ssl_options(p, TLS_SERVER))
        handle.set_result(self._session.add(server))

        return {'obj': handle.result(),
                **net.server_info_to_json(server.info)}

    async def send(self, p):
        conn = self._session.get(p['obj'])
        await conn.send(base64.b64decode(p['data'], validate=True))

    async def receive(self, p):
        conn = self._session.get(p['obj'], even_closed=True)
        data = await conn.receive()

        return {'data': base64.b64encode(bytes(data)).decode()}

    async def drain(self, p):
        await self._session.get(p['obj']).drain()

    def _given(self, p):
        return {name: p[name]
                for name in self._options
                if p.get(name) is not None}


def layers(session: lines.Lines) -> dict[str, Iso]:
    """Both layers by name"""
    queues = ['tpkt_receive_queue_size']

    return {'tpkt': Iso(session, tpkt, queues),
            'cotp': Iso(session, cotp, queues + ['cotp_receive_queue_size',
                                                 'cotp_send_queue_size'])}


def _info_to_json(info):
    return {key: _value_to_json(value)
            for key, value in info._asdict().items()}


def _value_to_json(value):
    return value._asdict() if isinstance(value, tuple) else value
