"""Eventer Server"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Collection
import contextlib
import itertools
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


mlog: logging.Logger = logging.getLogger('hat.event.eventer.server')
"""Module logger"""

ConnectionId: typing.TypeAlias = int
"""Connection identifier"""

_found = _deployed.find('hat.event.eventer.server', 'ConnectionInfo')

if typing.TYPE_CHECKING or _found is None:

    class ConnectionInfo(typing.NamedTuple):
        """Who a client is and what it wants to be told"""
        id: ConnectionId
        client_name: str
        client_token: str | None
        subscription: common.Subscription
        server_id: int | None
        persisted: bool

    _deployed.adopt('hat.event.eventer.server', ConnectionInfo)

else:
    ConnectionInfo, = _found


ConnectionCb: typing.TypeAlias = aio.AsyncCallable[[ConnectionInfo], None]
"""Connected/disconnected callback"""

RegisterCb: typing.TypeAlias = aio.AsyncCallable[
    [ConnectionInfo, Collection[common.RegisterEvent]],
    Collection[common.Event] | None]
"""Register callback"""

QueryCb: typing.TypeAlias = aio.AsyncCallable[
    [ConnectionInfo, common.QueryParams],
    common.QueryResult]
"""Query callback"""

# kinds of what the machine gives
INIT, REGISTER, QUERY, ACKED = range(4)


async def listen(addr: net.StreamAddress,
                 *,
                 status: common.Status = common.Status.STANDBY,
                 connected_cb: ConnectionCb | None = None,
                 disconnected_cb: ConnectionCb | None = None,
                 register_cb: RegisterCb | None = None,
                 query_cb: QueryCb | None = None,
                 close_timeout: float = 0.5,
                 **kwargs: typing.Any
                 ) -> Server:
    """Create listening Eventer Server instance

    `connected_cb` is called with each client that initializes; where it raises, the client is refused with the text of the
    exception, and has `close_timeout` seconds to close. `disconnected_cb` is called once for each client that was not refused.

    `register_cb` and `query_cb` answer requests; those of one client are called one after the other. One that raises ends
    the connection. Without them, registrations fail and query results are empty.

    Additional arguments are those of `hat_native.drivers.chatter.listen`.

    Raises `OSError` where the address is taken.

    """
    server = Server(status, connected_cb, disconnected_cb, register_cb, query_cb, close_timeout)
    await server._listen(addr, kwargs)
    return server


class Server(Resource):
    """Eventer server

    For creating new server see `listen` coroutine.

    """

    def __init__(self,
                 status: common.Status,
                 connected_cb: ConnectionCb | None,
                 disconnected_cb: ConnectionCb | None,
                 register_cb: RegisterCb | None,
                 query_cb: QueryCb | None,
                 close_timeout: float):
        self._status = status
        self._connected_cb = connected_cb
        self._disconnected_cb = disconnected_cb
        self._register_cb = register_cb
        self._query_cb = query_cb
        self._close_timeout = close_timeout
        self._next_conn_ids = itertools.count(1)
        self._conns: dict[_Connection, ConnectionInfo] = {}
        self._srv: net.Server = None  # type: ignore[assignment]

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        return self._srv.async_group

    @property
    def info(self) -> net.ServerInfo:
        """Server info"""
        return self._srv.info

    def get_conn_infos(self) -> list[ConnectionInfo]:
        """Get connection infos"""
        return list(self._conns.values())

    async def set_status(self, status: common.Status) -> None:
        """Set status

        Clients are told, unless it is the status that they know. Waits for those whose connections take nothing. Never raises for
        a client that goes.

        """
        if self._status == status:
            return

        self._status = status

        for conn in list(self._conns):
            await conn.set_status(status)

    async def notify_events(self,
                            events: Collection[common.Event],
                            persisted: bool,
                            with_ack: bool = False) -> None:
        """Notify events to clients

        Each client is told those that it subscribed to, if it wants events that are `persisted`, or not, as these are. With
        `with_ack`, waits until every client that was told has handled them, or has gone.

        A client that should be told an event which cannot be encoded is told nothing, and that is logged. Never raises for a client
        that goes.

        """
        conns = [conn for conn, info in self._conns.items() if info.persisted == persisted and conn.subscribes]
        if not conns:
            return

        acks: list[asyncio.Future[None]] = []
        for conn, notification in self._encode(conns, events):
            if conn.link.write_paused and conn.link.is_full:
                if not with_ack:
                    # not as a task of the server, whose closing would cancel it, and us with it
                    await conn.notify_later(notification, persisted, False)
                elif self.is_open:
                    acks.append(self.async_group.spawn(conn.notify_later, notification, persisted, True))
                continue
            ack = conn.notify(notification, persisted, with_ack)
            if ack is not None:
                acks.append(ack)

        if acks:
            await asyncio.wait(acks)

    def _encode(self,
                conns: list[_Connection],
                events: Collection[common.Event]
                ) -> list[tuple[_Connection, _native.Notification]]:
        try:
            notification = _native.Notification(encoder, events)
            return [(conn, notification) for conn in conns]
        except Exception as e:
            mlog.debug("events are encoded for each connection: %s", e)

        result = []
        for conn in conns:
            info = self._conns[conn]
            wanted = [event for event in events
                      if info.subscription.matches(event.type) and info.server_id in (None, event.id.server)]
            if not wanted:
                continue
            try:
                result.append((conn, _native.Notification(encoder, wanted)))
            except Exception as e:
                mlog.error("notify events error: %s", e, exc_info=e)
        return result

    async def _listen(self, addr: net.StreamAddress, kwargs: dict[str, typing.Any]) -> None:
        ping_delay = kwargs.pop('ping_delay', 20)
        ping_timeout = kwargs.pop('ping_timeout', 20)
        receive_queue_size = kwargs.pop('receive_queue_size', 1024)
        send_queue_size = kwargs.pop('send_queue_size', 1024)
        bind_connections = kwargs.pop('bind_connections', True)
        name = chatter.pop_name(kwargs)
        srv = net.Server(self._connection_loop, bind_connections, logging.getLogger('hat.drivers.chatter'),
                         'ChatterServer')
        self._srv = srv

        def create_protocol() -> Link:
            machine = _native.EventerServer(encoder, asyncio.get_running_loop().time(), self._close_timeout,
                                            ping_delay, ping_timeout, receive_queue_size)
            return net.link(machine, addr, name, send_queue_size=send_queue_size,
                            on_made=lambda link: srv.take(_Connection(link, receive_queue_size)))

        await srv.start(create_protocol, addr, name, kwargs)
        mlog.debug("listening on %s", addr)

    async def _connection_loop(self, conn: _Connection) -> None:
        conn_id = next(self._next_conn_ids)
        try:
            info = await self._accept(conn, conn_id)
            if info is None:
                with contextlib.suppress(asyncio.TimeoutError):
                    await aio.wait_for(conn.wait_closing(), self._close_timeout)
                return

            while True:
                kind, value, request = await conn.receive()
                if kind == REGISTER:
                    events: typing.Any = None
                    if self._register_cb:
                        events = await aio.call(self._register_cb, info, value.take())
                    if request is not None:
                        await conn.send('register_response', request, events)
                else:
                    result: common.QueryResult
                    if self._query_cb:
                        result = await aio.call(self._query_cb, info, value)
                    else:
                        result = common.QueryResult(events=[], more_follows=False)
                    await conn.send('query_response', request, result)

        except ConnectionError:
            pass

        except Exception as e:
            mlog.error("on connection error: %s", e, exc_info=e)

        finally:
            conn.close()
            self._conns.pop(conn, None)
            conn.fail()

            if self._disconnected_cb and conn.told:
                with contextlib.suppress(Exception):
                    await aio.call(self._disconnected_cb, conn.told)

    async def _accept(self, conn: _Connection, conn_id: ConnectionId) -> ConnectionInfo | None:
        """Take a client, or refuse it: then None."""
        _, name, token, query_types, server_id, persisted = await conn.receive()
        try:
            info = ConnectionInfo(id=conn_id,
                                  client_name=name,
                                  client_token=token,
                                  subscription=common.create_subscription(query_types),
                                  server_id=server_id,
                                  persisted=persisted)
            conn.told = info
            if self._connected_cb:
                await aio.call(self._connected_cb, info)
            status = self._status

        except Exception as e:
            conn.told = None
            mlog.warning("connection initialization error: %s", e, exc_info=e)
            await conn.send('reject', str(e))
            return None

        conn.subscribes = bool(query_types)
        self._conns[conn] = info
        try:
            await conn.send('accept', status)
        except ConnectionError:
            # it was taken, and has gone
            conn.close()
        return info


class _Connection(Resource):
    """One client"""

    def __init__(self, link: Link, receive_queue_size: int):
        self.link = link
        self._machine: typing.Any = link.machine
        self._queue_size = receive_queue_size
        self._queue: collections.deque[typing.Any] = collections.deque()
        self._waiter: asyncio.Future[None] | None = None
        self._acks: dict[int, asyncio.Future[None]] = {}
        self._over = False
        self.subscribes = False
        self.told: ConnectionInfo | None = None
        """What `connected_cb` was told, also where the server closes meanwhile; None again where the client is refused"""
        link.attach(self._on_incoming, self._on_over)

    @property
    def async_group(self) -> aio.Group:
        group: aio.Group = self.link.group
        return group

    async def receive(self) -> typing.Any:
        """The next thing that a callback must be called for."""
        while not self._queue:
            if self._over:
                raise ConnectionError()
            self._waiter = self.link.loop.create_future()
            await self._waiter
        one = self._queue.popleft()
        if self.link.read_paused and len(self._queue) < self._queue_size:
            self.link.resume()
        return one

    async def send(self, method: str, *args: typing.Any) -> None:
        """Call the machine's `method`, once there is room for what it queues."""
        link = self.link
        if link.group.is_closing:
            raise ConnectionError()
        if link.write_paused and link.is_full:
            await link.wait_room()
        getattr(self._machine, method)(*args)
        link.wrote()
        if link.held_up:
            # it waited for this answer
            link.poll()

    async def set_status(self, status: common.Status) -> None:
        with contextlib.suppress(ConnectionError):
            await self.send('set_status', status)

    def notify(self,
               notification: _native.Notification,
               persisted: bool,
               with_ack: bool
               ) -> asyncio.Future[None] | None:
        """Tell events; the future is done with their ack, or with the connection."""
        if self.link.group.is_closing:
            return None
        try:
            number = self._machine.notify(notification, persisted, with_ack)
        except ConnectionError:
            return None
        if number is None:
            return None
        self.link.wrote()
        if not with_ack:
            return None
        future = self.link.loop.create_future()
        self._acks[number] = future
        return future

    async def notify_later(self,
                           notification: _native.Notification,
                           persisted: bool,
                           with_ack: bool) -> None:
        """`notify`, once there is room."""
        try:
            await self.link.wait_room()
        except ConnectionError:
            return
        ack = self.notify(notification, persisted, with_ack)
        if ack is not None:
            await ack

    def fail(self) -> None:
        """Nobody acks any more."""
        acks, self._acks = self._acks, {}
        for future in acks.values():
            if not future.done():
                future.set_result(None)

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        queue = self._queue
        for one in incoming:
            if one[0] != ACKED:
                queue.append(one)
                continue
            future = self._acks.pop(one[1], None)
            if future is not None and not future.done():
                future.set_result(None)
        if queue:
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
            if 0 < self._queue_size <= len(queue):
                self.link.pause()

    def _on_over(self, reason: str) -> None:
        self._over = True
        if reason:
            mlog.error("on connection error: %s", reason)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self.fail()
