"""Eventer Client"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Collection, Iterable
import logging
import typing

from hat import aio

from hat_native import _deployed
from hat_native import _native
from hat_native._link import Link
from hat_native._resource import Resource
from hat_native.drivers import chatter
from hat_native.drivers import net
from hat_native.event import common
from hat_native.event.common._encoder import encoder


mlog: logging.Logger = logging.getLogger('hat.event.eventer.client')
"""Module logger"""

StatusCb: typing.TypeAlias = aio.AsyncCallable[['Client', common.Status],
                                               None]
"""Status callback"""

EventsCb: typing.TypeAlias = aio.AsyncCallable[['Client',
                                                Collection[common.Event]],
                                               None]
"""Events callback"""

_found = _deployed.find('hat.event.eventer.client', 'EventerInitError')

if typing.TYPE_CHECKING or _found is None:

    class EventerInitError(Exception):
        """Eventer initialization error"""

    _deployed.adopt('hat.event.eventer.client', EventerInitError)

else:
    EventerInitError, = _found


# kinds of what the machine gives
READY, STATUS, EVENTS, REGISTERED, QUERIED = range(5)


async def connect(addr: net.StreamAddress,
                  client_name: str,
                  *,
                  client_token: str | None = None,
                  subscriptions: Iterable[common.EventType] = [],
                  server_id: common.ServerId | None = None,
                  persisted: bool = False,
                  status_cb: StatusCb | None = None,
                  events_cb: EventsCb | None = None,
                  **kwargs: typing.Any
                  ) -> Client:
    """Connect to Eventer Server

    Arguments `client_name` and optional `client_token` identify the client.

    Each of `subscriptions` is a query type, in which ``?`` stands for any one segment, and ``*``, as the last one, for zero or more.
    Without any, no events are notified.

    With `server_id`, only events of that server are notified. With `persisted`, events are notified once they are stored,
    instead of as soon as they are registered.

    `status_cb` and `events_cb` are called one after the other, in the order in which the server sent. While one runs, nothing
    that came later is handled. One that raises closes the client.

    Additional arguments are those of `hat_native.drivers.chatter.connect`.

    Raises `EventerInitError` with the text of a server that refuses the client, `ConnectionError` or `OSError` where there is no
    connection.

    """
    ping_delay = kwargs.pop('ping_delay', 20)
    ping_timeout = kwargs.pop('ping_timeout', 20)
    receive_queue_size = kwargs.pop('receive_queue_size', 1024)
    send_queue_size = kwargs.pop('send_queue_size', 1024)
    name = chatter.pop_name(kwargs)
    subscriptions = [tuple(i) for i in subscriptions]

    def create_protocol() -> Link:
        machine = _native.EventerClient(encoder, asyncio.get_running_loop().time(), client_name, client_token,
                                        subscriptions, server_id, persisted, ping_delay, ping_timeout)
        return net.link(machine, addr, name, send_queue_size=send_queue_size)

    link = await net.create_connection(create_protocol, addr, kwargs)
    client = Client(link, status_cb, events_cb, receive_queue_size)

    try:
        await client._init()

    except BaseException:
        await aio.uncancellable(client.async_close())
        raise

    return client


class Client(Resource):
    """Eventer client

    For creating new client see `connect` coroutine.

    """

    def __init__(self,
                 link: Link,
                 status_cb: StatusCb | None,
                 events_cb: EventsCb | None,
                 receive_queue_size: int):
        self._link = link
        self._machine: typing.Any = link.machine
        self._status_cb = status_cb
        self._events_cb = events_cb
        self._queue_size = receive_queue_size
        self._status: common.Status = common.Status.STANDBY
        self._queue: collections.deque[typing.Any] = collections.deque()
        self._busy = False
        self._more: asyncio.Future[None] | None = None
        self._ready: asyncio.Future[None] = link.loop.create_future()
        self._requests: dict[int, asyncio.Future[typing.Any]] = {}
        self._over = False
        link.attach(self._on_incoming, self._on_over)

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        group: aio.Group = self._link.group
        return group

    @property
    def info(self) -> net.ConnectionInfo:
        """Connection info"""
        info: net.ConnectionInfo = self._link.info
        return info

    @property
    def status(self) -> common.Status:
        """Status"""
        return self._status

    async def register(self,
                       events: Collection[common.RegisterEvent],
                       with_response: bool = False
                       ) -> Collection[common.Event] | None:
        """Register events and optionally wait for response

        If `with_response` is ``True``, this coroutine returns list of events or ``None`` if registration failure occurred.

        Raises `ConnectionError` where the client is closing, or closes before the response. Cancelling does not undo the
        registration.

        """
        await self._room()
        request = self._machine.register(events, with_response)
        self._link.wrote()

        if with_response:
            result: Collection[common.Event] | None = await self._response(request)
            return result
        return None

    async def query(self,
                    params: common.QueryParams
                    ) -> common.QueryResult:
        """Query events from server

        Raises `ConnectionError` where the client is closing, or closes before the response.

        """
        await self._room()
        request = self._machine.query(params)
        self._link.wrote()

        result: common.QueryResult = await self._response(request)
        return result

    async def _room(self) -> None:
        link = self._link
        if link.group.is_closing:
            raise ConnectionError()
        if link.write_paused and link.is_full:
            await link.wait_room()

    async def _response(self, request: int) -> typing.Any:
        future = self._link.loop.create_future()
        self._requests[request] = future
        try:
            return await future
        finally:
            self._requests.pop(request, None)

    async def _init(self) -> None:
        await self._ready
        if self.is_closing:
            # it took the client and was gone before we had looked
            raise ConnectionError()
        self.async_group.spawn(self._callback_loop)

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        queue = self._queue
        if queue or self._busy:
            queue.extend(incoming)
        else:
            for index, one in enumerate(incoming):
                if not self._settle(one):
                    # a callback must be called: what follows waits for it
                    queue.extend(incoming[index:])
                    break
        if queue:
            if self._more is not None and not self._more.done():
                self._more.set_result(None)
            if 0 < self._queue_size <= len(queue):
                self._link.pause()

    def _settle(self, incoming: typing.Any) -> bool:
        """Handle what needs no callback."""
        kind = incoming[0]
        if kind == REGISTERED or kind == QUERIED:
            future = self._requests.get(incoming[1])
            if future is not None and not future.done():
                future.set_result(incoming[2])
            return True
        if kind == READY:
            self._status = incoming[1]
            if not self._ready.done():
                self._ready.set_result(None)
            return True
        if kind == STATUS and self._status_cb is None:
            self._status = incoming[1]
            return True
        if kind == EVENTS and self._events_cb is None:
            self._ack(incoming[2])
            return True
        return False

    async def _callback_loop(self) -> None:
        queue = self._queue
        try:
            while True:
                while queue:
                    incoming = queue.popleft()
                    self._busy = True
                    if not self._settle(incoming):
                        await self._call(incoming)
                    self._busy = False
                    if self._link.read_paused and len(queue) < self._queue_size:
                        self._link.resume()
                if self._over:
                    break
                self._more = self._link.loop.create_future()
                await self._more

        except ConnectionError:
            pass

        except Exception as e:
            mlog.error("read loop error: %s", e, exc_info=e)

        finally:
            self.close()
            self._fail()

    async def _call(self, incoming: typing.Any) -> None:
        if incoming[0] == STATUS:
            self._status = incoming[1]
            await aio.call(self._status_cb, self, self._status)
        else:
            await aio.call(self._events_cb, self, incoming[1].take())
            self._ack(incoming[2])

    def _ack(self, number: int | None) -> None:
        if number is not None and not self._over:
            self._machine.ack(number)
            self._link.wrote()

    def _on_over(self, reason: str) -> None:
        self._over = True
        if not self._ready.done():
            refusal = self._machine.refusal
            self._ready.set_exception(
                EventerInitError(refusal) if refusal is not None else self._link.fault(reason))
            self._ready.exception()
        elif reason:
            mlog.error("read loop error: %s", reason)
        if self._more is not None and not self._more.done():
            self._more.set_result(None)
        self._fail()

    def _fail(self) -> None:
        # the callback that these wait for may be cancelled with the connection: they have arrived
        # all the same
        for incoming in self._queue:
            if incoming[0] in (REGISTERED, QUERIED):
                self._settle(incoming)
        for future in self._requests.values():
            if not future.done():
                future.set_exception(ConnectionError())
