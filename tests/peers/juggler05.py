"""Peer with hat-juggler 0.5: layer ``juggler05``"""

import asyncio
import pathlib

import aiohttp

from hat import aio
from hat import juggler

import failure
import lines


def main():
    """Entry point"""
    lines.run('hat-juggler 0.5',
              lambda session: {'juggler05': Juggler05(session)})


class Juggler05:
    """Layer ``juggler05``"""

    def __init__(self, session: lines.Lines):
        self._session = session
        self._rpcs = {}

    async def connect(self, p):
        try:
            conn = await juggler.connect(p['address'], **_options(p))

        except aiohttp.ClientError as e:
            raise ConnectionError(str(e)) from e

        handle = self._session.add(conn)
        self._watch(handle, conn)

        return {'obj': handle}

    async def listen(self, p):
        server = asyncio.get_running_loop().create_future()

        async def on_connection(conn):
            # before anything of it is read
            handle = self._session.introduce(await server, conn, {})
            if handle is not None:
                self._watch(handle, conn)

        options = {name: p[name]
                   for name in ('ws_path', 'index_path', 'shutdown_timeout')
                   if p.get(name) is not None}
        if p.get('static_dir'):
            options['static_dir'] = pathlib.Path(p['static_dir'])

        if p.get('tls'):
            options['pem_file'] = pathlib.Path(p['tls']['cert'])

        server.set_result(self._session.add(await juggler.listen(
            p['host'], p['port'], on_connection, **options, **_options(p))))

        return {'obj': server.result()}

    async def set_local_data(self, p):
        self._conn(p).set_local_data(p['data'])

    async def flush_local_data(self, p):
        await self._conn(p).flush_local_data()

    async def send(self, p):
        await self._conn(p).send(p['data'])

    async def receive(self, p):
        return {'data': await self._conn(p, even_closed=True).receive()}

    async def rpc_wrap(self, p):
        handle = p['obj']

        async def call(action, *args):
            result = await self._session.call(
                handle, 'rpc', {'action': action, 'args': list(args)})

            return result['result']

        def action(name):
            return lambda *args: call(name, *args)

        self._rpcs[handle] = juggler.RpcConnection(
            self._session.get(handle),
            {name: action(name) for name in p['actions']},
            call if p.get('default_action') else None)

    async def rpc_call(self, p):
        self._session.get(p['obj'])
        rpc = self._rpcs[p['obj']]
        try:
            return {'result': await rpc.call(p['action'], *p['args'])}

        except (ConnectionError, aio.QueueClosedError):
            raise

        except Exception as e:
            raise failure.Failure('other', str(e)) from e

    def _conn(self, p, even_closed=False):
        conn = self._session.get(p['obj'], even_closed=even_closed)
        return self._rpcs.get(p['obj'], conn)

    def _watch(self, handle, conn):
        def on_change():
            self._session.event(handle, 'remote_data',
                                {'data': conn.remote_data})

        conn.register_change_cb(on_change)


def _options(p):
    return ({'autoflush_delay': p['autoflush_delay']}
            if 'autoflush_delay' in p else {})


if __name__ == '__main__':
    main()
