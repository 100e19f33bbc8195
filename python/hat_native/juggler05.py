"""Juggler communication protocol of symmetric peers, as `hat.juggler` 0.5.

HTTP is aiohttp's, up to the end of the WebSocket's handshake: it must be installed. From there on the machine has the transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
import functools
import itertools
import logging
import pathlib
import ssl
import typing

import aiohttp
import aiohttp.web

from hat import aio

from hat_native import _json
from hat_native import _native
from hat_native import _websocket
from hat_native._resource import Resource
from hat_native.drivers._messages import MessageConnection
from hat_native.juggler import server as _http
from hat_native.juggler._sync import Sync


mlog: logging.Logger = logging.getLogger('hat.juggler')
"""Module logger"""

MAX_MESSAGES = 65536
"""Messages that may wait to be received before receiving is paused; the deployed module has no limit"""

ConnectionCb: typing.TypeAlias = aio.AsyncCallable[['Connection'], None]
"""Connection callback"""


async def connect(address: str, *,
                  autoflush_delay: float | None = 0.2
                  ) -> Connection:
    """Connect to remote server

    Address represents remote WebSocket URL formated as ``<schema>://<host>:<port>/<path>`` where ``<schema>`` is ``ws`` or
    ``wss``.

    Changes of `Connection.local_data` are sent at most `autoflush_delay` seconds later, each at once where it is 0, and only by
    `Connection.flush_local_data` where it is ``None``.

    Raises `aiohttp.ClientError`, which is an `OSError` where there is no connection. Cancelling leaves nothing behind.

    """
    session = aiohttp.ClientSession()
    try:
        upgraded = await _websocket.connect(session, address)

    except BaseException:
        await aio.uncancellable(session.close())
        raise

    return _create_connection(aio.Group(), upgraded, autoflush_delay, session)


async def listen(host: str,
                 port: int,
                 connection_cb: ConnectionCb, *,
                 ws_path: str = '/ws',
                 static_dir: pathlib.Path | None = None,
                 index_path: str | None = '/index.html',
                 pem_file: pathlib.Path | None = None,
                 autoflush_delay: float | None = 0.2,
                 shutdown_timeout: float = 0.1
                 ) -> Server:
    """Create listening server

    `connection_cb` is called with each new connection.

    `static_dir` is served at ``/``, and ``/`` itself leads to `index_path`. With `pem_file` the server speaks https and wss.

    `autoflush_delay` is that of `connect`. When the server closes, connections have `shutdown_timeout` seconds for it.

    Raises `OSError` where the address is taken or a file cannot be read.

    """
    server = Server(connection_cb, autoflush_delay)

    routes: list[typing.Any] = []
    if index_path:
        location = index_path

        async def root_handler(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
            raise aiohttp.web.HTTPFound(location)

        routes.append(aiohttp.web.get('/', root_handler))
    routes.append(aiohttp.web.get(ws_path, server._ws_handler))
    if static_dir:
        routes.append(aiohttp.web.static('/', static_dir))

    app = aiohttp.web.Application()
    app.add_routes(routes)
    try:
        ssl_ctx = _ssl_context(pem_file) if pem_file else None
    except BaseException:
        await aio.uncancellable(server.async_close())
        raise
    await _http.start(server.async_group, app, host, port, ssl_ctx, shutdown_timeout)
    return server


class Server(Resource):
    """Server

    For creating new server see `listen` coroutine.

    When server is closed, all incomming connections are also closed.

    """

    def __init__(self, connection_cb: ConnectionCb, autoflush_delay: float | None):
        self._connection_cb = connection_cb
        self._autoflush_delay = autoflush_delay
        self._async_group = aio.Group()

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        return self._async_group

    async def _ws_handler(self, request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        upgraded = await _websocket.accept(request)
        conn = _create_connection(self.async_group.create_subgroup(), upgraded, self._autoflush_delay)
        conn.async_group.spawn(aio.call, self._connection_cb, conn)
        await conn.wait_closed()
        response: aiohttp.web.StreamResponse = upgraded[0]
        return response


def _create_connection(group: aio.Group,
                       upgraded: typing.Any,
                       autoflush_delay: float | None,
                       session: aiohttp.ClientSession | None = None) -> Connection:
    is_client = session is not None
    machine = _native.PeerTexts((_json.encode, _json.decode), asyncio.get_running_loop().time(), is_client,
                                _websocket.seed() if is_client else 0)
    link = _websocket.WebSocketLink(machine, group=group, send_queue_size=1)
    conn = Connection(link, upgraded[0], autoflush_delay, session)
    link.take_over(*upgraded[1:])
    return conn


class Connection(MessageConnection[typing.Any]):
    """Connection

    For creating new connection see `connect` coroutine.

    """

    def __init__(self,
                 link: _websocket.WebSocketLink,
                 response: typing.Any,
                 autoflush_delay: float | None,
                 session: aiohttp.ClientSession | None):
        self._response = response
        self._session = session
        self._local_data: typing.Any = None
        self._remote_data: typing.Any = None
        self._change_cbs = _json.Callbacks()
        self._sync = Sync(link, link.machine, autoflush_delay,
                          lambda diff: {'type': 'DATA', 'payload': diff}, self._on_sync_error)
        if session is not None:
            link.group.spawn(aio.call_on_cancel, self._on_close)
        super().__init__(link, MAX_MESSAGES, mlog)

    @property
    def local_data(self) -> typing.Any:
        """Local data"""
        return self._local_data

    @property
    def remote_data(self) -> typing.Any:
        """Remote data"""
        return self._remote_data

    def register_change_cb(self,
                           cb: Callable[[], None]
                           ) -> _json.Callbacks.Handle:
        """Register remote data change callback"""
        return self._change_cbs.register(cb)

    def set_local_data(self, data: typing.Any) -> None:
        """Set local data

        Raises:
            ConnectionError

        """
        if self.is_closing:
            raise ConnectionError()
        self._local_data = data
        self._sync.change(data)

    async def flush_local_data(self) -> None:
        """Force synchronization of local data

        Raises:
            ConnectionError

        """
        await self._sync.flush()

    async def send(self, msg: typing.Any) -> None:
        """Send message

        Waits while the peer takes nothing.

        Raises:
            ConnectionError

        """
        link = self._link
        if link.group.is_closing:
            raise ConnectionError()
        self._machine.send({'type': 'MESSAGE', 'payload': msg})
        link.wrote()
        if link.write_paused:
            await link.wait_writable()

    async def _on_close(self) -> None:
        await self._link.wait_lost()
        self._response.close()
        if self._session is not None:
            await self._session.close()

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        messages = []
        try:
            for msg in incoming:
                if msg is None:
                    continue
                kind = msg['type']
                if kind == 'MESSAGE':
                    messages.append(msg['payload'])
                elif kind == 'DATA':
                    self._remote_data = _json.patch(self._remote_data, msg['payload'])
                    self._change_cbs.notify()
                elif kind == 'PING':
                    self._machine.reply({'type': 'PONG', 'payload': {}})
                    self._link.wrote()
                else:
                    raise Exception("invalid message type")
        except Exception as e:
            mlog.error("juggler receive loop error: %s", e, exc_info=e)
            self.close()
        super()._on_incoming(messages)

    def _on_sync_error(self, e: Exception) -> None:
        mlog.error("juggler sync loop error: %s", e, exc_info=e)
        self.close()

    def _on_over(self, reason: str) -> None:
        self._sync.close()
        super()._on_over(reason)


class RpcConnection(Resource):
    """Remote procedure call juggler connection wrapper

    Messages that are no calls and no answers wait for `receive`, 65536 of them. Then calls and answers
    wait too, which is logged, until one of the messages is received.

    Actions are functions/coroutines identified by action name and called with arguments received as part of `rpc` message. Those of
    one connection are called one after the other.

    An action that is not in `actions` is `default_action`'s, which is called with its name and then with its arguments. Where that is
    not defined either, and where an action raises, the call raises an exception with the text of it.

    """

    def __init__(self,
                 conn: Connection,
                 actions: Mapping[str, typing.Any] = {},
                 default_action: typing.Any = None):
        self._conn = conn
        self._actions = actions
        self._default_action = default_action
        self._messages: aio.Queue[typing.Any] = aio.Queue()
        self._room: asyncio.Future[None] | None = None
        self._was_full = False
        self._next_ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[typing.Any]] = {}

        self.async_group.spawn(self._receive_loop)

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        return self._conn.async_group

    @property
    def local_data(self) -> typing.Any:
        """Local data"""
        return self._conn.local_data

    @property
    def remote_data(self) -> typing.Any:
        """Remote data"""
        return self._conn.remote_data

    def register_change_cb(self,
                           cb: Callable[[], None]
                           ) -> _json.Callbacks.Handle:
        """Register remote data change callback"""
        return self._conn.register_change_cb(cb)

    def set_local_data(self, data: typing.Any) -> None:
        """Set local data

        Raises:
            ConnectionError

        """
        self._conn.set_local_data(data)

    async def flush_local_data(self) -> None:
        """Force synchronization of local data

        Raises:
            ConnectionError

        """
        await self._conn.flush_local_data()

    async def send(self, msg: typing.Any) -> None:
        """Send message

        Raises:
            ConnectionError

        """
        await self._conn.send(msg)

    async def receive(self) -> typing.Any:
        """Receive message

        Raises:
            ConnectionError

        """
        try:
            msg = await self._messages.get()

        except aio.QueueClosedError:
            raise ConnectionError()

        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        return msg

    async def call(self,
                   action: str,
                   *args: typing.Any
                   ) -> typing.Any:
        """Call remote action

        Raises:
            ConnectionError

        """
        if not self.is_open:
            raise ConnectionError()

        msg_id = next(self._next_ids)
        future = asyncio.get_running_loop().create_future()
        self._calls[msg_id] = future
        try:
            await self.send({'type': 'rpc',
                             'id': msg_id,
                             'direction': 'request',
                             'action': action,
                             'args': list(args)})
            return await future

        finally:
            del self._calls[msg_id]

    async def _receive_loop(self) -> None:
        try:
            while True:
                msg = await self._conn.receive()
                if not isinstance(msg, dict) or msg.get('type') != 'rpc':
                    self._messages.put_nowait(msg)
                    while self._messages.qsize() >= MAX_MESSAGES:
                        await self._wait_room()
                elif msg['direction'] == 'request':
                    await self._on_request(msg)
                elif msg['direction'] == 'response':
                    self._on_response(msg)
                else:
                    raise Exception('invalid rpc direction')

        except ConnectionError:
            pass

        except Exception as e:
            mlog.error("rpc receive loop error: %s", e, exc_info=e)

        finally:
            self.close()
            self._settle()
            self._messages.close()
            for future in self._calls.values():
                if not future.done():
                    future.set_exception(ConnectionError())

    async def _wait_room(self) -> None:
        """Wait until a message is received."""
        if not self._was_full:
            self._was_full = True
            mlog.warning("%s messages wait to be received: calls and answers wait behind them", MAX_MESSAGES)
        self._room = asyncio.get_running_loop().create_future()
        await self._room

    def _settle(self) -> None:
        """Take what came before the end, and waits behind an action or for room; there are no more actions."""
        queue = self._conn._queue
        try:
            while queue:
                msg = queue.popleft()
                if not isinstance(msg, dict) or msg.get('type') != 'rpc':
                    self._messages.put_nowait(msg)
                elif msg['direction'] == 'response':
                    self._on_response(msg)

        except Exception as e:
            mlog.error("rpc receive loop error: %s", e, exc_info=e)

    async def _on_request(self, msg: typing.Any) -> None:
        action = self._actions.get(msg['action'])
        args = msg['args']
        if not action and self._default_action:
            action = functools.partial(self._default_action, msg['action'])

        result: typing.Any
        try:
            if not action:
                raise Exception('invalid action')
            result = await aio.call(action, *args)
            success = True

        except Exception as e:
            result = str(e)
            success = False

        await self.send({'type': 'rpc',
                         'id': msg['id'],
                         'direction': 'response',
                         'success': success,
                         'result': result})

    def _on_response(self, msg: typing.Any) -> None:
        future = self._calls.get(msg['id'])
        if future is None or future.done():
            return
        if msg['success']:
            future.set_result(msg['result'])
        else:
            future.set_exception(Exception(msg['result']))


def _ssl_context(pem_file: pathlib.Path) -> ssl.SSLContext:
    ssl_ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ssl_ctx.verify_mode = ssl.VerifyMode.CERT_NONE
    ssl_ctx.load_cert_chain(str(pem_file))
    return ssl_ctx
