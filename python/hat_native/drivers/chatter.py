"""Chatter communication protocol, as `hat.drivers.chatter`."""

from __future__ import annotations

import asyncio
import logging
import typing

from hat import aio

from hat_native import _deployed
from hat_native import _native
from hat_native._link import Link, adapter
from hat_native.drivers import net
from hat_native.drivers._messages import MessageConnection


mlog: logging.Logger = logging.getLogger('hat.drivers.chatter')
"""Module logger"""

ConnectionCb: typing.TypeAlias = aio.AsyncCallable[['Connection'], None]
"""Connection callback"""

_values = _deployed.find('hat.drivers.chatter', 'Data', 'Conversation', 'Msg')

if typing.TYPE_CHECKING or _values is None:

    class Data(typing.NamedTuple):
        """What a message carries."""
        type: str
        data: net.Bytes

    class Conversation(typing.NamedTuple):
        """The name of a conversation, as this side sees it."""
        owner: bool
        first_id: int

    class Msg(typing.NamedTuple):
        """A message as received."""
        data: Data
        conv: Conversation
        first: bool
        last: bool
        token: bool

    _deployed.adopt('hat.drivers.chatter', Data, Conversation, Msg)

else:
    Data, Conversation, Msg = _values


async def connect(addr: net.StreamAddress,
                  *,
                  ping_delay: float | None = 20,
                  ping_timeout: float = 20,
                  receive_queue_size: int = 1024,
                  send_queue_size: int = 1024,
                  **kwargs: typing.Any
                  ) -> Connection:
    """Connect to remote server

    Argument `addr` specifies remote server listening address.

    After `ping_delay` seconds of silence a ping is sent; the connection is closed when then nothing comes within `ping_timeout`
    seconds. If `ping_delay` is ``None`` or 0, ping requests are not sent.

    With `receive_queue_size` messages that nobody takes, receiving is paused; with `send_queue_size` that the peer does not take, `send`
    waits. ``0`` is no limit.

    Raises `OSError` where there is no connection. Cancelling leaves nothing behind.

    Additional arguments are those of `hat_native.drivers.net.connect`.

    """
    link = await _connect(addr, ping_delay, ping_timeout, send_queue_size, kwargs)
    return Connection(link, receive_queue_size)


async def listen(connection_cb: ConnectionCb,
                 addr: net.StreamAddress,
                 *,
                 ping_delay: float | None = 20,
                 ping_timeout: float = 20,
                 receive_queue_size: int = 1024,
                 send_queue_size: int = 1024,
                 bind_connections: bool = True,
                 **kwargs: typing.Any
                 ) -> net.Server:
    """Create listening server.

    Argument `addr` specifies local server listening address. The other arguments are those of `connect`.

    `connection_cb` is called with each connection, which is closed where it raises. Raises `OSError` where the address is taken.

    If `bind_connections` is ``True``, closing the server closes its open connections.

    Additional arguments are those of `hat_native.drivers.net.listen`.

    """
    server = net.Server(connection_cb, bind_connections, mlog, 'ChatterServer')
    name = pop_name(kwargs)

    def create_protocol() -> Link:
        machine = create_machine(ping_delay, ping_timeout)
        return net.link(machine, addr, name, send_queue_size=send_queue_size,
                        on_made=lambda link: server.take(Connection(link, receive_queue_size)))

    await server.start(create_protocol, addr, name, kwargs)
    return server


class Connection(MessageConnection[Msg]):
    """Single connection

    For creating new connection see `connect` coroutine.

    """

    def __init__(self, link: Link, receive_queue_size: int):
        super().__init__(link, receive_queue_size, _log(link.info))

    @property
    def info(self) -> net.ConnectionInfo:
        """Connection info"""
        info: net.ConnectionInfo = self._link.info
        return info

    async def receive(self) -> Msg:
        """Receive the next message

        Raises `ConnectionError` once the connection is closed and all that came before was received. Cancelling loses nothing.

        """
        # it is made when it is taken: those that wait are nothing that Python's collector must look
        # at
        machine = self._machine
        while (message := machine.pop()) is None:
            await self._arrival()
        if self._link.read_paused and machine.waiting < self._queue_size:
            self._link.resume()
        received: Msg = message
        return received

    async def send(self,
                   data: Data,
                   *,
                   conv: Conversation | None = None,
                   last: bool = True,
                   token: bool = True
                   ) -> Conversation:
        """Send message

        If `conv` is ``None``, new conversation is created.

        Waits while the peer takes nothing and `send_queue_size` messages wait. Raises `ConnectionError` where the connection is
        closing, or closes meanwhile. Cancelling while it waits sends nothing.

        """
        link = self._link
        if link.group.is_closing:
            raise ConnectionError()
        if link.write_paused and link.is_full:
            await link.wait_room()
        sent: Conversation = self._machine.send(data.type, data.data, conv or None, last, token)
        link.wrote(len(data.data))
        return sent

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        self._arrived(len(incoming), self._machine.waiting)


def create_machine(ping_delay: float | None, ping_timeout: float | None) -> _native.Chatter:
    """The machine of one connection."""
    now = asyncio.get_running_loop().time()
    return _native.Chatter((Msg, Data, Conversation), now, delay=ping_delay, timeout=ping_timeout)


def pop_name(kwargs: dict[str, typing.Any]) -> str | None:
    """Take those arguments that are of `net`, and not of asyncio."""
    kwargs.pop('input_buffer_limit', None)  # a message is taken off as soon as it is here
    name: str | None = kwargs.pop('name', None)
    return name


async def _connect(addr: net.StreamAddress,
                   ping_delay: float | None,
                   ping_timeout: float,
                   send_queue_size: int,
                   kwargs: dict[str, typing.Any]) -> Link:
    name = pop_name(kwargs)


    def create_protocol() -> Link:
        machine = create_machine(ping_delay, ping_timeout)
        return net.link(machine, addr, name, send_queue_size=send_queue_size)

    link: Link = await net.create_connection(create_protocol, addr, kwargs)
    return link


def _log(info: typing.Any) -> typing.Any:
    return adapter(mlog, 'ChatterConnection', net.connection_info_to_json(info))
