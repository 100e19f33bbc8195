"""Does something to a coroutine at a chosen one of its awaits: cancels it, or takes away what it uses."""

import asyncio
import types


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
