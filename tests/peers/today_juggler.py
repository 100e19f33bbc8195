"""Layer ``juggler``: client and server of hat-juggler"""

import asyncio
import pathlib

import aiohttp

from hat import json
from hat import juggler
from hat.drivers import ssl

import failure
import lines


class Juggler:
    """Layer ``juggler``"""

    def __init__(self, session: lines.Lines):
        self._session = session
        self._states = {}

    async def connect(self, p):
        handle = asyncio.get_running_loop().create_future()

        async def on_notify(client, name, data):
            await self._session.call(await handle, 'notify',
                                     {'name': name, 'data': data})

        auth = p.get('auth')
        try:
            client = await juggler.connect(
                p['address'], on_notify,
                auth=(aiohttp.BasicAuth(auth['login'], auth['password'])
                      if auth else None),
                **_ssl_ctx(p, ssl.SslProtocol.TLS_CLIENT),
                **_options(p))

        except aiohttp.ClientError as e:
            raise ConnectionError(str(e)) from e

        handle.set_result(self._session.add(client))

        def on_change(data):
            self._session.event(handle.result(), 'state', {'data': data})

        client.state.register_change_cb(on_change)

        return {'obj': handle.result()}

    async def send(self, p):
        client = self._session.get(p['obj'])
        try:
            return {'data': await client.send(p['name'], p['data'])}

        except juggler.JugglerError as e:
            raise failure.Failure('juggler', 'request failed', e.data) from e

    async def listen(self, p):
        server = asyncio.get_running_loop().create_future()
        conns = {}

        def handle_of(conn):
            if conn not in conns:
                conns[conn] = asyncio.get_running_loop().create_future()

            return conns[conn]

        async def on_connection(conn):
            if not shared and p.get('state') is not None:
                conn.state.set([], p['state'])

            handle = self._session.introduce(await server, conn,
                                             {'remote': conn.remote})
            handle_of(conn).set_result(handle)
            try:
                await conn.wait_closed()

            finally:
                del conns[conn]

        async def on_request(conn, name, data):
            result = await self._session.call(await handle_of(conn), 'request',
                                              {'name': name, 'data': data})

            return result['data']

        shared = p.get('shared_state', False)
        state = json.Storage(p.get('state')) if shared else None
        options = {name: p[name]
                   for name in ('ws_path', 'index_path', 'shutdown_timeout',
                                'parallel_requests', 'no_cache')
                   if p.get(name) is not None}
        options.update({name: pathlib.Path(p[name])
                        for name in ('static_dir', 'htpasswd_file')
                        if p.get(name) is not None})
        if 'autoflush_delay' in p:
            options['autoflush_delay'] = p['autoflush_delay']

        resource = await juggler.listen(
            p['host'], p['port'], on_connection,
            on_request if p.get('has_request_cb') else None,
            state=state,
            **_ssl_ctx(p, ssl.SslProtocol.TLS_SERVER),
            **options,
            **_options(p))
        server.set_result(self._session.add(resource))
        if shared:
            self._states[server.result()] = state

        return {'obj': server.result()}

    async def state_set(self, p):
        self._state(p).set(p['path'], p['value'])

    async def state_remove(self, p):
        self._state(p).remove(p['path'])

    async def flush(self, p):
        await self._session.get(p['obj']).flush()

    async def notify(self, p):
        await self._session.get(p['obj']).notify(p['name'], p['data'])

    def _state(self, p):
        resource = self._session.get(p['obj'])
        if p['obj'] in self._states:
            return self._states[p['obj']]

        return resource.state


def _ssl_ctx(p, protocol):
    tls = p.get('tls')
    if not tls:
        return {}

    return {'ssl_ctx': ssl.create_ssl_ctx(
        protocol,
        verify_cert=tls.get('verify', False),
        cert_path=tls.get('cert'))}


def _options(p):
    return {name: p[name]
            for name in ('send_queue_size', 'max_segment_size',
                         'ping_delay', 'ping_timeout')
            if p.get(name) is not None}
