"""Connection oriented transport protocol, as `hat.drivers.cotp`."""

from __future__ import annotations

import asyncio
import itertools
import logging
import typing

from hat import aio

from hat_native import _deployed
from hat_native import _native
from hat_native._link import Link, adapter
from hat_native._resource import Resource
from hat_native.drivers import net
from hat_native.drivers._messages import MessageConnection
from hat_native.drivers.chatter import pop_name


mlog: logging.Logger = logging.getLogger('hat.drivers.cotp.connection')
"""Module logger"""

_references = itertools.cycle(range(1, 0x10000))

_values = _deployed.find('hat.drivers.cotp.connection', 'TcpConnectionInfo', 'UnixConnectionInfo')

if typing.TYPE_CHECKING or _values is None:

    class TcpConnectionInfo(typing.NamedTuple):
        """A connection over TCP."""
        name: str | None
        local_addr: net.TcpAddress
        local_tsel: int | None
        remote_addr: net.TcpAddress
        remote_tsel: int | None

    class UnixConnectionInfo(typing.NamedTuple):
        """A connection over a Unix domain socket."""
        name: str | None
        addr: net.UnixAddress
        local_tsel: int | None
        remote_tsel: int | None

else:
    TcpConnectionInfo, UnixConnectionInfo = _values


ConnectionInfo: typing.TypeAlias = TcpConnectionInfo | UnixConnectionInfo

ConnectionCb: typing.TypeAlias = aio.AsyncCallable[['Connection'], None]
"""Connection callback"""


async def connect(addr: net.StreamAddress,
                  *,
                  local_tsel: int | None = None,
                  remote_tsel: int | None = None,
                  cotp_receive_queue_size: int = 1024,
                  cotp_send_queue_size: int = 1024,
                  **kwargs: typing.Any
                  ) -> Connection:
    """Create new COTP connection

    Selectors are numbers of 16 bits. A peer that has not answered after 60 seconds is given up.

    With `cotp_receive_queue_size` messages that nobody takes, receiving is paused; with `cotp_send_queue_size` that the peer does not take,
    `send` waits. ``0`` is no limit.

    Raises `OSError` where there is no connection, also where the peer ends it during the handshake, which is a `ConnectionError`; `Exception`
    where the peer refuses, is silent, or answers what is no answer; and `OverflowError` where a selector has more than 16 bits. Cancelling
    leaves nothing behind.

    Additional arguments are those of `hat_native.drivers.net.connect`; `tpkt_receive_queue_size` is taken and means nothing, as packets
    do not wait.

    """
    name = _pop_name(kwargs)

    def create_protocol() -> Link:
        machine = _native.Cotp(asyncio.get_running_loop().time(), next(_references), True, local_tsel, remote_tsel)
        return net.link(machine, addr, name, send_queue_size=cotp_send_queue_size)

    link = await net.create_connection(create_protocol, addr, kwargs)
    try:
        return await _established(link, cotp_receive_queue_size)
    except BaseException:
        await aio.uncancellable(link.group.async_close())
        raise


async def listen(connection_cb: ConnectionCb,
                 addr: net.StreamAddress = net.TcpAddress('0.0.0.0', 102),
                 *,
                 cotp_receive_queue_size: int = 1024,
                 cotp_send_queue_size: int = 1024,
                 **kwargs: typing.Any
                 ) -> Server:
    """Create new COTP listening server

    `connection_cb` is called with each connection once its peer has been answered; where it raises, the connection is closed.

    Raises `OSError` where the address is taken.

    Additional arguments are those of `hat_native.drivers.net.listen`.

    """
    bind_connections = kwargs.pop('bind_connections', False)
    server = Server(connection_cb, bind_connections, cotp_receive_queue_size)
    name = _pop_name(kwargs)

    def create_protocol() -> Link:
        machine = _native.Cotp(asyncio.get_running_loop().time(), next(_references), False)
        return net.link(machine, addr, name, send_queue_size=cotp_send_queue_size,
                        on_made=lambda link: server.take(_Waiting(link)))

    await server.start(create_protocol, addr, name, kwargs)
    return server


class Server(net.Server):
    """COTP listening server

    For creation of new instance see `listen` coroutine.

    """

    def __init__(self, connection_cb: ConnectionCb, bind_connections: bool, receive_queue_size: int):
        super().__init__(self._on_link, bind_connections, mlog, 'CotpServer')
        self._cotp_connection_cb = connection_cb
        self._receive_queue_size = receive_queue_size

    async def _on_link(self, waiting: _Waiting) -> None:
        link = waiting.link
        try:
            conn = await _established(link, self._receive_queue_size)
            await aio.call(self._cotp_connection_cb, conn)
        except Exception as e:
            self._log.error('error creating new incomming connection: %s', e, exc_info=e)
            await aio.uncancellable(link.group.async_close())


class _Waiting(Resource):
    """A connection before the request"""

    def __init__(self, link: Link):
        self.link = link

    @property
    def async_group(self) -> aio.Group:
        group: aio.Group = self.link.group
        return group


class Connection(MessageConnection[bytes]):
    """COTP connection

    For creation of new instance see `connect` or `listen`.

    """

    def __init__(self,
                 link: Link,
                 local_tsel: int | None,
                 remote_tsel: int | None,
                 receive_queue_size: int):
        info = link.info
        if isinstance(info, net.TcpConnectionInfo):
            self._info: ConnectionInfo = TcpConnectionInfo(
                name=info.name, local_addr=info.local_addr, local_tsel=local_tsel,
                remote_addr=info.remote_addr, remote_tsel=remote_tsel)
        else:
            self._info = UnixConnectionInfo(
                name=info.name, addr=info.addr, local_tsel=local_tsel, remote_tsel=remote_tsel)
        log = adapter(mlog, 'CotpConnection',
                      {**net.connection_info_to_json(info), 'local_tsel': local_tsel, 'remote_tsel': remote_tsel})
        super().__init__(link, receive_queue_size, log)

    @property
    def info(self) -> ConnectionInfo:
        """Connection info"""
        return self._info

    async def send(self, data: net.Bytes) -> None:
        """Send data, of any length

        Waits while the peer takes nothing and `cotp_send_queue_size` messages wait. Raises `ConnectionError` where the connection
        is closing, or closes meanwhile. No data is no message.

        """
        link = self._link
        if link.group.is_closing:
            raise ConnectionError()
        if link.write_paused and link.is_full:
            await link.wait_room()
        if len(data):
            self._machine.send(data)
            link.wrote(len(data))

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        # None is what the deployed module says nothing of
        super()._on_incoming([i for i in incoming if i is not None] if None in incoming else incoming)


def _pop_name(kwargs: dict[str, typing.Any]) -> str | None:
    kwargs.pop('tpkt_receive_queue_size', None)  # packets become messages as they come
    return pop_name(kwargs)


async def _established(link: Link, receive_queue_size: int) -> Connection:
    """Wait for the end of the handshake."""
    future: asyncio.Future[Connection] = link.loop.create_future()

    def on_incoming(incoming: list[typing.Any]) -> None:
        for index, one in enumerate(incoming):
            if isinstance(one, tuple) and not future.done():
                local_tsel, remote_tsel = one
                conn = Connection(link, local_tsel, remote_tsel, receive_queue_size)
                conn._on_incoming(incoming[index + 1:])
                future.set_result(conn)
                return

    def on_over(reason: str) -> None:
        if not future.done():
            future.set_exception(link.fault(reason))

    link.attach(on_incoming, on_over)
    return await future
