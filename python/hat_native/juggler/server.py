"""Juggler server"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Iterable
import inspect
import logging
import pathlib
import ssl
import typing

import aiohttp
import aiohttp.hdrs
import aiohttp.web

from hat import aio

from hat_native import _json
from hat_native import _native
from hat_native import _websocket
from hat_native._resource import Resource
from hat_native.juggler._auth import BasicAuth
from hat_native.juggler._sync import Sync


mlog: logging.Logger = logging.getLogger('hat.juggler.server')
"""Module logger"""

_transport_log: logging.Logger = logging.getLogger('hat.juggler.transport')

MAX_REQUESTS = 1024
"""Requests of a connection that may wait and run before receiving is paused; the deployed module has no limit"""

ConnectionCb: typing.TypeAlias = aio.AsyncCallable[['Connection'], None]
"""Connection callback"""

RequestCb: typing.TypeAlias = aio.AsyncCallable[['Connection', str, typing.Any],
                                                typing.Any]
"""Request callback"""


async def listen(host: str,
                 port: int,
                 connection_cb: ConnectionCb | None = None,
                 request_cb: RequestCb | None = None,
                 *,
                 ws_path: str | None = '/ws',
                 static_dir: pathlib.PurePath | None = None,
                 index_path: str | None = '/index.html',
                 htpasswd_file: pathlib.PurePath | None = None,
                 ssl_ctx: ssl.SSLContext | None = None,
                 autoflush_delay: float | None = 0.2,
                 shutdown_timeout: float = 0.1,
                 state: typing.Any = None,
                 parallel_requests: bool = False,
                 additional_routes: Iterable[aiohttp.web.RouteDef] = [],
                 send_queue_size: int = 1024,
                 max_segment_size: int = 64 * 1024,
                 ping_delay: float = 30,
                 ping_timeout: float = 30,
                 no_cache: bool = True
                 ) -> Server:
    """Create listening server

    `connection_cb` is called with each new connection.

    `request_cb` is called with a connection, and with the name and the data of each of its requests. What it returns is the answer;
    where it raises, the text of the exception is the answer, which raises `JugglerError` at the client. Requests are processed
    one after the other, or with `parallel_requests` as they come. Without `request_cb` each request fails. With 1024 that are not
    answered, nothing more of the connection is read.

    `static_dir` is served at ``/``, and ``/`` itself leads to `index_path`. With `htpasswd_file`, of ``$apr1$`` passwords, only its
    users are served; it is read once. With `ssl_ctx` the server speaks https and wss. `additional_routes` are aiohttp's. With
    `no_cache`, responses say that they should not be kept.

    Changes of the state are sent at most `autoflush_delay` seconds later, each at once where it is 0, and only by
    `Connection.flush` where it is ``None``. Where `state` is given, all connections share it.

    When the server closes, connections have `shutdown_timeout` seconds for it.

    `send_queue_size`, `max_segment_size`, `ping_delay` and `ping_timeout` are those of `hat_native.juggler.connect`.

    Raises `OSError` where the address is taken or a file cannot be read.

    """
    server = Server(connection_cb, request_cb, autoflush_delay, state, parallel_requests,
                    send_queue_size, max_segment_size, ping_delay, ping_timeout)

    routes: list[typing.Any] = []
    if ws_path:
        routes.append(aiohttp.web.get(ws_path, server._ws_handler))
    if index_path:
        location = index_path

        async def root_handler(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
            raise aiohttp.web.HTTPFound(location)

        routes.append(aiohttp.web.get('/', root_handler))
    routes.extend(additional_routes)
    if static_dir:
        routes.append(aiohttp.web.static('/', pathlib.Path(static_dir)))

    app = aiohttp.web.Application(middlewares=[BasicAuth(htpasswd_file)] if htpasswd_file else [])
    app.add_routes(routes)
    if no_cache:
        app.on_response_prepare.append(_no_cache)

    await start(server.async_group, app, host, port, ssl_ctx, shutdown_timeout)
    return server


async def start(group: typing.Any,
                app: aiohttp.web.Application,
                host: str,
                port: int,
                ssl_ctx: ssl.SSLContext | None,
                shutdown_timeout: float) -> None:
    """Serve `app` as long as `group` is open."""
    # aiohttp has moved this argument from the site to the runner
    runner_has_timeout = 'shutdown_timeout' in inspect.signature(aiohttp.web.BaseRunner.__init__).parameters
    timeout: dict[str, typing.Any] = {'shutdown_timeout': shutdown_timeout}
    runner = aiohttp.web.AppRunner(app, **(timeout if runner_has_timeout else {}))
    await runner.setup()
    group.spawn(aio.call_on_cancel, runner.cleanup)
    try:
        site = aiohttp.web.TCPSite(runner=runner, host=host, port=port, ssl_context=ssl_ctx, reuse_address=True,
                                   **({} if runner_has_timeout else timeout))
        # asyncio forgets a server where its creation is cancelled
        await aio.uncancellable(site.start())

    except BaseException:
        await aio.uncancellable(group.async_close())
        raise


class Server(Resource):
    """Server

    For creating new server see `listen` coroutine.

    When server is closed, all incoming connections are also closed.

    """

    def __init__(self,
                 connection_cb: ConnectionCb | None,
                 request_cb: RequestCb | None,
                 autoflush_delay: float | None,
                 state: typing.Any,
                 parallel_requests: bool,
                 send_queue_size: int,
                 max_segment_size: int,
                 ping_delay: float,
                 ping_timeout: float):
        self._connection_cb = connection_cb
        self._request_cb = request_cb
        self._autoflush_delay = autoflush_delay
        self._state = state
        self._parallel_requests = parallel_requests
        self._send_queue_size = send_queue_size
        self._max_segment_size = max_segment_size
        self._ping_delay = ping_delay
        self._ping_timeout = ping_timeout
        self._async_group = aio.Group()

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        return self._async_group

    async def create_connection(self,
                                request: aiohttp.web.Request
                                ) -> Connection:
        """Create connection

        For handlers of `additional_routes`: they wait until the connection is closed, and return `Connection.ws`. Raises
        `aiohttp.web.HTTPException` where the request does not ask for a WebSocket.

        """
        upgraded = await _websocket.accept(request)
        machine = _native.JugglerTexts((_json.encode, _json.decode), asyncio.get_running_loop().time(), False, 0,
                                       self._max_segment_size, self._ping_delay, self._ping_timeout)
        group = self.async_group.create_subgroup()
        link = _websocket.WebSocketLink(machine, group=group, send_queue_size=self._send_queue_size)
        conn = Connection(link, upgraded, _get_remote(request), self._request_cb, self._autoflush_delay,
                          _json.Storage() if self._state is None else self._state, self._parallel_requests)

        if self._connection_cb:
            conn.async_group.spawn(aio.call, self._connection_cb, conn)

        return conn

    async def _ws_handler(self, request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        conn = await self.create_connection(request)

        await conn.wait_closed()

        return conn.ws


class Connection(Resource):
    """Connection

    For creating new connection see `listen` coroutine.

    """

    def __init__(self,
                 link: _websocket.WebSocketLink,
                 upgraded: typing.Any,
                 remote: str,
                 request_cb: RequestCb | None,
                 autoflush_delay: float | None,
                 state: typing.Any,
                 parallel_requests: bool):
        self._link = link
        self._machine: typing.Any = link.machine
        self._remote = remote
        self._request_cb = request_cb
        self._state = state
        self._parallel_requests = parallel_requests
        self._requests: collections.deque[typing.Any] = collections.deque()
        self._running = 0
        self._more: asyncio.Future[None] | None = None
        self._ws, transport, protocol, tail = upgraded
        self._sync = Sync(link, link.machine, autoflush_delay,
                          lambda diff: {'type': 'state', 'diff': diff}, self._on_sync_error)
        self.async_group.spawn(self._request_loop)
        link.attach(self._on_incoming, self._on_over)
        link.take_over(transport, protocol, tail)
        self._change_handle = state.register_change_cb(self._sync.change)
        self._sync.change(state.data)
        if self.async_group.is_closing:
            self._change_handle.cancel()

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        group: aio.Group = self._link.group
        return group

    @property
    def remote(self) -> str:
        """Remote IP address

        Address is obtained from Forwarded or X-Forwarded-For headers. If these headers are not available, socket's remote address
        is used.

        """
        return self._remote

    @property
    def state(self) -> typing.Any:
        """Server state, a `hat.json.Storage`"""
        return self._state

    @property
    def ws(self) -> aiohttp.web.WebSocketResponse:
        """Associated WebSocket, whose handshake was aiohttp's; its messages are this connection's"""
        ws: aiohttp.web.WebSocketResponse = self._ws
        return ws

    async def flush(self) -> None:
        """Force synchronization of state data

        Raises:
            ConnectionError

        """
        await self._sync.flush()

    async def notify(self,
                     name: str,
                     data: typing.Any) -> None:
        """Send notification

        Raises:
            ConnectionError

        """
        await self._send({'type': 'notify', 'name': name, 'data': data})

    async def _send(self, msg: typing.Any) -> None:
        link = self._link
        if link.group.is_closing:
            raise ConnectionError()
        if link.write_paused and link.is_full:
            await link.wait_room()
        self._machine.send(msg)
        link.wrote()

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        self._requests.extend(incoming)
        if self._more is not None and not self._more.done():
            self._more.set_result(None)
        if len(self._requests) + self._running >= MAX_REQUESTS:
            self._link.pause()

    async def _request_loop(self) -> None:
        queue = self._requests
        try:
            while True:
                while queue:
                    msg = queue.popleft()
                    if msg['type'] != 'request':
                        raise Exception("invalid message type")
                    self._running += 1
                    if self._parallel_requests:
                        self.async_group.spawn(self._process_request, msg)
                    else:
                        await self._process_request(msg)
                self._more = self._link.loop.create_future()
                await self._more

        except Exception as e:
            _transport_log.error("receive loop error: %s", e, exc_info=e)

        finally:
            self.close()

    async def _process_request(self, req: typing.Any) -> None:
        try:
            res: dict[str, typing.Any] = {'type': 'response', 'id': req['id']}
            if req['name']:
                try:
                    if not self._request_cb:
                        raise Exception('request handler not implemented')
                    res['data'] = await aio.call(self._request_cb, self, req['name'], req['data'])
                    res['success'] = True

                except Exception as e:
                    res['data'] = str(e)
                    res['success'] = False
            else:
                res['data'] = req['data']
                res['success'] = True

            await self._send(res)

        except ConnectionError:
            self.close()

        except Exception as e:
            self.close()
            mlog.error("process request error: %s", e, exc_info=e)

        finally:
            self._running -= 1
            if self._link.read_paused and len(self._requests) + self._running < MAX_REQUESTS:
                self._link.resume()

    def _on_sync_error(self, e: Exception) -> None:
        mlog.error("sync loop error: %s", e, exc_info=e)
        self.close()

    def _on_over(self, reason: str) -> None:
        if reason and self.async_group.is_open:
            _transport_log.error("receive loop error: %s", reason)
        self._sync.close()
        handle = getattr(self, '_change_handle', None)
        if handle is not None:
            handle.cancel()


def _get_remote(request: aiohttp.web.Request) -> typing.Any:
    if request.forwarded:
        forwarded_for = request.forwarded[-1].get('for')
        if forwarded_for:
            return forwarded_for

    values = request.headers.getall(aiohttp.hdrs.X_FORWARDED_FOR, [])
    if len(values) == 1:
        return values[0].split(',')[-1].strip()

    return request.remote


async def _no_cache(request: aiohttp.web.Request, response: aiohttp.web.StreamResponse) -> None:
    response.headers['Cache-Control'] = 'no-cache'
