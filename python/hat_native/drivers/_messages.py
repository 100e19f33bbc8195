"""A connection of whole messages: the queue of those that came, and the rules of receiving and sending."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import typing
from typing import Any

from hat import aio

from hat_native._link import Link
from hat_native._resource import Resource


T = typing.TypeVar('T')


class MessageConnection(Resource, typing.Generic[T]):
    """What the connections of all message protocols have in common.

    Messages that came before the connection closed can still be received; then `receive` raises `ConnectionError`.

    """

    def __init__(self, link: Link, receive_queue_size: int, log: Any):
        self._link = link
        self._machine: Any = link.machine
        self._queue: collections.deque[Any] = collections.deque()
        self._queue_size = receive_queue_size
        self._waiters: collections.deque[asyncio.Future[None]] = collections.deque()
        self._over = False
        self._log = log
        link.attach(self._on_incoming, self._on_over)

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        group: aio.Group = self._link.group
        return group

    @property
    def info(self) -> Any:
        """Connection info"""
        return self._link.info

    async def receive(self) -> T:
        """Receive the next message

        Raises `ConnectionError` once the connection is closed and all that came before was received. Cancelling loses nothing.

        """
        while not self._queue:
            await self._arrival()
        message: T = self._queue.popleft()
        if self._link.read_paused and len(self._queue) < self._queue_size:
            self._link.resume()
        return message

    async def drain(self) -> None:
        """Drain output buffer

        Raises `ConnectionError` where the connection is closing, or closes meanwhile.

        """
        await self._link.drain()

    def _on_incoming(self, incoming: list[Any]) -> None:
        self._queue.extend(incoming)
        self._arrived(len(incoming), len(self._queue))

    async def _arrival(self) -> None:
        """Wait until something may be there."""
        if self._over:
            self._wake()
            raise ConnectionError()
        waiter = self._link.loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            with contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
            if waiter.done() and not waiter.cancelled():
                self._wake()
            raise

    def _arrived(self, count: int, waiting: int) -> None:
        """So many messages have come, and so many wait now."""
        if self._waiters:
            for _ in range(count):
                self._wake()
        if 0 < self._queue_size <= waiting:
            self._link.pause()

    def _on_over(self, reason: str) -> None:
        self._over = True
        if reason:
            self._log.warning('connection closed: %s', reason)
        while self._waiters:
            self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break
