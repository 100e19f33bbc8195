"""WebSockets whose handshake is aiohttp's and whose frames are the machine's."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any
import asyncio

from hat import aio

from hat_native._link import Link

import aiohttp
import aiohttp.hdrs
import aiohttp.web


LINGER = 1.0
"""Seconds that a WebSocket which we close waits for the peer's Close"""

_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'


def seed() -> int:
    """Where the masks of a connection come from."""
    return int.from_bytes(os.urandom(8), 'big')


class WebSocketLink(Link):
    """A `Link` that takes a transport over from aiohttp."""

    def __init__(self,
                 machine: Any,
                 *,
                 group: aio.Group,
                 send_queue_size: int):
        super().__init__(machine, info=lambda _: None, send_queue_size=send_queue_size, group=group, linger=LINGER)
        self._before: Any = None

    def take_over(self, transport: asyncio.Transport, before: Any, tail: bytes) -> None:
        """Take `transport` over from the protocol `before`, which has read `tail` already."""
        self._before = before
        transport.set_protocol(self)
        self.connection_made(transport)
        if transport.is_closing():
            self.connection_lost(None)
            return
        self._settle_reading()
        if tail:
            self.feed(tail)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        before, self._before = self._before, None
        if before is not None:
            # what else it does at the end of a connection is its own
            before.connection_lost(exc)


class _Tail:
    """Collects what came behind the handshake, in the place of a parser of aiohttp."""

    def __init__(self) -> None:
        self.data = b''

    def feed_data(self, data: bytes, *args: Any) -> tuple[bool, bytes]:
        self.data += data
        return False, b''

    def feed_eof(self) -> None:
        pass

    def set_exception(self, *args: Any) -> None:
        pass


async def connect(session: aiohttp.ClientSession,
                  address: str,
                  **kwargs: Any) -> tuple[aiohttp.ClientResponse, asyncio.Transport, Any, bytes]:
    """The client's handshake

    Returns the response, which must be kept, the transport, its protocol, and what came behind the handshake. Raises what
    `aiohttp.ClientSession.ws_connect` raises.

    """
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {aiohttp.hdrs.UPGRADE: 'websocket',
               aiohttp.hdrs.CONNECTION: 'Upgrade',
               aiohttp.hdrs.SEC_WEBSOCKET_VERSION: '13',
               aiohttp.hdrs.SEC_WEBSOCKET_KEY: key}
    response = await session.get(address, headers=headers, read_until_eof=False, **kwargs)
    try:
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        fault = None
        if response.status != 101:
            fault = 'Invalid response status'
        elif response.headers.get(aiohttp.hdrs.UPGRADE, '').lower() != 'websocket':
            fault = 'Invalid upgrade header'
        elif response.headers.get(aiohttp.hdrs.CONNECTION, '').lower() != 'upgrade':
            fault = 'Invalid connection header'
        elif response.headers.get(aiohttp.hdrs.SEC_WEBSOCKET_ACCEPT, '') != accept:
            fault = 'Invalid challenge response'
        if fault is not None:
            raise aiohttp.WSServerHandshakeError(response.request_info, response.history, message=fault,
                                                 status=response.status, headers=response.headers)
        connection = response.connection
        if connection is None or connection.protocol is None or connection.transport is None:
            raise aiohttp.ServerDisconnectedError()
        tail = _Tail()
        connection.protocol.set_parser(tail, tail)
        return response, connection.transport, connection.protocol, tail.data
    except BaseException:
        response.close()
        raise


async def accept(request: aiohttp.web.Request) -> tuple[aiohttp.web.WebSocketResponse, asyncio.Transport, Any, bytes]:
    """The server's handshake

    Returns the response, the transport, its protocol, and what came behind the handshake.

    """
    # compressed messages are not the machine's
    response = aiohttp.web.WebSocketResponse(compress=False)
    await response.prepare(request)
    transport = request.transport
    if transport is None:
        raise ConnectionError()
    # a client sends nothing before it has read the response, which was written in this turn of the
    # loop
    return response, transport, request.protocol, b''
