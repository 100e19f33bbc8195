"""All protocols at once, for long, over lines that fail: what arrives is right, and afterwards nothing is left."""

import asyncio
import gc
import itertools
import os
import random
import resource
import sys
import time

from hat import json, util
from hat.drivers import net
from hat.event import common

import pytest

from hat_native import juggler
from hat_native.drivers import chatter, cotp, tpkt
from hat_native.event import eventer

import echoing
from echoing import loopback
from proxy import FAULTS, Line
from test_leaks import alive, without_logs  # noqa: F401


SECONDS = float(os.environ.get('HAT_NATIVE_SOAK', '4'))
"""How long it goes on, on each event loop; 600 by `ci/long python`"""

USERS = 12

pytestmark = pytest.mark.timeout(SECONDS * 3 + 120)


class Failed(Exception):
    """What arrived is not what was sent."""


def check(truth, *what):
    if not truth:
        raise Failed(*what)


class Messages:
    """Chatter, TPKT or COTP: numbered messages, many before the first answer, come back in order."""

    def __init__(self, module, wrap, unwrap):
        self.module = module
        self.wrap = wrap
        self.unwrap = unwrap

    async def listen(self):
        srv = await echoing.listen(self.module, lambda message: self.wrap(self.unwrap(message)))
        self.addr = srv.info.addresses[0]
        return srv

    async def use(self, addr, rng, is_true):
        async with await self.module.connect(addr) as conn:
            for _ in range(rng.randrange(5)):
                sent = [i.to_bytes(4, 'big') + rng.randbytes(rng.choice([0, 1, 50, 3000, 60000]))
                        for i in range(rng.randrange(20))]

                async def send():
                    for one in sent:
                        await conn.send(self.wrap(one))

                sending = asyncio.create_task(send())
                try:
                    for one in sent:
                        check(self.unwrap(await conn.receive()) == one or not is_true, self.module.__name__)
                    await sending
                finally:
                    sending.cancel()
                    await asyncio.wait([sending])


class Events:
    """Eventer: registers, and is told what it registered, in order."""

    async def listen(self):
        instances = itertools.count(1)

        async def register_cb(info, events):
            made = [common.Event(common.EventId(1, 1, next(instances)), i.type, common.now(), None, i.payload) for i in events]
            await srv.notify_events(made, False, rng.random() < 0.2)
            return made

        async def query_cb(info, params):
            return common.QueryResult([common.Event(common.EventId(1, 1, 1), params.event_types[0], common.now(), None, None)], False)

        rng = random.Random(1)
        srv = await eventer.listen(loopback(), register_cb=register_cb, query_cb=query_cb)
        self.addr = srv.info.addresses[0]
        return srv

    async def use(self, addr, rng, is_true):
        mine, told = str(rng.random()), []
        subscriptions = [(mine, '*')] if rng.random() < 0.5 else [('*',)]
        async with await eventer.connect(addr, mine, subscriptions=subscriptions,
                                         events_cb=lambda _, events: told.extend(i for i in events if i.type[0] == mine)) as client:
            registered = []
            for number in range(rng.randrange(20)):
                events = [common.RegisterEvent((mine, str(number)), None, common.EventPayloadJson({'n': number, 'text': 'x' * rng.randrange(100)}))
                          for _ in range(rng.choice([1, 1, 100]))]
                made = await client.register(events, True)
                check([i.payload for i in made] == [i.payload for i in events] or not is_true, 'registered')
                registered.extend(made)
                if rng.random() < 0.3:
                    result = await client.query(common.QueryLatestParams([(mine, 'x')]))
                    check(result.events[0].type == (mine, 'x') or not is_true, 'queried')
            if is_true:
                check(told == registered[:len(told)], 'told')


class State:
    """Juggler: requests are answered, and the state is followed."""

    async def listen(self):
        port = util.get_unused_tcp_port()
        self.addr = net.TcpAddress('127.0.0.1', port)
        self.state = json.Storage({'values': [0] * 100})

        async def request_cb(conn, name, data):
            if rng.random() < 0.3:
                self.state.set(['values', rng.randrange(100)], rng.random())
            await conn.notify('x', data)
            return data

        rng = random.Random(2)
        return await juggler.listen('127.0.0.1', port, request_cb=request_cb, state=self.state, autoflush_delay=0.001)

    async def use(self, addr, rng, is_true):
        told = []
        client = await juggler.connect(f'ws://{addr.host}:{addr.port}/ws', lambda _, name, data: told.append(data))
        async with client:
            asked = [{'n': i, 'text': 'x' * rng.choice([0, 10, 70000])} for i in range(rng.randrange(20))]
            for one in asked:
                check(await client.send('name', one) == one or not is_true, 'answered')
            if is_true:
                check(told == asked[:len(told)], 'notified')


async def test_soak():
    errors, failed, used = [], [], 0
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: errors.append(context))
    seed = random.randrange(1 << 32)
    print('seed', seed)
    rng = random.Random(seed)
    served = [Messages(chatter, lambda data: chatter.Data('t', data), lambda msg: msg.data.data),
              Messages(tpkt, lambda data: data, bytes), Messages(cotp, lambda data: data, bytes), Events(), State()]
    before = len(asyncio.all_tasks())

    async def user(number, until):
        nonlocal used
        rng = random.Random(f'{seed} {number} {until}')
        while time.monotonic() < until:
            index, fault = rng.randrange(len(served)), rng.choice(FAULTS)
            addr = net.TcpAddress('127.0.0.1', ports[index, fault])
            using = asyncio.create_task(served[index].use(addr, rng, fault != 'garble'))
            try:
                # some are cancelled, wherever they are
                await asyncio.wait_for(using, rng.random() * rng.choice([0.01, 0.3, 3]))
            except Failed as e:
                failed.append((*e.args, fault))
            except Exception:
                # a line has failed, or a peer has made nothing of what arrived
                pass
            used += 1

    async def run(seconds):
        nonlocal ports
        servers = [await one.listen() for one in served]
        lines = []
        ports = {}
        for index, one in enumerate(served):
            for fault in FAULTS:
                lines.append(Line(one.addr, fault, rng))
                ports[index, fault] = await lines[-1].open()
        until = time.monotonic() + seconds
        await asyncio.gather(*(user(number, until) for number in range(USERS)))
        for line in lines:
            await line.close()
        for index, one in enumerate(served):
            # each server still serves who comes directly
            check(servers[index].is_open)
            await asyncio.wait_for(one.use(one.addr, rng, True), 20)
        for one in servers:
            await asyncio.wait_for(one.async_close(), 20)
        for _ in range(50):
            await asyncio.sleep(0.01)
            if len(asyncio.all_tasks()) == before:
                break
        gc.collect()
        return len(gc.get_objects())

    ports = {}
    objects = await run(SECONDS / 4)
    grown = await run(SECONDS * 3 / 4) - objects
    print(f'{used} connections, {grown} objects more, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB')
    assert failed == []
    assert [str(i)[:500] for i in errors] == []
    assert len(asyncio.all_tasks()) == before
    assert grown < 3000
    if 'uvloop' not in type(loop).__module__:
        assert alive() == []
    assert sys.exc_info() == (None, None, None)
