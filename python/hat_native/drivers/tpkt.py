"""Transport Service on top of TCP, as `hat.drivers.tpkt`."""

from __future__ import annotations

import contextlib
import logging
import typing

from hat import aio

from hat_native import _native
from hat_native._link import Link, adapter
from hat_native.drivers import net
from hat_native.drivers._messages import MessageConnection
from hat_native.drivers.chatter import pop_name


mlog: logging.Logger = logging.getLogger('hat.drivers.tpkt')
"""Module logger"""

ConnectionCb: typing.TypeAlias = aio.AsyncCallable[['Connection'], None]
"""Connection callback"""


async def connect(addr: net.StreamAddress,
                  *,
                  tpkt_receive_queue_size: int = 1024,
                  **kwargs: typing.Any
                  ) -> Connection:
    """Create new TPKT connection

    With `tpkt_receive_queue_size` messages that nobody takes, receiving is paused. ``0`` is no limit.

    Raises `OSError` where there is no connection. Cancelling leaves nothing behind.

    Additional arguments are those of `hat_native.drivers.net.connect`.

    """
    name = pop_name(kwargs)

    def create_protocol() -> Link:
        return net.link(_native.Tpkt(), addr, name, send_queue_size=0)

    link = await net.create_connection(create_protocol, addr, kwargs)
    return Connection(link, tpkt_receive_queue_size)


async def listen(connection_cb: ConnectionCb,
                 addr: net.StreamAddress = net.TcpAddress('0.0.0.0', 102),
                 *,
                 tpkt_receive_queue_size: int = 1024,
                 **kwargs: typing.Any
                 ) -> Server:
    """Create new TPKT listening server

    `connection_cb` is called with each connection, which is closed where it raises. Raises `OSError` where the address is taken.

    Additional arguments are those of `hat_native.drivers.net.listen`.

    """
    bind_connections = kwargs.pop('bind_connections', False)
    server = Server(connection_cb, bind_connections, mlog, 'TpktServer')
    name = pop_name(kwargs)

    def create_protocol() -> Link:
        return net.link(_native.Tpkt(), addr, name, send_queue_size=0,
                        on_made=lambda link: server.take(Connection(link, tpkt_receive_queue_size)))

    await server.start(create_protocol, addr, name, kwargs)
    return server


class Server(net.Server):
    """TPKT listening server

    For creation of new instance see `listen` coroutine.

    """


class Connection(MessageConnection[bytes]):
    """TPKT connection"""

    def __init__(self, link: Link, receive_queue_size: int):
        log = adapter(mlog, 'TpktConnection', net.connection_info_to_json(link.info))
        super().__init__(link, receive_queue_size, log)

    @property
    def info(self) -> net.ConnectionInfo:
        """Connection info"""
        info: net.ConnectionInfo = self._link.info
        return info

    async def drain(self) -> None:
        """Drain output buffer

        Never raises: where the connection closes, the wait is over.

        """
        with contextlib.suppress(ConnectionError):
            await super().drain()

    async def send(self, data: net.Bytes) -> None:
        """Send data, 3 to 65531 bytes

        Waits while the peer takes nothing. Raises `ValueError` where `data` does not fit a packet, and `ConnectionError` where
        the connection is closing, or closes meanwhile.

        """
        if len(data) > 0xFFFB:
            raise ValueError('data length greater than 0xFFFB')
        if len(data) < 3:
            raise ValueError('data length less than 3')

        link = self._link
        if link.group.is_closing:
            raise ConnectionError()
        if link.write_paused:
            await link.wait_writable()
        self._machine.send(data)
        link.wrote(len(data))
