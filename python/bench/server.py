"""The whole `hat-event-server` with LMDB, without our modules and with them, registering from 8 clients.

The clients are one process of ours, the same for both; the server is a process of its own.
"""

import argparse
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from hat import util
from hat.drivers import net
from hat.event import common

from hat_native.event import eventer


CLIENTS = 8


def conf(folder, port):
    return {'name': 'event server', 'server_id': 1,
            'backend': {'module': 'hat.event.backends.lmdb', 'db_path': str(folder / 'event.db'), 'identifier': None,
                        'flush_period': 1, 'cleanup_period': 60, 'conditions': [],
                        'latest': {'subscriptions': [['*']]},
                        'timeseries': [{'order_by': 'TIMESTAMP', 'subscriptions': [['*']]}]},
            'modules': [], 'eventer_server': {'host': '127.0.0.1', 'port': port},
            'log': {'version': 1}}


def processor_time(pid):
    """Seconds that a process has worked for."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


async def connect(addr):
    end = time.monotonic() + 30
    while True:
        try:
            client = await eventer.connect(addr, 'bench')
            while client.status != common.Status.OPERATIONAL:
                await asyncio.sleep(0.01)
            return client
        except (OSError, ConnectionError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.05)


async def register(addr, pid, seconds, batch, open_requests):
    """Returns events a second, and the server's processor time for an event in seconds."""
    clients = [await connect(addr) for _ in range(CLIENTS)]
    count = 0
    end = time.monotonic() + seconds

    async def run(client, name):
        nonlocal count
        events = [common.RegisterEvent(('plant', name, str(i), 'value'), None,
                                       common.EventPayloadJson({'value': i * 0.5, 'quality': 'GOOD'})) for i in range(batch)]
        while time.monotonic() < end:
            assert len(await client.register(events, True)) == batch
            count += batch

    start, work = time.perf_counter(), processor_time(pid)
    await asyncio.gather(*(run(client, f'{i}_{j}') for i, client in enumerate(clients) for j in range(open_requests)))
    seconds, work = time.perf_counter() - start, processor_time(pid) - work
    for client in clients:
        await client.async_close()
    return count / seconds, work / count


def measure(is_ours, seconds, batch, open_requests=4, command=('hat-event-server',)):
    """Starts a server, registers for some seconds, and stops it."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        port = util.get_unused_tcp_port()
        (folder / 'conf.json').write_text(json.dumps(conf(folder, port)))
        program = pathlib.Path(sys.executable).parent / command[0]
        server = subprocess.Popen([sys.executable, *command[1:], str(program), '--conf', str(folder / 'conf.json')],
                                  env={**os.environ, 'HAT_NATIVE': '1' if is_ours else '0'}, stdin=subprocess.DEVNULL)
        try:
            return asyncio.run(register(net.TcpAddress('127.0.0.1', port), server.pid, seconds, batch, open_requests))
        finally:
            server.terminate()
            server.wait(30)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=5)
    parser.add_argument('--profile', metavar='FILE', help='run ours once, batch 100, under cProfile')
    args = parser.parse_args()
    if args.profile:
        measure(True, args.seconds, 100, command=('hat-event-server', '-m', 'cProfile', '-o', args.profile))
        return
    print(f'{"batch":>6} {"theirs":>10} {"ours":>10} {"ratio":>6}   events/s; server processor time an event, µs')
    for batch in (1, 10, 100):
        theirs, their_work = measure(False, args.seconds, batch)
        ours, our_work = measure(True, args.seconds, batch)
        print(f'{batch:6} {theirs:10,.0f} {ours:10,.0f} {ours / theirs:6.2f}   '
              f'{their_work * 1e6:.1f} {our_work * 1e6:.1f} {their_work / our_work:.2f}', flush=True)


if __name__ == '__main__':
    main()
