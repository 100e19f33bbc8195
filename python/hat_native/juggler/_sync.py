"""When changes of a state are sent: after a delay, at once, or when asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
import typing

from hat_native import _json
from hat_native._link import Link


class Sync:
    """Sends what became of data to one connection, as patches.

    `create` makes the message of a patch. Where `delay` is None, changes are sent when `flush` is called; where it is 0, each one
    by itself; otherwise what changed within so many seconds is sent together. While the connection has no room, changes wait, and go
    as one patch.

    """

    def __init__(self,
                 link: Link,
                 machine: typing.Any,
                 delay: float | None,
                 create: Callable[[list[typing.Any]], typing.Any],
                 on_error: Callable[[Exception], None]):
        self._link = link
        self._machine = machine
        self._delay = delay
        self._create = create
        self._on_error = on_error
        self._data: typing.Any = None
        self._synced: typing.Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Future[None] | None = None

    def change(self, data: typing.Any) -> None:
        """The data are these now."""
        self._data = data
        if self._delay is None or self._link.group.is_closing:
            return
        if self._delay == 0:
            self._sync()
        elif self._timer is None and self._synced is not data:
            self._timer = self._link.loop.call_later(self._delay, self._sync)

    async def flush(self) -> None:
        """Send what was not sent yet; raises `ConnectionError` where the connection is closing."""
        if self._link.group.is_closing:
            raise ConnectionError()
        self._sync()
        while self._waiting is not None:
            await asyncio.shield(self._waiting)
        if self._link.group.is_closing:
            raise ConnectionError()

    def close(self) -> None:
        """Nothing is sent any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sync(self) -> None:
        self.close()
        if self._waiting is not None or self._link.group.is_closing:
            return
        if self._link.is_full:
            self._waiting = asyncio.ensure_future(self._sync_later())
            return
        data = self._data
        if self._synced is data:
            return
        try:
            diff = _json.diff(self._synced, data)
            self._synced = data
            if diff:
                self._machine.send(self._create(diff))
                self._link.wrote()
                if self._delay == 0:
                    # each change by itself: nothing is expected to go with it
                    self._link.flush()
        except ConnectionError:
            pass
        except Exception as e:
            self._on_error(e)

    async def _sync_later(self) -> None:
        try:
            await self._link.wait_room()
        except ConnectionError:
            return
        finally:
            self._waiting = None
        self._sync()
