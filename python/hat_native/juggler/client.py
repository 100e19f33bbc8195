"""Juggler client"""

from __future__ import annotations

import asyncio
import collections
import itertools
import logging
import ssl
import typing

import aiohttp

from hat import aio

from hat_native import _deployed
from hat_native import _json
from hat_native import _native
from hat_native import _websocket
from hat_native._resource import Resource


mlog: logging.Logger = logging.getLogger('hat.juggler.client')
"""Module logger"""

_transport_log: logging.Logger = logging.getLogger('hat.juggler.transport')

NotifyCb: typing.TypeAlias = aio.AsyncCallable[['Client', str, typing.Any],
                                               None]
"""Notify callback"""

_found = _deployed.find('hat.juggler.client', 'JugglerError')

if typing.TYPE_CHECKING or _found is None:

    class JugglerError(Exception):
        """Juggler error"""

        def __init__(self, data: typing.Any):
            self.__data = data

        @property
        def data(self) -> typing.Any:
            """Error data"""
            return self.__data

    _deployed.adopt('hat.juggler.client', JugglerError)

else:
    JugglerError, = _found


async def connect(address: str,
                  notify_cb: NotifyCb | None = None,
                  *,
                  auth: aiohttp.BasicAuth | None = None,
                  ssl_ctx: ssl.SSLContext | None = None,
                  send_queue_size: int = 1024,
                  max_segment_size: int = 64 * 1024,
                  ping_delay: float = 30,
                  ping_timeout: float = 30,
                  **kwargs: typing.Any
                  ) -> Client:
    """Connect to remote server

    `address` represents remote WebSocket URL formated as ``<schema>://<host>:<port>/<path>`` where ``<schema>`` is ``ws`` or
    ``wss``.

    `notify_cb` is called with each notification, one after the other; while it runs, nothing that came later is handled. Where it
    raises, the client closes.

    After `ping_delay` seconds of silence a ping is sent, and after `ping_timeout` more the client closes. Messages are sent in
    segments of `max_segment_size` characters.

    Additional arguments are passed to `aiohttp.ClientSession`.

    Raises `aiohttp.ClientError`, which is an `OSError` where there is no connection and a `WSServerHandshakeError` where there is no WebSocket.
    Cancelling leaves nothing behind.

    """
    session = aiohttp.ClientSession(**kwargs)
    try:
        upgraded = await _websocket.connect(session, address, auth=auth, ssl=ssl_ctx or False)

    except BaseException:
        await aio.uncancellable(session.close())
        raise

    machine = _native.JugglerTexts((_json.encode, _json.decode), asyncio.get_running_loop().time(), True,
                                   _websocket.seed(), max_segment_size, ping_delay, ping_timeout)
    return Client(session, upgraded, machine, notify_cb, send_queue_size)


class Client(Resource):
    """Client

    For creating new client see `connect` coroutine.

    """

    def __init__(self,
                 session: aiohttp.ClientSession,
                 upgraded: typing.Any,
                 machine: typing.Any,
                 notify_cb: NotifyCb | None,
                 send_queue_size: int):
        self._session = session
        self._machine = machine
        self._notify_cb = notify_cb
        self._async_group = aio.Group()
        self._state = _json.Storage()
        self._requests: dict[int, asyncio.Future[typing.Any]] = {}
        self._next_ids = itertools.count(1)
        self._notifications: collections.deque[typing.Any] = collections.deque()
        self._busy = False
        self._more: asyncio.Future[None] | None = None
        self._response, transport, protocol, tail = upgraded
        self._link = _websocket.WebSocketLink(machine, group=self._async_group, send_queue_size=send_queue_size)
        self._async_group.spawn(aio.call_on_cancel, self._on_close)
        self._async_group.spawn(self._callback_loop)
        self._link.attach(self._on_incoming, self._on_over)
        self._link.take_over(transport, protocol, tail)

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        return self._async_group

    @property
    def state(self) -> typing.Any:
        """Remote server state, a `hat.json.Storage`"""
        return self._state

    async def send(self,
                   name: str,
                   data: typing.Any
                   ) -> typing.Any:
        """Send request and wait for response

        Args:
            name: request name
            data: request payload

        Raises:
            JugglerError: with what the server answered instead
            ConnectionError: where the client is closing, or closes before the response

        """
        link = self._link
        if link.group.is_closing:
            raise ConnectionError()
        if link.write_paused and link.is_full:
            await link.wait_room()

        req_id = next(self._next_ids)
        future = link.loop.create_future()
        self._requests[req_id] = future
        try:
            self._machine.send({'type': 'request', 'id': req_id, 'name': name, 'data': data})
            link.wrote()
            return await future

        finally:
            self._requests.pop(req_id, None)

    async def _on_close(self) -> None:
        self._fail()
        await self._link.wait_lost()
        self._response.close()
        await self._session.close()

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        queue = self._notifications
        try:
            for index, msg in enumerate(incoming):
                if queue or self._busy or (msg['type'] == 'notify' and self._notify_cb):
                    queue.extend(incoming[index:])
                    if self._more is not None and not self._more.done():
                        self._more.set_result(None)
                    if len(queue) >= 1024:
                        self._link.pause()
                    break
                self._process(msg)
        except Exception as e:
            _transport_log.error("receive loop error: %s", e, exc_info=e)
            self.close()

    def _process(self, msg: typing.Any) -> None:
        kind = msg['type']
        if kind == 'response':
            future = self._requests.get(msg['id'])
            if future is None or future.done():
                return
            if msg['success']:
                future.set_result(msg['data'])
            else:
                future.set_exception(JugglerError(msg['data']))

        elif kind == 'state':
            self._state.set([], _json.patch(self._state.data, msg['diff']))

        elif kind != 'notify':
            raise Exception("invalid message type")

    async def _callback_loop(self) -> None:
        queue = self._notifications
        try:
            while True:
                while queue:
                    msg = queue.popleft()
                    self._busy = True
                    if msg['type'] == 'notify' and self._notify_cb:
                        await aio.call(self._notify_cb, self, msg['name'], msg['data'])
                    else:
                        self._process(msg)
                    self._busy = False
                    if self._link.read_paused and len(queue) < 1024:
                        self._link.resume()
                self._more = self._link.loop.create_future()
                await self._more

        except Exception as e:
            _transport_log.error("receive loop error: %s", e, exc_info=e)

        finally:
            self.close()

    def _on_over(self, reason: str) -> None:
        if reason and not self._async_group.is_closing:
            _transport_log.error("receive loop error: %s", reason)
        self._fail()

    def _fail(self) -> None:
        try:
            # the callback that these wait for is cancelled with the connection: they have arrived
            # all the same
            for msg in self._notifications:
                if msg['type'] == 'response':
                    self._process(msg)
        except Exception as e:
            _transport_log.error("receive loop error: %s", e, exc_info=e)
        for future in self._requests.values():
            if not future.done():
                future.set_exception(ConnectionError())
