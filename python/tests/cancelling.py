"""Does something to a coroutine at a chosen one of its awaits: cancels it, or takes away what it uses. And what must be true afterwards,
whatever was done and when: nothing is left, and nobody else has noticed.

What is put to the test has `listen()`, which gives a server, `connect(srv)`, `use(conn)`, and `errors`, which `connect` may raise while the
server closes.
"""

import asyncio
import contextlib
import gc
import os
import types

from hat import aio


async def cut(coro, at, act=None, late=False):
    """Run `coro` in this task. At its await number `at`, counted from 0, it is cancelled: as soon as it waits there, or, `late`, in the turn
    in which what it waits for is there. With `act`, that is called there instead. Returns how often it waited."""
    return await _cut(coro, at, act, late)


@types.coroutine
def _cut(coro, at, act, late):
    waits = 0
    resume, value = coro.send, None
    while True:
        try:
            waited_for = resume(value)
        except (StopIteration, asyncio.CancelledError, ConnectionError):
            return waits
        is_cut = waits == at
        waits += 1
        if is_cut and act is not None:
            act()
        elif is_cut and not late:
            # before the task has it, so that the task cancels what is waited for, as it always does
            asyncio.current_task().cancel()
        try:
            resume, value = coro.send, (yield waited_for)
        except asyncio.CancelledError as e:
            asyncio.current_task().uncancel()
            resume, value = coro.throw, e
        except BaseException as e:
            resume, value = coro.throw, e
        if is_cut and late:
            resume, value = coro.throw, asyncio.CancelledError()


async def at_every_await(create, after):
    """Cancel what `create` gives at each of its awaits, in both ways; `after` is awaited each time."""
    total = await cut(create(), -1)
    await after()
    for late in (False, True):
        for at in range(total):
            await asyncio.wait_for(cut(create(), at, late=late), 10)
            await after()
    return total


async def until(check):
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.001)


def alive(kinds):
    """The names of the objects that are of one of `kinds`."""
    gc.collect()
    return sorted(type(i).__name__ for i in gc.get_objects() if isinstance(i, kinds))


def sockets():
    """How many sockets this process has."""
    count = 0
    for name in os.listdir('/proc/self/fd'):
        with contextlib.suppress(OSError):
            count += os.readlink(f'/proc/self/fd/{name}').startswith('socket:')
    return count


class Left:
    """What there was before, and what is still there of `kinds` and of errors that nobody has handled."""

    def __init__(self, kinds):
        self._kinds = kinds
        self._errors = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: self._errors.append(context))
        self.mark()

    def mark(self):
        self._before = len(asyncio.all_tasks()), sockets()

    async def is_nothing(self):
        """Wait until there are no tasks and sockets but those of before."""
        await until(lambda: (len(asyncio.all_tasks()), sockets()) == self._before)

    async def was_nothing(self):
        """Nothing at all is there any more."""
        for _ in range(20):
            await asyncio.sleep(0)
        # uvloop keeps a protocol whose connection succeeds in the moment in which it is cancelled,
        # whoever wrote it
        if 'uvloop' not in type(asyncio.get_running_loop()).__module__:
            found = alive(self._kinds)
            assert found == [], found
        errors = [str(i)[:300] for i in self._errors]
        assert errors == [], errors


async def client_at_every_await(of, kinds):
    """A client that is cancelled at each of its awaits."""
    left = Left(kinds)
    srv = await of.listen()
    await asyncio.sleep(0.01)
    left.mark()

    async def life():
        conn = await of.connect(srv)
        try:
            await of.use(conn)
        finally:
            await conn.async_close()

    async def after():
        await left.is_nothing()
        assert srv.is_open

    assert await at_every_await(life, after) >= 4
    await srv.async_close()
    of.srv = srv = None
    await left.was_nothing()


async def client_that_closes_at_every_await(of, kinds):
    """A client whose connection is closed by another task of its program at each of its awaits."""
    left = Left(kinds)
    srv = await of.listen()
    await asyncio.sleep(0.01)
    left.mark()
    conn, awaits = None, 0

    async def life():
        nonlocal conn
        conn = await of.connect(srv)
        await of.use(conn)

    def close():
        nonlocal closed
        closed = True
        if conn is not None:
            conn.close()

    closed = True
    while closed:
        closed, conn = False, None
        await asyncio.wait_for(cut(life(), awaits, close), 20)
        awaits += 1
        await conn.async_close()
        conn = None
        await left.is_nothing()
        assert srv.is_open
    assert awaits >= 4
    await srv.async_close()
    of.srv = srv = None
    await left.was_nothing()


async def server_at_every_await(of, kinds):
    """A server that is cancelled at each of its awaits."""
    left = Left(kinds)

    async def life():
        srv = await of.listen()
        try:
            conn = await aio.uncancellable(of.connect(srv))
            await conn.async_close()
        finally:
            await srv.async_close()

    async def after():
        gc.collect()
        await left.is_nothing()

    await at_every_await(life, after)
    of.srv = None


async def server_that_closes_at_every_await(of, kinds):
    """A server that closes at each await of a client."""
    left = Left(kinds)
    awaits, closing = 0, None

    async def life(srv):
        conn = await of.connect(srv)
        try:
            await of.use(conn)
        finally:
            await conn.async_close()

    def close():
        nonlocal closing
        closing = asyncio.ensure_future(srv.async_close())

    while awaits >= 0:
        srv = await of.listen()
        closing = None
        with contextlib.suppress(*of.errors):
            await asyncio.wait_for(cut(life(srv), awaits, close), 20)
        awaits = -1 if closing is None else awaits + 1
        await (closing or srv.async_close())
        of.srv = srv = closing = None
        gc.collect()
        await left.is_nothing()
    await left.was_nothing()


EVERY = [client_at_every_await, client_that_closes_at_every_await, server_at_every_await, server_that_closes_at_every_await]
