"""Streams over TCP and Unix domain sockets, as `hat.drivers.net`.

Plain bytes need no machine: here it is asyncio alone. Every other driver listens with the `Server` of this module.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable
import enum
import functools
import logging
import pathlib
import ssl
import sys
import typing

from hat import aio

from hat_native import _deployed
from hat_native._link import FLUSH_TIMEOUT, Link, adapter
from hat_native._resource import Resource


mlog: logging.Logger = logging.getLogger('hat.drivers.net.stream')
"""Module logger"""

Bytes: typing.TypeAlias = bytes | bytearray | memoryview

UnixAddress: typing.TypeAlias = pathlib.Path

_values = _deployed.find('hat.drivers.net.stream', 'TcpAddress', 'TcpConnectionInfo', 'UnixConnectionInfo',
                         'TcpServerInfo', 'UnixServerInfo', 'StreamType')

if typing.TYPE_CHECKING or _values is None:

    class TcpAddress(typing.NamedTuple):
        """Host and port."""
        host: str
        port: int

    class TcpConnectionInfo(typing.NamedTuple):
        """A TCP connection."""
        name: str | None
        local_addr: TcpAddress
        remote_addr: TcpAddress

    class UnixConnectionInfo(typing.NamedTuple):
        """A connection over a Unix domain socket."""
        name: str | None
        addr: UnixAddress

    class TcpServerInfo(typing.NamedTuple):
        """A TCP server."""
        name: str | None
        addresses: list[TcpAddress]

    class UnixServerInfo(typing.NamedTuple):
        """A server on a Unix domain socket."""
        name: str | None
        addresses: list[UnixAddress]

    class StreamType(enum.Enum):
        """Kind of socket."""
        TCP = 0
        UNIX = 1

else:
    (TcpAddress, TcpConnectionInfo, UnixConnectionInfo,
     TcpServerInfo, UnixServerInfo, StreamType) = _values


StreamAddress: typing.TypeAlias = TcpAddress | UnixAddress

ConnectionInfo: typing.TypeAlias = TcpConnectionInfo | UnixConnectionInfo

ServerInfo: typing.TypeAlias = TcpServerInfo | UnixServerInfo

ConnectionCb: typing.TypeAlias = aio.AsyncCallable[['Connection'], None]
"""Connection callback"""


def connection_info_to_json(info: ConnectionInfo) -> typing.Any:
    """Connection info as JSON data."""
    if isinstance(info, TcpConnectionInfo):
        return {'name': info.name,
                'local_addr': _address_to_json(info.local_addr),
                'remote_addr': _address_to_json(info.remote_addr)}

    if isinstance(info, UnixConnectionInfo):
        return {'name': info.name,
                'addr': str(info.addr)}

    raise TypeError('unsupported info type')


def server_info_to_json(info: ServerInfo) -> typing.Any:
    """Server info as JSON data."""
    if isinstance(info, TcpServerInfo):
        return {'name': info.name,
                'addresses': [_address_to_json(i) for i in info.addresses]}

    if isinstance(info, UnixServerInfo):
        return {'name': info.name,
                'addresses': [str(i) for i in info.addresses]}

    raise TypeError('unsupported info type')


async def connect(addr: StreamAddress,
                  *,
                  name: str | None = None,
                  input_buffer_limit: int = 64 * 1024,
                  **kwargs: typing.Any
                  ) -> Connection:
    """Create TCP or Unix Domain Socket connection

    Argument `addr` is the address of a listening server, `name` stands in `Connection.info`.

    Raises `OSError` where there is no connection, and `TypeError` where `addr` is no address. Cancelling leaves nothing behind.

    With more than `input_buffer_limit` bytes that nobody reads, receiving is paused. ``0`` is no limit.

    Additional arguments are passed to `asyncio.loop.create_connection` or
    `asyncio.loop.create_unix_connection`.

    """
    protocol: _Protocol = await create_connection(
        lambda: _Protocol(stream_type(addr), name, input_buffer_limit, None), addr, kwargs)
    return protocol.connection


async def listen(connection_cb: ConnectionCb,
                 addr: StreamAddress,
                 *,
                 name: str | None = None,
                 bind_connections: bool = False,
                 input_buffer_limit: int = 64 * 1024,
                 **kwargs: typing.Any
                 ) -> Server:
    """Create listening TCP or Unix Domain Socket server

    Argument `name` stands in `Server.info`, and in the info of the server's connections.

    Raises `OSError` where the address is taken, and `TypeError` where it is no address.

    If `bind_connections` is ``True``, closing the server closes its open connections.

    Argument `input_buffer_limit` is that of `connect`, for the server's connections.

    Additional arguments are passed to `asyncio.loop.create_server` or
    `asyncio.loop.create_unix_server`.

    """
    server = Server(connection_cb, bind_connections)

    def create_protocol() -> _Protocol:
        return _Protocol(stream_type(addr), name, input_buffer_limit,
                         lambda protocol: server.take(protocol.connection))

    await server.start(create_protocol, addr, name, kwargs)
    return server


class Server(Resource):
    """TCP or Unix Domain Socket listening server

    For creation of new instance see `listen` coroutine.

    Closing server will cancel all running `connection_cb` coroutines.

    """

    def __init__(self,
                 connection_cb: aio.AsyncCallable[[typing.Any], None],
                 bind_connections: bool,
                 log: logging.Logger = mlog,
                 kind: str = ''):
        self._connection_cb = connection_cb
        self._bind_connections = bind_connections
        self._async_group = aio.Group()
        self._log: typing.Any = log
        self._kind = kind
        self._info: typing.Any = None
        self._srv: typing.Any = None

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        return self._async_group

    @property
    def info(self) -> ServerInfo:
        """Server info"""
        info: ServerInfo = self._info
        return info

    @property
    def addresses(self) -> list[typing.Any]:
        """Addresses that the server listens on, as in ``info.addresses``."""
        addresses: list[typing.Any] = self._info.addresses
        return addresses

    async def start(self,
                    create_protocol: Callable[[], asyncio.BaseProtocol],
                    addr: typing.Any,
                    name: str | None,
                    kwargs: dict[str, typing.Any]) -> None:
        """Listen. For the drivers of this package."""
        loop = asyncio.get_running_loop()
        kind = stream_type(addr)
        # asyncio forgets a server that serves already where its creation is cancelled
        serves = kwargs.pop('start_serving', True)
        if kind is StreamType.TCP:
            self._srv = await loop.create_server(create_protocol, addr.host, addr.port, start_serving=False, **kwargs)
        else:
            self._srv = await loop.create_unix_server(create_protocol, addr, start_serving=False, **kwargs)
        self.async_group.spawn(aio.call_on_cancel, self._on_close)
        try:
            if serves:
                await self._srv.start_serving()
            self._info = _server_info(kind, name, self._srv)
            meta = self._kind or ('TcpServer' if kind is StreamType.TCP else 'UnixServer')
            self._log = adapter(self._log, meta, server_info_to_json(self._info))
        except BaseException:
            await aio.uncancellable(self.async_close())
            raise
        self._log.debug('listening for incomming connections')

    def take(self, conn: typing.Any) -> None:
        """A connection was made. For the drivers of this package."""
        self.async_group.spawn(self._on_connection, conn)

    async def _on_close(self) -> None:
        self._srv.close()
        # as the deployed module: from 3.12 on this waits for connections, which may be somebody
        # else's
        if self._bind_connections or sys.version_info[:2] < (3, 12):
            await self._srv.wait_closed()

    async def _on_connection(self, conn: typing.Any) -> None:
        self._log.debug('new incomming connection')
        mine = True
        try:
            await aio.call(self._connection_cb, conn)
            if self._bind_connections:
                await conn.wait_closing()
            else:
                mine = False
        except Exception as e:
            self._log.warning('connection callback error: %s', e, exc_info=e)
        finally:
            if mine:
                await aio.uncancellable(conn.async_close())


class Connection(Resource):
    """TCP or Unix Domain Socket connection"""

    def __init__(self, protocol: _Protocol):
        self._protocol = protocol
        self._async_group = aio.Group()
        self._async_group.spawn(aio.call_on_cancel, protocol.async_close)

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        return self._async_group

    @property
    def info(self) -> ConnectionInfo:
        """Connection info"""
        info: ConnectionInfo = self._protocol.info
        return info

    @property
    def ssl_object(self) -> ssl.SSLObject | ssl.SSLSocket | None:
        """SSL Object"""
        ssl_object: ssl.SSLObject | ssl.SSLSocket | None = self._protocol.ssl_object
        return ssl_object

    async def write(self, data: Bytes) -> None:
        """Write data

        This coroutine will wait until `data` can be added to output buffer.

        Raises `ConnectionError` where the connection is closing, and where it closes meanwhile.

        """
        if not self.is_open:
            raise ConnectionError()

        await self._protocol.write(data)

    async def drain(self) -> None:
        """Wait until the transport has taken what was written, as far as its limit of 64 KiB

        Never raises: where the connection closes, the wait is over.

        """
        await self._protocol.drain()

    async def read(self, n: int = -1) -> Bytes:
        """Read up to `n` bytes

        If EOF is detected and no new bytes are available, `ConnectionError` is raised.

        """
        return await self._protocol.read(n, False)

    async def readexactly(self, n: int) -> Bytes:
        """Read exactly `n` bytes

        If exact number of bytes could not be read, `ConnectionError` is raised.

        """
        return await self._protocol.read(n, True)

    def clear_input_buffer(self) -> int:
        """Clear input buffer

        Returns number of bytes cleared from buffer.

        """
        return self._protocol.clear_input_buffer()


class _Reader(typing.NamedTuple):
    """Who waits for bytes."""
    n: int
    exact: bool
    future: asyncio.Future[Bytes]


class _Protocol(asyncio.Protocol):

    def __init__(self,
                 kind: StreamType,
                 name: str | None,
                 input_buffer_limit: int,
                 on_made: Callable[[_Protocol], None] | None):
        self._kind = kind
        self._name = name
        self._limit = input_buffer_limit
        self._on_made = on_made
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._readers: collections.deque[_Reader] = collections.deque()
        self._writers: collections.deque[tuple[Bytes, asyncio.Future[None]]] = collections.deque()
        self._drains: list[asyncio.Future[None]] = []
        self._transport: asyncio.Transport | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._ended = False
        self._abandoned = False
        self._write_paused = False
        self._log: typing.Any = mlog
        self.info: typing.Any = None
        self.ssl_object: typing.Any = None
        self.connection: Connection = None  # type: ignore[assignment]

    def abandon(self) -> None:
        """Nobody will use it: its transport goes, at the latest when it comes."""
        self._abandoned = True
        if self._transport is not None:
            self._transport.abort()
            # uvloop does not say that it has closed what it forgot, and holds it
            self._transport.set_protocol(asyncio.Protocol())
            self._loop.call_soon(self.connection_lost, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        if self._abandoned:
            self._transport.abort()  # type: ignore[union-attr]
            return
        try:
            self.info = connection_info(self._kind, self._name, transport)
            self.ssl_object = transport.get_extra_info('ssl_object')
            self._log = _communication_log(self.info)
            self._log.debug('open')
            self.connection = Connection(self)
            if self._on_made is not None:
                self._on_made(self)
        except Exception:
            transport.abort()  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lost.done():
            return
        self._transport = None
        self._write_paused = False
        self.eof_received()
        for _, writer in self._writers:
            if not writer.done():
                writer.set_exception(ConnectionError())
        self._writers.clear()
        self._drained()
        if not self._lost.done():
            self._lost.set_result(None)
        if self.connection is not None:
            self.connection.close()
        self._log.debug('close')

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        while self._writers and not self._write_paused:
            data, writer = self._writers.popleft()
            if writer.done():
                continue
            self._write(data)
            writer.set_result(None)
        if not self._write_paused:
            self._drained()

    def data_received(self, data: bytes) -> None:
        if self._log.isEnabledFor(logging.DEBUG):
            self._log.debug('receive (%s)', data.hex(' '))
        self._buffer += data
        self._serve()

    def eof_received(self) -> bool | None:
        self._ended = True
        self._serve()
        while self._readers:
            reader = self._readers.popleft()
            if not reader.future.done():
                reader.future.set_exception(ConnectionError())
        return None

    async def write(self, data: Bytes) -> None:
        if self._transport is None:
            raise ConnectionError()
        if not self._write_paused:
            self._write(data)
            return
        future = self._loop.create_future()
        self._writers.append((data, future))
        await future

    async def drain(self) -> None:
        if not self._write_paused:
            return
        future = self._loop.create_future()
        self._drains.append(future)
        await future

    async def read(self, n: int, exact: bool) -> Bytes:
        if n == 0:
            return b''
        if not self._readers and self._has(n, exact):
            data = self._take(n)
            self._settle()
            return data
        if self._ended:
            raise ConnectionError()
        reader = _Reader(n, exact, self._loop.create_future())
        self._readers.append(reader)
        self._settle()
        try:
            return await reader.future
        except asyncio.CancelledError:
            future = reader.future
            if future.done() and not future.cancelled() and future.exception() is None:
                # nobody has what was already taken: it goes back to the front
                self._buffer[:0] = future.result()
            elif reader in self._readers:
                self._readers.remove(reader)
            self._serve()
            raise

    def clear_input_buffer(self) -> int:
        count = len(self._buffer)
        self._buffer.clear()
        self._settle()
        return count

    async def async_close(self) -> None:
        if self._transport is None:
            return
        transport = self._transport
        transport.close()
        abort = self._loop.call_later(FLUSH_TIMEOUT, transport.abort)
        try:
            await aio.uncancellable(self._lost, raise_cancel=False)
        finally:
            abort.cancel()

    def _write(self, data: Bytes) -> None:
        if self._log.isEnabledFor(logging.DEBUG):
            self._log.debug('send (%s)', data.hex(' '))
        assert self._transport is not None
        self._transport.write(data)

    def _drained(self) -> None:
        drains, self._drains = self._drains, []
        for future in drains:
            if not future.done():
                future.set_result(None)

    def _has(self, n: int, exact: bool) -> bool:
        return 0 <= n <= len(self._buffer) if exact else bool(self._buffer)

    def _take(self, n: int) -> bytes:
        if n < 0 or n >= len(self._buffer):
            data, self._buffer = bytes(self._buffer), bytearray()
            return data
        with memoryview(self._buffer) as view:
            data = bytes(view[:n])
        del self._buffer[:n]
        return data

    def _serve(self) -> None:
        while self._readers:
            reader = self._readers[0]
            if reader.future.done():
                self._readers.popleft()
            elif self._has(reader.n, reader.exact):
                self._readers.popleft()
                reader.future.set_result(self._take(reader.n))
            else:
                break
        self._settle()

    def _settle(self) -> None:
        """Receive, or do not, by what lies in the buffer."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if 0 < self._limit < len(self._buffer) and not self._readers:
            transport.pause_reading()
        else:
            transport.resume_reading()


async def create_connection(create_protocol: Callable[[], typing.Any],
                            addr: StreamAddress,
                            kwargs: dict[str, typing.Any]) -> typing.Any:
    """Connect to `addr`. For the drivers of this package: the protocol that it returns has an `info`."""
    loop = asyncio.get_running_loop()
    made: list[typing.Any] = []

    def create() -> typing.Any:
        made.append(create_protocol())
        return made[-1]

    try:
        if stream_type(addr) is StreamType.TCP:
            await loop.create_connection(create, addr.host, addr.port, **kwargs)  # type: ignore[union-attr]
        else:
            await loop.create_unix_connection(create, addr, **kwargs)  # type: ignore[arg-type]
    except BaseException:
        # cancelled at the wrong moment, a loop may have made a connection that it forgets
        while made:
            made.pop().abandon()
        raise
    protocol = made.pop()
    if protocol.info is None:
        # of a peer that resets before there is a transport, the system does not know who it was
        protocol.abandon()
        raise ConnectionError('the connection was lost as soon as it was made')
    return protocol


def stream_type(addr: StreamAddress) -> StreamType:
    """Which kind of socket `addr` is of."""
    if isinstance(addr, TcpAddress):
        return StreamType.TCP
    if isinstance(addr, UnixAddress):
        return StreamType.UNIX
    raise TypeError('unsupported address type')


def connection_info(kind: StreamType,
                    name: str | None,
                    transport: asyncio.BaseTransport) -> ConnectionInfo:
    """The info of a transport."""
    sockname = transport.get_extra_info('sockname')
    peername = transport.get_extra_info('peername')
    if kind is StreamType.TCP:
        return TcpConnectionInfo(name=name,
                                 local_addr=TcpAddress(sockname[0], sockname[1]),
                                 remote_addr=TcpAddress(peername[0], peername[1]))
    if not sockname and not peername:
        raise Exception('unknown address')
    return UnixConnectionInfo(name=name, addr=pathlib.Path(sockname or peername))


def link(machine: typing.Any, addr: StreamAddress, name: str | None, **kwargs: typing.Any) -> Link:
    """A `Link` to or at `addr`, whose info and log of communication are those of a `Connection`."""
    info = functools.partial(connection_info, stream_type(addr), name)
    return Link(machine, info=info, log=_communication_log, **kwargs)


def _communication_log(info: ConnectionInfo) -> logging.LoggerAdapter[logging.Logger]:
    kind = 'TcpConnection' if isinstance(info, TcpConnectionInfo) else 'UnixConnection'
    return adapter(mlog, kind, {**connection_info_to_json(info), 'communication': True})


def _server_info(kind: StreamType, name: str | None, srv: typing.Any) -> ServerInfo:
    socknames = [socket.getsockname() for socket in srv.sockets]
    if kind is StreamType.TCP:
        return TcpServerInfo(name=name, addresses=[TcpAddress(*i[:2]) for i in socknames])
    return UnixServerInfo(name=name, addresses=[pathlib.Path(i) for i in socknames])


def _address_to_json(addr: TcpAddress) -> dict[str, typing.Any]:
    return {'host': addr.host, 'port': addr.port}


# datagrams have no connection and no protocol of Hat: they are the deployed module's own

__all__ = ['UnixAddress', 'TcpAddress', 'StreamAddress', 'TcpConnectionInfo', 'UnixConnectionInfo',
           'TcpServerInfo', 'UnixServerInfo', 'ConnectionInfo', 'ServerInfo', 'StreamType', 'ConnectionCb',
           'connection_info_to_json', 'server_info_to_json', 'connect', 'listen', 'Server', 'Connection']

_datagram = ('UdpAddress', 'DatagramAddress', 'UdpEndpointInfo', 'UnixEndpointInfo', 'EndpointInfo', 'DatagramType',
             'endpoint_info_to_json', 'create_endpoint', 'Endpoint')

_found = _deployed.find('hat.drivers.net.datagram', *(i for i in _datagram if i != 'DatagramAddress'))

if _found is not None:
    globals().update(zip((i for i in _datagram if i != 'DatagramAddress'), _found))
    DatagramAddress = _deployed.find('hat.drivers.net.datagram', 'DatagramAddress')[0]  # type: ignore[index]
    __all__ += list(_datagram)
