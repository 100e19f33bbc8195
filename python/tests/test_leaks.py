"""Nothing is left of what is over: no task, no future, no reference, whatever was cancelled or closed, and when."""

import asyncio
import contextlib
import gc
import logging
import os
import random
import tracemalloc

import pytest

from hat import aio
from hat.drivers import net
from hat.event import common

from hat_native import _link, _native, juggler
from hat_native.drivers import chatter, cotp, net as our_net, tpkt
from hat_native.event import eventer
from hat_native.event.eventer import client as eventer_client, server as eventer_server

import cancelling


ROUNDS = int(os.environ.get('HAT_NATIVE_ROUNDS', '100'))
"""Connections that are made, and a tenth of the messages; 100000 by `ci/long python`. Where anything may happen to them, a tenth of it."""

pytestmark = pytest.mark.timeout(120 + ROUNDS / 20)

KINDS = (_link.Link, our_net.Connection, our_net._Protocol, chatter.Connection, tpkt.Connection, cotp.Connection, eventer.Client,
         eventer_server._Connection, juggler.Client, juggler.server.Connection, _native.Chatter, _native.EventerClient,
         _native.EventerServer, _native.Tpkt, _native.Cotp, _native.JugglerTexts)


def alive():
    return cancelling.alive(KINDS)


@pytest.fixture(autouse=True)
def without_logs():
    # what was logged holds the frames of its exceptions, and pytest keeps it
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)


def loopback():
    return net.TcpAddress('127.0.0.1', 0)


async def test_connections_leave_nothing():
    srv = await chatter.listen(lambda conn: None, loopback())
    addr = srv.info.addresses[0]

    async def run(count):
        for i in range(count):
            conn = await chatter.connect(addr)
            await conn.send(chatter.Data('t', b'x' * 100))
            receiving = asyncio.create_task(conn.receive())
            await asyncio.sleep(0)
            if i % 3:
                receiving.cancel()
            await conn.async_close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await receiving
        await settle()

    await run(20)
    gc.collect()
    tasks = len(asyncio.all_tasks())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    await run(ROUNDS)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100 * ROUNDS + 64 * 1024, grown
    assert len(asyncio.all_tasks()) == tasks
    await srv.async_close()
    del srv
    await settle()
    assert alive() == []


async def test_messages_leave_nothing():
    conns = aio.Queue()
    srv = await chatter.listen(conns.put_nowait, loopback())
    a = await chatter.connect(srv.info.addresses[0])
    b = await conns.get()

    async def run(count):
        for i in range(count):
            conv = await a.send(chatter.Data('t', b'x' * 1000), last=False)
            await b.send(chatter.Data('t', b''), conv=(await b.receive()).conv, last=False)
            assert (await a.receive()).conv == conv

    await run(100)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    await run(ROUNDS * 10)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 32 * 1024, grown
    await a.async_close()
    await srv.async_close()


@pytest.mark.parametrize('seed', range(4))
async def test_any_cancel_at_any_time(seed):
    rng = random.Random(seed)

    async def register_cb(info, events):
        if rng.random() < 0.5:
            await asyncio.sleep(rng.random() * 0.002)
        return []

    errors = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    srv = await eventer.listen(loopback(), register_cb=register_cb)
    addr = srv.info.addresses[0]

    async def user():
        client = await eventer.connect(addr, 'name', subscriptions=[('*',)], events_cb=lambda c, events: asyncio.sleep(0))
        async with client:
            while True:
                action = rng.randrange(4)
                if action == 0:
                    await client.register([common.RegisterEvent(('a',), None, None)], True)
                elif action == 1:
                    await client.query(common.QueryLatestParams())
                elif action == 2:
                    await client.register([], False)
                else:
                    client.close()

    for _ in range(max(25, ROUNDS // 40)):
        tasks = [asyncio.create_task(user()) for _ in range(4)]
        notifying = asyncio.create_task(srv.notify_events([common.Event(
            common.EventId(1, 1, 1), ('a',), common.now(), None, None)], False, rng.random() < 0.5))
        for _ in range(rng.randrange(30)):
            await asyncio.sleep(0)
        for task in (*tasks, notifying):
            task.cancel()
        await asyncio.gather(*tasks, notifying, return_exceptions=True)
    await asyncio.wait_for(srv.async_close(), 10)
    del srv, tasks, notifying
    await settle()
    if 'uvloop' not in type(asyncio.get_running_loop()).__module__:
        # uvloop keeps a protocol whose connection succeeds in the moment in which it is cancelled,
        # whoever wrote it
        assert alive() == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [str(i)[:300] for i in errors] == []


@pytest.mark.parametrize('seed', range(4))
async def test_any_bytes(seed):
    """A peer that sends anything, and vanishes at any time."""
    rng = random.Random(seed)
    servers = [await chatter.listen(lambda conn: None, loopback()), await eventer.listen(loopback()),
               await cotp.listen(lambda conn: None, loopback(), bind_connections=True)]
    starts = [b'', bytes.fromhex('0300000b06e00000000100'), b'\x01\x20\x81\x81\x01\x01\x00', b'\x08' + bytes(8), b'\x01\xff']
    for _ in range(max(100, ROUNDS // 10)):
        srv = rng.choice(servers)
        raw = await net.connect(srv.info.addresses[0])
        with contextlib.suppress(ConnectionError):
            await raw.write(rng.choice(starts) + rng.randbytes(rng.randrange(200)))
            for _ in range(rng.randrange(5)):
                await asyncio.sleep(0)
            if rng.random() < 0.5:
                raw._protocol._transport.abort()
        await raw.async_close()
    await settle()
    for srv in servers:
        assert srv.is_open
        await asyncio.wait_for(srv.async_close(), 15)
    del servers, srv, raw
    await settle()
    assert alive() == []


@pytest.mark.parametrize('enabled', [True, False])
async def test_the_collector_is_left_as_it_was(enabled):
    event = common.Event(common.EventId(1, 1, 1), ('a',), common.now(), None, common.EventPayloadJson({'a': 1}))
    seen = []
    srv = await eventer.listen(loopback())
    client = await eventer.connect(srv.info.addresses[0], 'name', subscriptions=[('*',)],
                                   events_cb=lambda _, events: seen.append((len(events), gc.isenabled())))
    try:
        if not enabled:
            gc.disable()
        await srv.notify_events([event] * 5000, False, True)
        from hat_native.event.common._encoder import encoder
        with pytest.raises(ValueError):
            encoder.decode_events(encoder.encode_events([event] * 5000)[:-1])
        assert len(encoder.decode_events(encoder.encode_events([event] * 5000))) == 5000
        assert gc.isenabled() == enabled
        assert seen == [(5000, enabled)]
    finally:
        gc.enable()
    await client.async_close()
    await srv.async_close()
