"""What moves bytes between an asyncio transport and a machine.

::

    transport ── buffer_updated ─> machine.feed ──> a list of what came in ──> the handle
              <── write ── once a turn of the loop ── machine.take <── the handle's send
    loop.call_at ──> machine.poll
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable
from typing import Any
import logging
import threading

from hat import aio


WRITE = 1
"""State of a machine: something waits to be written."""
OVER = 2
"""State of a machine: the connection is over."""
ARM = 4
"""State of a machine: the timer must be set anew."""
HELD = 8
"""State of a machine: what has come must wait for something else than bytes."""

FLUSH_TIMEOUT = 10.0
"""Seconds that a connection which closes has for what waits to be written. The deployed modules wait for ever."""

MAX_UNWRITTEN = 16 * 1024 * 1024
"""Bytes that may wait in a machine while the peer takes nothing, beside the limit on messages, if there is one."""

LARGE = 64 * 1024
"""Bytes of a message that is written at once."""

CHUNK = 256 * 1024
"""Bytes that are given to the transport at once: what the system does not take of them, asyncio moves about."""

READ = 256 * 1024
"""Bytes that are read at once, as asyncio does."""

MAX_TURN = 1024 * 1024
"""Bytes that are gathered until the loop's next turn; with more they are written at once."""

MAX_TURN_MESSAGES = 1024
"""Messages that are gathered."""


class ClosedError(ConnectionError, aio.QueueClosedError):
    """The connection closed while a call waited for room.

    It is a `ConnectionError`, as everything is that a closed connection raises, and also a `QueueClosedError`, which the deployed
    modules raise here.

    """


class _Thread(threading.local):
    """What the connections of a thread have in common: the memory that is read into. What it holds is taken before the next read."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(READ))


_thread = _Thread()


class Link(asyncio.BufferedProtocol):
    """One connection: its transport, its machine, its timer and its group.

    `info` is called with the transport; what it returns is the attribute of this name. `create_group` is called once the transport
    is there, for a group that is neither `group` nor one of its own, then `on_made`; `on_incoming` with what a read brought, and
    `on_over` once, when the connection is over, with the reason: empty after an orderly end. `log` is called with the info, for what
    logs the bytes that are read and written.

    """

    def __init__(self,
                 machine: Any,
                 *,
                 info: Callable[[asyncio.BaseTransport], Any],
                 send_queue_size: int,
                 on_made: Callable[[Link], None] | None = None,
                 group: aio.Group | None = None,
                 create_group: Callable[[], aio.Group] | None = None,
                 linger: float = 0,
                 log: Callable[[Any], logging.LoggerAdapter[logging.Logger]] | None = None):
        self.loop = asyncio.get_running_loop()
        self.machine = machine
        self.info: Any = None
        self.ssl_object: Any = None
        self.group: Any = group or aio.Group()
        self.on_incoming: Callable[[list[Any]], None] = self._hold
        self.on_over: Callable[[str], None] = lambda reason: None
        self.transport: asyncio.Transport | None = None
        self.write_paused = False
        self.read_paused = False
        """Whether the program takes nothing"""
        self.held_up = 0
        """`HELD` while the machine is"""
        self._read_held = False
        self._polls = False
        self._going = False
        self._get_info = info
        self._on_made = on_made
        self._create_group = create_group
        self._create_log = log
        self._log: logging.LoggerAdapter[logging.Logger] | None = None
        self._send_queue_size = send_queue_size
        self._held: list[Any] = []
        self._unsent = 0
        self._room: collections.deque[asyncio.Future[None]] = collections.deque()
        self._drains: list[asyncio.Future[None]] = []
        self._flushing = False
        self._prompt = True
        self._timer: asyncio.TimerHandle | None = None
        self._linger = linger
        self._lost: asyncio.Future[None] = self.loop.create_future()
        self._machine_over: asyncio.Future[None] | None = None
        self._is_lost = False
        self._is_over = False
        self._abandoned = False
        self.reason: str | None = None

    def abandon(self) -> None:
        """Nobody will use it: its transport goes, at the latest when it comes."""
        self._abandoned = True
        if self.transport is not None:
            self.transport.abort()
            # uvloop does not say that it has closed what it forgot, and holds it
            self.transport.set_protocol(asyncio.Protocol())
            self.loop.call_soon(self.connection_lost, None)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        if self._abandoned:
            self.transport.abort()  # type: ignore[union-attr]
            return
        try:
            self.info = self._get_info(transport)
            self.ssl_object = transport.get_extra_info('ssl_object')
            if self._create_log is not None:
                self._log = self._create_log(self.info)
                self._log.debug('open')
            if self._create_group is not None:
                self.group = self._create_group()
            self.group.spawn(aio.call_on_cancel, self._shut_down)
            if self._on_made is not None:
                self._on_made(self)
        except Exception:
            self.transport.abort()  # type: ignore[union-attr]
            return
        self.poll()

    def get_buffer(self, sizehint: int) -> memoryview:
        # asyncio would make bytes of 256 KiB for each read, and shorten them
        return _thread.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.feed(_thread.buffer[:nbytes])

    def feed(self, data: bytes | memoryview) -> None:
        """Take what the peer sent."""
        if self._log is not None and self._log.isEnabledFor(logging.DEBUG):
            self._log.debug('receive (%s)', data.hex(' '))
        incoming, state = self.machine.feed(data, self.loop.time())
        # what a program answers to a single message is not gathered: nothing more is expected
        self._prompt = len(incoming) == 1
        if state & self.held_up:
            # not before more comes: most are held up for a moment only, and one that goes meanwhile
            # is seen to go
            self._read_held = True
            self._settle_reading()
        if incoming or state or self.held_up:
            self._apply(incoming, state)

    def eof_received(self) -> bool | None:
        self._apply(*self.machine.eof(self.loop.time()))
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self.write_paused = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_over:
            self._apply(*self.machine.eof(self.loop.time()))
        self._end('')
        if not self._lost.done():
            self._lost.set_result(None)
        if self._machine_over is not None and not self._machine_over.done():
            self._machine_over.set_result(None)
        self.transport = None
        if self._log is not None:
            self._log.debug('close')

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        self.flush()
        if self.write_paused:
            return
        drains, self._drains = self._drains, []
        for future in drains:
            if not future.done():
                future.set_result(None)

    # the handle

    @property
    def is_full(self) -> bool:
        """Whether a message must wait for the peer to take what was sent before."""
        return self.write_paused and 0 < self._send_queue_size and (
            self._send_queue_size <= self._unsent or self.machine.queued >= MAX_UNWRITTEN)

    async def wait_room(self) -> None:
        """Wait until a message may be queued. Senders go in the order in which they came."""
        was_first = False
        while self.is_full:
            if self.group.is_closing:
                raise ClosedError()
            future = self.loop.create_future()
            if was_first:
                self._room.appendleft(future)
            else:
                self._room.append(future)
            try:
                await future
            finally:
                if future.done() and not future.cancelled():
                    self._going = False
                    if self._room:
                        # the next goes also where this one writes nothing: it may be cancelled,
                        # refused, or have nothing to say any more
                        self.loop.call_soon(self._pass_room)
            was_first = True
        if self.group.is_closing:
            raise ClosedError()

    async def wait_writable(self) -> None:
        """Wait until the peer takes something."""
        while self.write_paused and not self.group.is_closing:
            future = self.loop.create_future()
            self._drains.append(future)
            await future
        if self.group.is_closing:
            raise ConnectionError()

    def wrote(self, size: int = 0) -> None:
        """A message was queued

        It is written at once where it answers a single message, and where it or what waits is large; otherwise at the loop's next turn,
        with others.

        """
        self._unsent += 1
        if self._prompt:
            self._prompt = False
            if not self._flushing:
                self.flush()
                return
        if size >= LARGE or not self._unsent & 15:
            self._flush_much(size)
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush_turn)
        if self._room:
            self._pass_room()

    def flush(self) -> None:
        """Write what waits, unless the peer takes nothing."""
        # a transport that closes takes nothing more; uvloop's says so by an exception
        while not self.write_paused and self.transport is not None and not self.transport.is_closing():
            data = self.machine.take(CHUNK)
            if data is None:
                break
            self._unsent = 0
            try:
                self._write(data)
            except RuntimeError:
                # uvloop's, between the end of a connection and `connection_lost`; asyncio's drops
                # it
                break
        if self.held_up and not self.write_paused and not self._polls:
            # what was written may have held up what is here; not at once, as this may be called
            # out of what came
            self._polls = True
            self.loop.call_soon(self._poll_turn)
        if self._room:
            self._pass_room()

    async def wait_lost(self) -> None:
        """Wait until the transport is gone."""
        if self.transport is not None or not self._is_lost:
            await asyncio.shield(self._lost)

    async def drain(self) -> None:
        """Wait until the transport has taken everything, as far as its limit of 64 KiB."""
        if self.group.is_closing:
            raise ConnectionError()
        self.flush()
        if not self.write_paused:
            await asyncio.sleep(0)
        else:
            future = self.loop.create_future()
            self._drains.append(future)
            await future
        if self._is_over:
            raise ConnectionError()

    def pause(self) -> None:
        """Take nothing more from the peer, as the program takes nothing."""
        if not self.read_paused and self.transport is not None and not self.transport.is_closing():
            self.read_paused = True
            self.machine.pause(self.loop.time())
            self._settle_reading()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self.read_paused:
            self.read_paused = False
            self.machine.resume(self.loop.time())
            self._settle_reading()

    def arm(self) -> None:
        """Set the timer to the machine's deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.machine.arm()
        if at is not None and not self._is_over and at < self.loop.time() + 10 ** 8:
            self._timer = self.loop.call_at(at, self._on_timer)

    def attach(self,
               on_incoming: Callable[[list[Any]], None],
               on_over: Callable[[str], None]) -> None:
        """Set who gets what comes in. What came before is given at once."""
        self.on_incoming = on_incoming
        self.on_over = on_over
        held, self._held = self._held, []
        if held:
            on_incoming(held)
        if self._is_over:
            on_over(self.reason or '')

    def poll(self) -> None:
        """Do what is due, with what has come."""
        self._apply(*self.machine.poll(self.loop.time()))

    def fault(self, reason: str) -> Exception:
        """What `on_over` was told, as an exception: a `ConnectionError` where the peer has gone, whatever it had begun to say."""
        return ConnectionError(*filter(None, [reason])) if not reason or self.machine.ended else Exception(reason)

    # inside

    def _hold(self, incoming: list[Any]) -> None:
        self._held.extend(incoming)

    def _apply(self, incoming: list[Any], state: int) -> None:
        held = state & HELD
        if held != self.held_up:
            self.held_up = held
            if self._read_held and not held:
                self._read_held = False
                self._settle_reading()
        if incoming and not self._is_over:
            self.on_incoming(incoming)
        if state & ARM:
            self.arm()
        if state & WRITE and not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush_turn)
        if state & OVER:
            if self._machine_over is not None and not self._machine_over.done():
                self._machine_over.set_result(None)
            self._end(self.machine.over or '')

    def _write(self, data: Any) -> None:
        if self._log is not None and self._log.isEnabledFor(logging.DEBUG):
            self._log.debug('send (%s)', data.hex(' '))
        self.transport.write(data)  # type: ignore[union-attr]

    def _flush_much(self, size: int) -> None:
        if not self.write_paused and (size >= LARGE or self._unsent >= MAX_TURN_MESSAGES
                                      or self.machine.queued >= MAX_TURN):
            self.flush()

    def _flush_turn(self) -> None:
        self._flushing = False
        self.flush()

    def _poll_turn(self) -> None:
        self._polls = False
        self.poll()

    def _settle_reading(self) -> None:
        """Read, unless the program takes nothing or the machine is held up."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if self.read_paused or self._read_held:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _on_timer(self) -> None:
        self._timer = None
        incoming, state = self.machine.poll(self.loop.time())
        self._apply(incoming, state & ~ARM)
        if not self._is_over:
            self.arm()

    def _pass_room(self) -> None:
        """Let the sender go that has waited longest, where there is room and no other is about to go."""
        while self._room and not self._going and not self.is_full:
            future = self._room.popleft()
            if not future.done():
                self._going = True
                future.set_result(None)

    def _end(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        self.reason = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.on_over(reason)
        self.group.close()
        for future in (*self._room, *self._drains):
            if not future.done():
                future.set_result(None)
        self._room.clear()
        self._drains.clear()

    async def _shut_down(self) -> None:
        """The group closes: write what waits, for a bounded time, and let the transport go."""
        is_failed = self._is_over and bool(self.reason)
        self._end('')
        transport = self.transport
        if self._is_lost or transport is None:
            return
        abort = self.loop.call_later(FLUSH_TIMEOUT, transport.abort)
        try:
            self.write_paused = False
            self.machine.close()
            while (data := self.machine.take()) is not None and not transport.is_closing():
                self._write(data)
            if self._linger and self.machine.over is None and not transport.is_closing():
                await aio.uncancellable(self._wait_machine(), raise_cancel=False)
            if is_failed:
                # a peer that broke the protocol or went silent is owed no more than what its system
                # takes now
                self.loop.call_soon(self._abort_if_stuck)
            if self.transport is not None:
                self.transport.close()
            await aio.uncancellable(self._wait_lost(), raise_cancel=False)
        finally:
            abort.cancel()

    async def _wait_lost(self) -> None:
        await self._lost

    async def _wait_machine(self) -> None:
        """The peer may say that it closes too."""
        self._machine_over = self.loop.create_future()
        self.resume()
        # all that could hold it up is written
        self.poll()
        handle = self.loop.call_later(self._linger, self._linger_ended)
        try:
            await self._machine_over
        finally:
            handle.cancel()

    def _linger_ended(self) -> None:
        if self._machine_over is not None and not self._machine_over.done():
            self._machine_over.set_result(None)

    def _abort_if_stuck(self) -> None:
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.transport.abort()


def adapter(log: logging.Logger, kind: str, info: dict[str, Any]) -> logging.LoggerAdapter[logging.Logger]:
    """A logger that says with every record which connection or server it is about, as the deployed modules'."""
    return logging.LoggerAdapter(log, {'meta': {'type': kind, **info}})
