"""hat-event: `serve`; `drive PORT-AND-WORK` as the client of the Rust side:
`drive register PORT BATCH OPEN MS`, `drive notify PORT WANTED CLIENTS MS`"""

import asyncio
import itertools
import socket
import sys
import time

from hat.drivers import net
from hat.event import common
from hat.event import eventer

import side


# the same as in src/eventer/events.rs and src/eventer/notify.rs
TYPES = 10_000
PER_NOTIFICATION = 10
A_ROUND = 4096


def event_type(index):
    return ('gateway', str(index // 100), f'device{index % 100}',
            'measurement')


def payload(index):
    return common.EventPayloadJson(
        {'value': index, 'quality': 'good ', 'unit': 'kW', 'n': 1000000})


def to_register(count):
    return [common.RegisterEvent(type=event_type(i),
                                 source_timestamp=common.Timestamp(
                                    1_700_000_000, 0),
                                 payload=payload(i))
            for i in range(count)]


def registered(index):
    return common.Event(id=common.EventId(1, 42, index + 1),
                        type=event_type(index),
                        timestamp=common.Timestamp(1_700_000_000, 0),
                        source_timestamp=common.Timestamp(1_699_999_999, 0),
                        payload=payload(index))


async def serve():
    count = TYPES // PER_NOTIFICATION
    notifications = [[registered(first + i * count)
                      for i in range(PER_NOTIFICATION)]
                     for first in range(count)]
    sessions = itertools.count(1)

    async def on_register(info, events):
        if events[0].type == ('notify', ):
            told = itertools.islice(itertools.cycle(notifications),
                                    events[0].payload.data)
            for i in told:
                await server.notify_events(i, False)

        session, timestamp = next(sessions), common.now()
        return [common.Event(id=common.EventId(1, session, instance + 1),
                             type=event.type,
                             timestamp=timestamp,
                             source_timestamp=event.source_timestamp,
                             payload=event.payload)
                for instance, event in enumerate(events)]

    # it does not tell its port
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]

    server = await eventer.listen(net.TcpAddress('127.0.0.1', port),
                                  status=common.Status.OPERATIONAL,
                                  register_cb=on_register)
    side.listening(port)
    await server.wait_closed()


async def register(port, batch, opened, milliseconds):
    client = await connect(port)
    events = to_register(batch)
    side.ready()
    start = time.monotonic()

    async def one_after_the_other():
        count = 0
        while time.monotonic() - start < milliseconds / 1000:
            count += len(await client.register(events, True))
        return count

    counts = await asyncio.gather(*(one_after_the_other()
                                    for _ in range(opened)))
    side.done(events=sum(counts), seconds=time.monotonic() - start)


async def notify(port, wanted, clients, milliseconds):
    count = max(4, min(512, A_ROUND // clients))
    expected = count * PER_NOTIFICATION * clients
    told = 0
    all_told = asyncio.Event()

    async def on_events(client, events):
        nonlocal told
        told += len(events)
        if told % expected == 0:
            all_told.set()

    if wanted != 'same':
        raise ValueError(wanted)

    for _ in range(clients):
        await connect(port, subscriptions=[('gateway', '*')],
                      events_cb=on_events)

    asks = await connect(port)
    ask = [common.RegisterEvent(type=('notify', ), source_timestamp=None,
                                payload=common.EventPayloadJson(count))]
    side.ready()
    start, rounds = time.monotonic(), 0

    while time.monotonic() - start < milliseconds / 1000:
        await asks.register(ask, True)
        await all_told.wait()
        all_told.clear()
        rounds += 1

    side.done(notifications=rounds * count, events=rounds * expected,
              clients=clients, seconds=time.monotonic() - start)


async def connect(port, **kwargs):
    return await eventer.connect(net.TcpAddress('127.0.0.1', port), 'bench',
                                 **kwargs)


if sys.argv[1] == 'serve':
    asyncio.run(serve())
elif sys.argv[2] == 'register':
    asyncio.run(register(*(int(i) for i in sys.argv[3:])))
else:
    asyncio.run(notify(int(sys.argv[3]), sys.argv[4],
                       *(int(i) for i in sys.argv[5:])))
