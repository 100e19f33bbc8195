"""Three nodes over three NATS servers on this machine: how fast a new node has everything, how fast events are
told by all nodes, and how soon a client registers again whose node was killed.

    python cluster.py catch-up|delivery|move HAT FOLDER

with the Python of `target/peers/today`, which has the deployed software (and for `delivery` the wheel of `python/`,
installed beside it), and a release build of `hat` with the feature `cluster`. EVENTS and ROUNDS in the environment
change how much, and RATE how many events a second 300 clients are told. Each prints lines of figures.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

if sys.argv[1] == 'delivery':
    # three hundred `hat subscribe` would be as many processes: these clients are of the package `hat_native`, which is
    # there before what it stands in for
    import hat_native
    hat_native.install()

from hat.drivers import net
from hat.event import common, eventer

from processes import free_port, used

TASK, HAT, FOLDER = sys.argv[1], *(pathlib.Path(it).resolve() for it in sys.argv[2:4])
NATS = pathlib.Path(os.environ['NATS_SERVER'])
EVENTS = int(os.environ.get('EVENTS', 1_000_000))
ROUNDS = int(os.environ.get('ROUNDS', 5))
RATE = int(os.environ.get('RATE', 1000))


class Cluster:
    """NATS servers, and nodes over them."""

    def __init__(self, count, stack):
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        self._stack, self.nodes = stack, []
        ports, routes = [free_port() for _ in range(count)], [free_port() for _ in range(count)]
        peers = ', '.join(f'nats://127.0.0.1:{it}' for it in routes)
        for number, (port, route) in enumerate(zip(ports, routes)):
            cluster = f'cluster {{ name: bench, listen: "127.0.0.1:{route}", routes: [{peers}] }}' if count > 1 else ''
            conf = FOLDER / f'n{number}.conf'
            conf.write_text(f'server_name: n{number}\nlisten: "127.0.0.1:{port}"\n{cluster}\n'
                            f'jetstream {{ store_dir: "{FOLDER}/n{number}", sync_interval: always, max_file: 20G }}\n')
            self._start(NATS, '-c', conf)
        self._urls = 'nats://' + ','.join(f'127.0.0.1:{it}' for it in ports)
        for _ in range(count):
            self.add('--cluster-new')

    def _start(self, *args):
        it = subprocess.Popen([str(i) for i in args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        self._stack.callback(lambda: (it.kill(), it.wait()))
        return it

    def add(self, *args, store=None):
        """One node more: its process, and the ports of clients and of its page."""
        number, port, web = len(self.nodes), free_port(), free_port()
        store = store or FOLDER / f'h{number}'
        node = self._start(HAT, 'serve', '--listen', f'127.0.0.1:{port}', '--web', f'127.0.0.1:{web}', '--store', store,
                           '--name', f'h{number}', '--cluster', self._urls, *args)
        self.nodes.append((node, port, web))
        return self.nodes[-1]

    def used(self):
        """Processor time of the nodes, seconds."""
        return sum(used(node) for node, _, _ in self.nodes)


def metric(web, name):
    text = urllib.request.urlopen(f'http://127.0.0.1:{web}/metrics', timeout=5).read().decode()
    return next(float(line.rsplit(' ', 1)[1]) for line in text.splitlines() if line.startswith(f'hat_cluster_{name}{{'))


def wait(what, is_so, limit=300):
    until = time.monotonic() + limit
    while True:
        with contextlib.suppress(OSError, StopIteration):
            if is_so():
                return
        assert time.monotonic() < until, what
        time.sleep(0.02)


def serves(node):
    return metric(node[2], 'serving') == 1 and metric(node[2], 'lag_messages') == 0


def load(port, *args):
    command = [HAT, 'load', '--connect', f'127.0.0.1:{port}', '--format', 'json', *args]
    done = subprocess.run([str(it) for it in command], check=True, capture_output=True).stdout
    return json.loads(done.splitlines()[-1])


def catch_up():
    with contextlib.ExitStack() as stack:
        cluster = Cluster(1, stack)
        wait('the node serves', lambda: serves(cluster.nodes[0]))
        registered, seconds = 0, 0
        while registered < EVENTS:
            done = load(cluster.nodes[0][1], '--clients', 16, '--batch', 1000, '--types', 1000, '--seconds', 5)
            registered, seconds = registered + done['events'], seconds + done['seconds']
        print(f'{registered} events registered, {registered / seconds:,.0f} a second', flush=True)
        for name in ('from the stream', 'from a backup'):
            store = FOLDER / name.replace(' ', '-')
            start = time.monotonic()
            if name == 'from a backup':
                subprocess.run([str(HAT), 'store', 'backup', str(FOLDER / 'h0'), str(store)], check=True, capture_output=True)
            copied = time.monotonic() - start
            node = cluster.add(store=store)
            wait('the new node serves', lambda: serves(node))
            took = time.monotonic() - start
            copying = f', of which the backup took {copied:.1f} s' if copied > 0.01 else ''
            print(f'a new node {name}: serves after {took:.1f} s{copying}: {registered / took:,.0f} events/s', flush=True)


async def told(port, count, counter):
    """So many clients that are told everything."""
    def on_events(_, events):
        counter[0] += len(events)
    return [await eventer.connect(net.TcpAddress('127.0.0.1', port), f'told{it}', subscriptions=[('load', '*')],
                                  events_cb=on_events) for it in range(count)]


async def delivery():
    with contextlib.ExitStack() as stack:
        cluster = Cluster(3, stack)
        for node in cluster.nodes:
            await asyncio.to_thread(wait, 'the node serves', lambda node=node: serves(node))
        counter = [0]
        clients = [await told(node[1], 100, counter) for node in cluster.nodes]
        await asyncio.sleep(2)
        for _ in range(ROUNDS):
            counter[0], start = 0, time.monotonic()
            before = cluster.used()
            done = await asyncio.to_thread(load, cluster.nodes[0][1], '--clients', 4, '--batch', 100, '--types', 1000,
                                           '--rate', RATE, '--seconds', 5)
            wanted = done['events'] * sum(map(len, clients))
            while counter[0] < wanted:
                assert all(it.is_open for node in clients for it in node), 'a client was too slow, and was cut off'
                await asyncio.sleep(0.01)
            took, nodes = time.monotonic() - start, cluster.used() - before
            print(f'{done["events"] / done["seconds"]:,.0f} events/s registered; told to 3 x 100 clients: '
                  f'{wanted / took:,.0f} events/s, all of them {took - done["seconds"]:.2f} s after the last answer; '
                  f'{nodes * 1e6 / wanted:.2f} us of the nodes for each', flush=True)


async def move():
    """A client registers one event after the other; its node is killed, and it goes to the next one."""
    times = []
    for _ in range(ROUNDS):
        with contextlib.ExitStack() as stack:
            cluster = Cluster(3, stack)
            for node in cluster.nodes:
                await asyncio.to_thread(wait, 'the node serves', lambda node=node: serves(node))
            event = [common.RegisterEvent(('a',), None, None)]
            clients = [await eventer.connect(net.TcpAddress('127.0.0.1', node[1]), 'moves') for node in cluster.nodes[:1]]
            for _ in range(20):
                assert await clients[0].register(event, True)
            cluster.nodes[0][0].send_signal(signal.SIGKILL)
            start = time.monotonic()
            with contextlib.suppress(ConnectionError):
                await clients[0].register(event, True)
            client = await eventer.connect(net.TcpAddress('127.0.0.1', cluster.nodes[1][1]), 'moves')
            assert await client.register(event, True)
            times.append((time.monotonic() - start) * 1e3)
            await client.async_close()
            await clients[0].async_close()
    print(f'registered at another node {statistics.median(times):.1f} ms ({min(times):.1f}-{max(times):.1f}) after kill -9 of its own, '
          f'{len(times)} times', flush=True)


if __name__ == '__main__':
    if TASK == 'catch-up':
        catch_up()
    else:
        asyncio.run({'delivery': delivery, 'move': move}[TASK]())
