"""Peer with hat-chatter 0.5: layer ``chatter05``.

That library encodes payloads by its users' schemas. Tests give and want
payloads' bytes instead, so the repository here lets bytes through, except for
the modules of the library itself. One thing thus differs from a deployed peer:
it would end the connection on a payload that its schemas don't know.
"""

import asyncio
import base64

from hat import chatter

import lines


def main():
    """Entry point"""
    lines.run('hat-chatter 0.5',
              lambda session: {'chatter05': Chatter05(session)})


class Chatter05:
    """Layer ``chatter05``"""

    def __init__(self, session: lines.Lines):
        self._session = session
        self._repo = _Repository()

    async def connect(self, p):
        conn = await chatter.connect(self._repo, p['address'], **_options(p))

        return {'obj': self._session.add(conn),
                'info': _info_to_json(conn)}

    async def listen(self, p):
        handle = asyncio.get_running_loop().create_future()

        async def on_connection(conn):
            self._session.accept(await handle, conn, _info_to_json(conn))

        server = await chatter.listen(
            self._repo, p['address'], on_connection,
            bind_connections=p.get('bind_connections', True),
            **_options(p))
        handle.set_result(self._session.add(server))

        return {'obj': handle.result(),
                'addresses': server.addresses}

    async def send(self, p):
        conn = self._session.get(p['obj'])
        data = chatter.Data(module=p.get('module'),
                            type=p['type'],
                            data=base64.b64decode(p['data'], validate=True))

        def on_timeout(conv):
            self._session.event(p['obj'], 'conv_timeout',
                                {'conv': _conv_to_json(conv)})

        conv = conn.send(data,
                         conv=_conv_from_json(conn, p.get('conv')),
                         last=p.get('last', True),
                         token=p.get('token', True),
                         timeout=p.get('timeout'),
                         timeout_cb=on_timeout)

        return _conv_to_json(conv)

    async def receive(self, p):
        conn = self._session.get(p['obj'], even_closed=True)
        msg = await conn.receive()

        return {'module': msg.data.module,
                'type': msg.data.type,
                'data': base64.b64encode(msg.data.data).decode(),
                'conv': _conv_to_json(msg.conv),
                'first': msg.first,
                'last': msg.last,
                'token': msg.token}

    async def drain(self, p):
        await self._session.get(p['obj']).drain()


class _Repository:
    """Repository whose payloads are bytes"""

    def encode(self, module_name, type_name, value):
        if module_name in _own_modules:
            return chatter.sbs_repo.encode(module_name, type_name, value)

        return value

    def decode(self, module_name, type_name, data):
        if module_name in _own_modules:
            return chatter.sbs_repo.decode(module_name, type_name, data)

        return data


_own_modules = {'Hat', 'HatPing'}


def _options(p):
    return {name: p[name]
            for name in ('pem_file', 'ping_timeout', 'queue_maxsize')
            if p.get(name) is not None}


def _info_to_json(conn):
    return {'local_address': conn.local_address,
            'remote_address': conn.remote_address}


def _conv_to_json(conv):
    return {'owner': conv.owner,
            'first_id': conv.first_id}


def _conv_from_json(conn, data):
    if data is None:
        return

    return chatter.Conversation(conn=conn,
                                owner=data['owner'],
                                first_id=data['first_id'])


if __name__ == '__main__':
    main()
