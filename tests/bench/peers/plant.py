"""Whole event servers: what disturbs registering, how long a standby's first copy and a failover take.

    python plant.py beside|copy|failover HAT HAT_BENCH FOLDER

with the Python of `target/peers/today`, which has the deployed software, and the release builds of
`hat` and `hat-bench`. Each prints lines of figures.
"""

import asyncio
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

from hat import juggler
from hat.drivers.net import stream
from hat.event import common, eventer

from processes import free_port, used

TASK, HAT, BENCH, FOLDER = sys.argv[1], *(pathlib.Path(it).resolve() for it in sys.argv[2:5])
BIN = pathlib.Path(sys.executable).parent
ROUNDS = int(os.environ.get('ROUNDS', 3))
MILLISECONDS = int(os.environ.get('MILLISECONDS', 2000))
EVENTS = int(os.environ.get('EVENTS', 1_000_000))


def start(*args, **kwargs):
    kwargs = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL, **kwargs}
    return subprocess.Popen([str(it) for it in args], stdin=subprocess.DEVNULL, **kwargs)


def listens(port):
    until = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(('127.0.0.1', port)).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def serve(port, name, *args):
    store = FOLDER / name
    server = start(HAT, 'serve', '--listen', f'127.0.0.1:{port}', '--store', store, *args)
    listens(port)
    return server


def end(process, how=signal.SIGTERM):
    process.send_signal(how)
    process.wait()


def memory(process):
    """MiB now, and at most."""
    lines = pathlib.Path(f'/proc/{process.pid}/status').read_text().splitlines()
    of = {line.split(':')[0]: (line.split() + [''])[1] for line in lines}
    return int(of['VmRSS']) // 1024, int(of['VmHWM']) // 1024


def load(server, port, batch=1000, clients=16, types=1000, milliseconds=MILLISECONDS):
    """Registers as fast as it goes until all is stored. Events, seconds, processor time of the server."""
    work = [port, batch, clients, milliseconds, types, FOLDER / 'store']
    client = subprocess.Popen([str(it) for it in [BENCH, 'drive', 'store', 'register', *work]],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == 'ready\n'
    before = used(server)
    client.stdin.write('go\n')
    client.stdin.flush()
    numbers = dict(it.split('=') for it in client.stdout.readline().split())
    cpu = used(server) - before
    client.stdin.close()
    client.wait()
    return float(numbers['events']), float(numbers['seconds']), cpu


# what is beside

def page(server, port, web):
    code = ('import asyncio, sys; from hat import juggler\n'
            'async def main():\n'
            '    client = await juggler.connect(sys.argv[1])\n'
            '    print("open", flush=True)\n'
            '    await client.wait_closing()\n'
            'asyncio.run(main())')
    it = start(sys.executable, '-c', code, f'ws://127.0.0.1:{web}/ws', stdout=subprocess.PIPE)
    assert it.stdout.readline() == b'open\n'
    return lambda: end(it, signal.SIGKILL)


def slow(server, port, web):
    """A subscriber of everything that has stopped reading."""
    it = start(HAT, 'subscribe', '*', '--connect', f'127.0.0.1:{port}')
    time.sleep(0.3)
    it.send_signal(signal.SIGSTOP)
    return lambda: end(it, signal.SIGKILL)


def again(*args):
    script = 'while :; do "$@"; done'
    it = start('sh', '-c', script, 'sh', *args, start_new_session=True)

    def stop():
        os.killpg(it.pid, signal.SIGKILL)
        it.wait()
    return stop


def scan(server, port, web):
    """Pages of the whole history, one after the other."""
    return again(HAT, 'query', 'timeseries', '*', '--all', '--connect', f'127.0.0.1:{port}')


def backup(server, port, web):
    to = FOLDER / 'backup'
    script = f'rm -rf "{to}"; exec "$@"'
    return again('sh', '-c', script, 'sh', HAT, 'store', 'backup', FOLDER / 'store', to)


def beside():
    port, web = free_port(), free_port()
    for name, disturb in [('nothing', lambda *_: lambda: None), ('a page', page), ('a slow subscriber', slow), ('a scan', scan), ('a backup', backup)]:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        server = serve(port, 'store', '--web', f'127.0.0.1:{web}')
        load(server, port)
        ratios, costs, rates = [], [], []
        for _ in range(ROUNDS):
            events, seconds, cpu = load(server, port)
            stop = disturb(server, port, web)
            with_events, with_seconds, with_cpu = load(server, port)
            stop()
            rates.append(events / seconds)
            ratios.append((with_events / with_seconds) / (events / seconds))
            costs.append((cpu / events * 1e6, with_cpu / with_events * 1e6))
        print(f'beside {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) x undisturbed, which is '
              f'{statistics.median(rates):.0f} events/s; server CPU us an event {statistics.median(a for a, _ in costs):.2f} -> '
              f'{statistics.median(b for _, b in costs):.2f}; {memory(server)} MiB', flush=True)
        end(server)


# a group

def monitor_conf(port):
    return {'default_algorithm': 'BLESS_ONE', 'group_algorithms': {}, 'server': {'host': '127.0.0.1', 'port': port, 'default_rank': 1},
            'master': {'host': '127.0.0.1', 'port': free_port()}, 'slave': {'parents': [], 'connect_timeout': 5, 'connect_retry_count': 1, 'connect_retry_delay': 5}}


def event_conf(port, monitor, name):
    series = [{'order_by': by, 'subscriptions': [['*']]} for by in ('TIMESTAMP', 'SOURCE_TIMESTAMP')]
    return {'name': name, 'server_id': 2, 'modules': [],
            'backend': {'module': 'hat.event.backends.lmdb', 'db_path': str(FOLDER / f'{name}.db'), 'identifier': None, 'flush_period': 0.2,
                        'cleanup_period': 60, 'conditions': [], 'latest': {'subscriptions': [['*']]}, 'timeseries': series},
            'eventer_server': {'host': '127.0.0.1', 'port': port},
            'monitor_component': {'host': '127.0.0.1', 'port': monitor, 'group': 'event'}}


def deployed(program, conf, port):
    path = FOLDER / f'{program}-{port}.json'
    path.write_text(json.dumps(conf))
    it = start(BIN / program, '--conf', path)
    listens(port)
    return it


def serve_of(kind, port, monitor, name, server_id):
    if kind == 'python':
        return deployed('hat-event-server', event_conf(port, monitor, name), port)
    return serve(port, name, '--server-id', server_id, '--name', name, '--monitor', f'127.0.0.1:{monitor}')


async def client(port, status):
    until = time.monotonic() + 60
    while True:
        try:
            return await eventer.connect(stream.TcpAddress('127.0.0.1', port), 'bench', status_cb=lambda _, it: status.put_nowait((time.monotonic(), it)))
        except Exception:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.02)


async def has_status(it, status, wanted):
    if it.status == wanted:
        return time.monotonic()
    while True:
        at, now = await asyncio.wait_for(status.get(), 60)
        if now == wanted:
            return at


async def failover():
    for active, standby, how in [(a, b, h) for a, b in [('hat', 'hat'), ('python', 'hat'), ('hat', 'python')] for h in (signal.SIGTERM, signal.SIGKILL)]:
        times = []
        for _ in range(int(os.environ.get('ROUNDS', 5))):
            shutil.rmtree(FOLDER, ignore_errors=True)
            FOLDER.mkdir(parents=True)
            monitor = free_port()
            processes = [deployed('hat-monitor', monitor_conf(monitor), monitor)]
            ports = [free_port(), free_port()]
            kinds = [active, standby]
            ids = {'hat': 1, 'python': 2}
            first = serve_of(kinds[0], ports[0], monitor, 'first', ids[kinds[0]] if kinds[0] != kinds[1] else 3)
            queues = [asyncio.Queue(), asyncio.Queue()]
            one = await client(ports[0], queues[0])
            await has_status(one, queues[0], common.Status.OPERATIONAL)
            second = serve_of(kinds[1], ports[1], monitor, 'second', ids[kinds[1]])
            processes += [first, second]
            two = await client(ports[1], queues[1])
            # SYNCED is registered at the active one
            until = time.monotonic() + 60
            synced = False
            while not synced and time.monotonic() < until:
                result = await one.query(common.QueryLatestParams([('event', '?', 'synced', '?')]))
                synced = any(it.payload.data.get('state') == 'SYNCED' for it in result.events)
                await asyncio.sleep(0.1)
            assert synced
            await asyncio.sleep(1)
            await one.register([common.RegisterEvent(('x',), None, common.EventPayloadJson(1))], True)
            start_at = time.monotonic()
            first.send_signal(how)
            at = await has_status(two, queues[1], common.Status.OPERATIONAL)
            answer = await two.register([common.RegisterEvent(('x',), None, common.EventPayloadJson(2))], True)
            registered = time.monotonic()
            assert answer
            times.append(((at - start_at) * 1e3, (registered - start_at) * 1e3))
            await two.async_close()
            await one.async_close()
            for process in processes:
                end(process, signal.SIGKILL)
        ms = sorted(it for it, _ in times)
        answered = sorted(it for _, it in times)
        print(f'failover {active} -> {standby}, {how.name}: operational after {statistics.median(ms):.1f} ms ({ms[0]:.1f}-{ms[-1]:.1f}), '
              f'first registration answered after {statistics.median(answered):.1f} ms ({answered[0]:.1f}-{answered[-1]:.1f}), {len(ms)} times', flush=True)


async def copy():
    for source in os.environ.get('SOURCES', 'hat python').split():
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        monitor = free_port()
        processes = [deployed('hat-monitor', monitor_conf(monitor), monitor)]
        ports = [free_port(), free_port()]
        first = serve_of(source, ports[0], monitor, 'store', 3)
        processes.append(first)
        queue = asyncio.Queue()
        one = await client(ports[0], queue)
        await has_status(one, queue, common.Status.OPERATIONAL)
        events = [common.RegisterEvent(('gateway', str(at // 100), f'device{at % 100}', 'measurement'), common.now(),
                                       common.EventPayloadJson({'value': at, 'quality': 'good', 'unit': 'kW', 'n': 1})) for at in range(1000)]
        start_at = time.monotonic()
        for _ in range(EVENTS // 1000):
            assert await one.register(events, True)
        print(f'copy from {source}: {EVENTS} registered in {time.monotonic() - start_at:.1f} s', flush=True)
        server_id = 3 if source == 'hat' else 2
        await asyncio.sleep(5)
        # the copy of one that has the events as its own
        start_at = time.monotonic()
        second = serve(ports[1], 'second', '--server-id', 1, '--name', 'second', '--monitor', f'127.0.0.1:{monitor}')
        processes.append(second)
        cpu = used(first)
        while True:
            result = await one.query(common.QueryLatestParams([('event', '1', 'synced', str(server_id))]))
            states = [it.payload.data for it in result.events]
            if any(it.get('state') == 'SYNCED' for it in states):
                break
            await asyncio.sleep(0.05)
        seconds = time.monotonic() - start_at
        print(f'copy from {source}: {states} in {seconds:.1f} s from the start of the process; {EVENTS / seconds:.0f} events/s; CPU of the sender '
              f'{used(first) - cpu:.1f} s, of the standby {used(second):.1f} s; memory of the standby {memory(second)} MiB', flush=True)
        await one.async_close()
        for process in processes:
            end(process, signal.SIGKILL)


if TASK == 'beside':
    beside()
else:
    asyncio.run({'failover': failover, 'copy': copy}[TASK]())
