"""Layer ``chatter``: Chatter of dialect HatChatter, by hat-drivers"""

import asyncio
import base64

from hat.drivers import chatter
from hat.drivers import net
from hat.drivers import ssl

import lines


class Chatter:
    """Layer ``chatter``"""

    def __init__(self, session: lines.Lines):
        self._session = session

    async def connect(self, p):
        conn = await chatter.connect(address(p), **connect_options(p))

        return {'obj': self._session.add(conn),
                'info': net.connection_info_to_json(conn.info)}

    async def listen(self, p):
        handle = asyncio.get_running_loop().create_future()

        async def on_connection(conn):
            self._session.accept(await handle, conn,
                                 net.connection_info_to_json(conn.info))

        server = await chatter.listen(on_connection, address(p),
                                      **listen_options(p))
        handle.set_result(self._session.add(server))

        return {'obj': handle.result(),
                **net.server_info_to_json(server.info)}

    async def send(self, p):
        conn = self._session.get(p['obj'])
        data = chatter.Data(type=p['type'],
                            data=base64.b64decode(p['data'], validate=True))
        conv = (chatter.Conversation(owner=p['conv']['owner'],
                                     first_id=p['conv']['first_id'])
                if p.get('conv') else None)

        conv = await conn.send(data,
                               conv=conv,
                               last=p.get('last', True),
                               token=p.get('token', True))

        return conv._asdict()

    async def receive(self, p):
        conn = self._session.get(p['obj'], even_closed=True)
        msg = await conn.receive()

        return {'type': msg.data.type,
                'data': base64.b64encode(msg.data.data).decode(),
                'conv': msg.conv._asdict(),
                'first': msg.first,
                'last': msg.last,
                'token': msg.token}

    async def drain(self, p):
        await self._session.get(p['obj']).drain()


def address(p: lines.Params) -> net.TcpAddress:
    """Parameter `addr`"""
    return net.TcpAddress(p['addr']['host'], p['addr']['port'])


def connect_options(p: lines.Params) -> dict:
    """Arguments of connecting which all Chatter based protocols share"""
    return _options(p, ssl.SslProtocol.TLS_CLIENT)


def listen_options(p: lines.Params) -> dict:
    """Arguments of listening which all Chatter based protocols share"""
    options = _options(p, ssl.SslProtocol.TLS_SERVER)
    if 'bind_connections' in p:
        options['bind_connections'] = p['bind_connections']

    return options


def _options(p, ssl_protocol):
    options = {name: p[name]
               for name in ('ping_delay', 'ping_timeout',
                            'receive_queue_size', 'send_queue_size',
                            'name', 'input_buffer_limit')
               if p.get(name) is not None}

    return {**options, **ssl_options(p, ssl_protocol)}


def ssl_options(p: lines.Params, ssl_protocol: ssl.SslProtocol) -> dict:
    """Parameter `tls` as the argument which all drivers over TCP share"""
    tls = p.get('tls')
    if not tls:
        return {}

    return {'ssl': ssl.create_ssl_ctx(ssl_protocol,
                                      verify_cert=tls.get('verify', False),
                                      cert_path=tls.get('cert'))}
