"""Theirs against ours, by the same calls of the same API in the same arrangement: both ends in one process and one loop.

    python bench/bench.py [--quick] [--rounds N] [--loop asyncio|uvloop] [--cpu] [--bare] [--json] [NAME ...]

Theirs and ours run in turns, once a round. Each figure is the median of the rounds, as a rate, and the ratio is that of the two in the same
round. `hat-bench python` is the same with spreads, in the form of the other tables.

With `--cpu` time is that of the process' own work, which is what counts on a machine that does something else too. With `--bare` the same
bytes go over an `asyncio.Protocol` without any protocol, behind the same coroutines: what the event loop itself takes.
"""

import argparse
import asyncio
import importlib
import json as python_json
import statistics
import sys
import time

from hat import aio
from hat import json
from hat import util
from hat.drivers import net
from hat.event import common


clock = time.perf_counter


def event(i):
    return common.Event(common.EventId(1, 1, i), ('plant', 'line', str(i % 50), 'value'), common.Timestamp(1700000001, 5),
                        common.Timestamp(1700000000, i), common.EventPayloadJson({'value': i * 0.5, 'quality': 'GOOD'}))


def register_event(i):
    return common.RegisterEvent(('plant', 'line', str(i % 50), 'value'), None, common.EventPayloadJson({'value': i}))


def address():
    return net.TcpAddress('127.0.0.1', util.get_unused_tcp_port())


async def chatter_pair(module):
    conns = aio.Queue()
    srv = await module.listen(conns.put_nowait, addr := address())
    a = await module.connect(addr)
    return srv, a, await conns.get()


async def close(*resources):
    for resource in resources:
        await resource.async_close()


async def chatter_echo(module, count, in_flight):
    srv, a, b = await chatter_pair(module)

    async def echo():
        while True:
            msg = await b.receive()
            await b.send(msg.data, conv=msg.conv)

    task = asyncio.create_task(echo())
    from hat.drivers.chatter import Data
    data = Data('Module.Type', bytes(16))
    start = clock()
    for _ in range(in_flight):
        await a.send(data, last=False)
    for i in range(count):
        await a.receive()
        if i < count - in_flight:
            await a.send(data, last=False)
    rate = count / (clock() - start)
    task.cancel()
    await close(a, b, srv)
    return rate


async def chatter_one_way(module, count, size):
    srv, a, b = await chatter_pair(module)
    from hat.drivers.chatter import Data
    data = Data('Module.Type', bytes(size))

    async def send():
        for _ in range(count):
            await a.send(data)

    start = clock()
    task = asyncio.create_task(send())
    for _ in range(count):
        await b.receive()
    rate = count / (clock() - start)
    await task
    await close(a, b, srv)
    return rate


async def cotp_echo(module, count, size):
    conns = aio.Queue()
    srv = await module.listen(conns.put_nowait, addr := address())
    a = await module.connect(addr)
    b = await conns.get()

    async def echo():
        while True:
            await b.send(await b.receive())

    task = asyncio.create_task(echo())
    data = bytes(size)
    start = clock()
    for _ in range(count):
        await a.send(data)
        await a.receive()
    rate = count / (clock() - start)
    task.cancel()
    await close(a, b, srv)
    return rate


async def eventer_register(module, count, batch, open_requests):
    def register_cb(info, events):
        return [common.Event(common.EventId(1, 1, i), e.type, common.Timestamp(1, 1), None, e.payload)
                for i, e in enumerate(events)]

    srv = await module.listen(addr := address(), register_cb=register_cb)
    client = await module.connect(addr, 'bench')
    events = [register_event(i) for i in range(batch)]

    async def run():
        for _ in range(count // open_requests):
            await client.register(events, True)

    start = clock()
    await asyncio.gather(*(run() for _ in range(open_requests)))
    rate = count // open_requests * open_requests * batch / (clock() - start)
    await close(client, srv)
    return rate


async def eventer_notify(module, count, clients):
    srv = await module.listen(addr := address())
    left = asyncio.Semaphore(0)
    received = 0
    done = asyncio.Event()

    def events_cb(client, events):
        nonlocal received
        received += len(events)
        if received == clients * count:
            done.set()

    connected = [await module.connect(addr, 'bench', subscriptions=[('*',)], events_cb=events_cb) for _ in range(clients)]
    events = [event(i) for i in range(10)]
    start = clock()
    for _ in range(count // 10):
        await srv.notify_events(events, False)
    await done.wait()
    rate = clients * count / (clock() - start)
    await close(*connected, srv)
    return rate


async def juggler_requests(module, count, in_flight):
    port = util.get_unused_tcp_port()
    srv = await module.listen('127.0.0.1', port, request_cb=lambda conn, name, data: data)
    client = await module.connect(f'ws://127.0.0.1:{port}/ws')

    async def run():
        for _ in range(count // in_flight):
            await client.send('name', {'a': 1})

    start = clock()
    await asyncio.gather(*(run() for _ in range(in_flight)))
    rate = count // in_flight * in_flight / (clock() - start)
    await close(client, srv)
    return rate


async def juggler_leaf(module, count):
    port = util.get_unused_tcp_port()
    conns = aio.Queue()
    state = json.Storage({str(i): {str(j): {'value': j, 'text': 'x' * 50} for j in range(100)} for i in range(120)})
    srv = await module.listen('127.0.0.1', port, conns.put_nowait, state=state, autoflush_delay=0)
    client = await module.connect(f'ws://127.0.0.1:{port}/ws')
    conn = await conns.get()
    changes = aio.Queue()
    client.state.register_change_cb(changes.put_nowait)
    await conn.flush()
    await changes.get()
    start = clock()
    for i in range(count):
        state.set(['50', '50', 'value'], -1 - i)
        await changes.get()
    rate = count / (clock() - start)
    await close(client, srv)
    return rate


def sbs_encode(is_ours, count):
    events = [event(i) for i in range(1000)]
    if is_ours:
        from hat_native.event.common._encoder import encoder
        encode = lambda: encoder.encode_events(events)
    else:
        encode = lambda: common.sbs_repo.encode('HatEventer.MsgEventsNotify', [common.event_to_sbs(i) for i in events])
    start = clock()
    for _ in range(count):
        encode()
    return count * 1000 / (clock() - start)


def sbs_decode(is_ours, count):
    data = common.sbs_repo.encode('HatEventer.MsgEventsNotify', [common.event_to_sbs(event(i)) for i in range(1000)])
    if is_ours:
        from hat_native.event.common._encoder import encoder
        decode = lambda: encoder.decode_events(data)
    else:
        decode = lambda: [common.event_from_sbs(i) for i in common.sbs_repo.decode('HatEventer.MsgEventsNotify', data)]
    start = clock()
    for _ in range(count):
        decode()
    return count * 1000 / (clock() - start)


class Bare(asyncio.Protocol):
    """Bytes as they come, for one who waits"""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.made = self.loop.create_future()
        self.waiter = None
        self.data = b''

    def connection_made(self, transport):
        self.transport = transport
        self.made.set_result(None)

    def data_received(self, data):
        self.data += data
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def receive(self, size):
        while len(self.data) < size:
            self.waiter = self.loop.create_future()
            await self.waiter
        data, self.data = self.data, b''
        return data

    async def send(self, data):
        self.transport.write(data)


async def bare_echo(count, size):
    loop = asyncio.get_running_loop()
    made = []
    srv = await loop.create_server(lambda: made.append(Bare()) or made[-1], '127.0.0.1', 0)
    _, a = await loop.create_connection(Bare, *srv.sockets[0].getsockname())
    while not made:
        await asyncio.sleep(0)
    b = made[0]

    async def echo():
        while True:
            await b.send(await b.receive(size))

    await b.made
    task = asyncio.create_task(echo())
    data = bytes(size)
    start = clock()
    for _ in range(count):
        await a.send(data)
        await a.receive(size)
    rate = count / (clock() - start)
    task.cancel()
    a.transport.close()
    b.transport.close()
    srv.close()
    return rate


def event_server(is_ours, seconds, batch):
    from server import measure
    rate, _ = measure(is_ours, seconds, batch)
    return rate


# name: what, unit, target, module, function, work of theirs, work of ours, further arguments
TABLE = {
    'sbs-encode': ('SBS notification of 1 000 events, encode', 'events/s', 8, None, sbs_encode, 20, 100),
    'sbs-decode': ('SBS notification of 1 000 events, decode', 'events/s', 8, None, sbs_decode, 20, 100),
    'chatter-256': ('Chatter echo, 256 in flight', 'round trips/s', 12, 'drivers.chatter', chatter_echo, 10000, 100000, 256),
    'chatter-1': ('Chatter echo, one in flight', 'round trips/s', 4, 'drivers.chatter', chatter_echo, 3000, 15000, 1),
    'chatter-16': ('Chatter one way, 16 B', 'messages/s', 15, 'drivers.chatter', chatter_one_way, 20000, 300000, 16),
    'chatter-1M': ('Chatter one way, 1 MiB', 'messages/s', 20, 'drivers.chatter', chatter_one_way, 20, 400, 1 << 20),
    'cotp-64': ('COTP echo, 64 B', 'round trips/s', 4, 'drivers.cotp', cotp_echo, 2000, 10000, 64),
    'cotp-64K': ('COTP echo, 64 KiB', 'round trips/s', 40, 'drivers.cotp', cotp_echo, 60, 3000, 1 << 16),
    'cotp-1M': ('COTP echo, 1 MiB', 'round trips/s', 60, 'drivers.cotp', cotp_echo, 5, 300, 1 << 20),
    'eventer-1': ('Eventer register with response, batch 1, 64 open', 'events/s', 6, 'event.eventer', eventer_register, 3000,
                  30000, 1, 64),
    'eventer-1000': ('Eventer register with response, batch 1 000', 'events/s', 6, 'event.eventer', eventer_register, 10, 100,
                     1000, 1),
    'eventer-notify': ('Eventer notify 100 clients', 'events/s', 15, 'event.eventer', eventer_notify, 100, 2000, 100),
    'juggler-64': ('Juggler requests, 64 in flight', 'requests/s', 5, 'juggler', juggler_requests, 3000, 30000, 64),
    'juggler-leaf': ('Juggler, a leaf of a 1 MB state', 'changes/s', 5, 'juggler', juggler_leaf, 100, 2000),
    'server-1': ('hat-event-server with LMDB, 8 clients, batch 1', 'events/s', 2, None, event_server, 3, 3, 1),
    'server-100': ('hat-event-server with LMDB, 8 clients, batch 100', 'events/s', 2, None, event_server, 3, 3, 100)}

BARE = {'cotp-64': (10000, 64 + 7), 'cotp-1M': (200, 1 << 20)}
"""Echoes of the event loop alone: how many, and of how many bytes, those of the packets' heads included"""

WITHOUT_LOOP = [name for name, row in TABLE.items() if row[3] is None]
"""Rows that have nothing to do with the event loop of this process"""


def measure(name, is_ours, quick, loop):
    _, _, _, module, function, theirs, ours, *more = TABLE[name]
    work = (ours if is_ours else theirs)
    if quick:
        in_flight = more[0] if function in (chatter_echo, juggler_requests) else 0
        work = max(work // 10, in_flight, 1)
    if module is None:
        return function(is_ours, work, *more)
    imported = importlib.import_module(f'hat_native.{module}' if is_ours else f'hat.{module}')
    return run(function(imported, work, *more), loop)


def run(coro, loop):
    if loop == 'uvloop':
        import uvloop
        return uvloop.run(coro)
    return asyncio.run(coro)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--quick', action='store_true', help='a tenth of the work, once: whether it works')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--loop', choices=['asyncio', 'uvloop'], default='asyncio')
    parser.add_argument('--cpu', action='store_true', help='count processor time')
    parser.add_argument('--bare', action='store_true', help='also the event loop alone, where there is such a row')
    parser.add_argument('--json', action='store_true', help='one line of JSON for each row, with the figures of all rounds')
    parser.add_argument('names', nargs='*', metavar='NAME', help=f'of {", ".join(TABLE)}')
    args = parser.parse_args()
    unknown = set(args.names) - set(TABLE)
    if unknown:
        parser.error(f'no row {", ".join(sorted(unknown))}')
    if not args.json:
        print(f'{"work":50} {"theirs":>12} {"ours":>12} {"ratio":>7} {"target":>7}')
    # with uvloop, what does not depend on it would be the same once more
    if args.cpu:
        global clock
        clock = time.process_time
    for name in args.names or [i for i in TABLE if args.loop == 'asyncio' or i not in WITHOUT_LOOP]:
        what, unit, target, *_ = TABLE[name]
        theirs, ours, bare = [], [], []
        for _ in range(1 if args.quick else args.rounds):
            if args.bare and name in BARE:
                bare.append(run(bare_echo(*BARE[name]), args.loop))
            theirs.append(measure(name, False, args.quick, args.loop))
            ours.append(measure(name, True, args.quick, args.loop))
        if args.json:
            print(python_json.dumps({'work': what, 'unit': unit, 'target': target, 'theirs': theirs, 'ours': ours}), flush=True)
            continue
        ratio = statistics.median(our / their for our, their in zip(ours, theirs))
        print(f'{what:50} {statistics.median(theirs):12,.0f} {statistics.median(ours):12,.0f} {ratio:7.1f} '
              f'{"≥ " + str(target):>7}  {unit}', flush=True)
        if bare:
            ratio = statistics.median(one / their for one, their in zip(bare, theirs))
            print(f'{"  the event loop alone":50} {"":12} {statistics.median(bare):12,.0f} {ratio:7.1f} {"":7}  {unit}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
