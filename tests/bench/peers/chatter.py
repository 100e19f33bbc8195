"""Chatter by hat-drivers: `serve`, or `drive PORT TASK SIZE COUNT MS RATE IDLE`; IDLE is 0 here"""

import asyncio
import collections
import math
import sys
import time

from hat.drivers import chatter
from hat.drivers import net

import side


async def serve():
    async def on_connection(conn):
        counted = 0
        try:
            while True:
                msg = await conn.receive()
                if msg.data.type == 'Bench.Echo':
                    await conn.send(msg.data, conv=msg.conv)
                elif msg.data.type == 'Bench.Count':
                    counted += 1
                else:
                    data = chatter.Data('Bench.Counted',
                                        counted.to_bytes(8, 'big'))
                    await conn.send(data, conv=msg.conv)
        except ConnectionError:
            pass

    server = await chatter.listen(on_connection,
                                  net.TcpAddress('127.0.0.1', 0))
    side.listening(server.info.addresses[0].port)
    await server.wait_closed()


async def drive(port, task, size, count, milliseconds, rate, _idle):
    # messages that wait to be sent: its default is 1024, whatever their size.
    # Version 0.10 takes the limit of those received for both.
    queue = min(1024, max(1, 8 * 1024 * 1024 // size))
    conns = [await chatter.connect(net.TcpAddress('127.0.0.1', port),
                                   receive_queue_size=queue,
                                   send_queue_size=queue)
             for _ in range(count if task == 'latency' else 1)]
    seconds = milliseconds / 1000
    if task == 'echo':
        await echo(conns[0], size, count, seconds)
    elif task == 'one-way':
        await one_way(conns[0], size, seconds)
    else:
        await latency(conns, size, seconds, rate)
    for conn in conns:
        await conn.async_close()


async def ask(conn, data):
    await conn.send(data, last=False)


async def echo(conn, size, window, seconds):
    data = chatter.Data('Bench.Echo', bytes(size))
    side.ready()
    start = time.monotonic()
    sent = received = 0

    while True:
        while (sent == 0 or sent - received < window and
               time.monotonic() - start < seconds):
            await ask(conn, data)
            sent += 1
        if received == sent:
            break
        await conn.receive()
        received += 1

    side.done(messages=received, size=size, seconds=time.monotonic() - start)


async def one_way(conn, size, seconds):
    data = chatter.Data('Bench.Count', bytes(size))
    side.ready()
    start = time.monotonic()
    sent = 0

    while sent == 0 or time.monotonic() - start < seconds:
        await conn.send(data)
        sent += 1
    await ask(conn, chatter.Data('Bench.Counted', b''))
    msg = await conn.receive()

    if int.from_bytes(msg.data.data, 'big') != sent:
        raise Exception('messages are missing')
    side.done(messages=sent, size=size, seconds=time.monotonic() - start)


async def latency(conns, size, seconds, rate):
    data = chatter.Data('Bench.Echo', bytes(size))
    requests = max(int(seconds * rate), 1)
    latencies = []
    dues = [collections.deque() for _ in conns]

    async def receive(conn, due):
        while True:
            await conn.receive()
            latencies.append(time.monotonic() - due.popleft())

    receivers = [asyncio.create_task(receive(conn, due))
                 for conn, due in zip(conns, dues)]
    side.ready()
    start = time.monotonic()
    for number in range(requests):
        at = start + number / rate
        while time.monotonic() < at:
            # spins: what is due must not be sent late
            await asyncio.sleep(0)
        index = number % len(conns)
        dues[index].append(at)
        await ask(conns[index], data)
    while len(latencies) < requests:
        await asyncio.sleep(0)
    elapsed = time.monotonic() - start

    for receiver in receivers:
        receiver.cancel()
    latencies.sort()
    p50, p99, p999 = (latencies[math.ceil(requests * share) - 1] * 1e6
                      for share in (0.5, 0.99, 0.999))
    side.done(p50=p50, p99=p99, p999=p999, messages=requests, seconds=elapsed)


if sys.argv[1] == 'serve':
    asyncio.run(serve())
else:
    port, task, *numbers = sys.argv[2:]
    asyncio.run(drive(int(port), task, *(int(i) for i in numbers)))
