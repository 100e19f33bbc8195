"""Server of hat-juggler: `serve SIZE`; and seconds that hat-json
takes for a diff or a patch: `micro WHAT SIZE`"""

import asyncio
import copy
import socket
import statistics
import sys
import time

from hat import json
from hat import juggler

import side


leaf = ['g0', 'p7', 'value']


def create_state(size):
    # the same as the Rust server's
    points = max(size // 70, 1)
    return {f'g{first // 100}': {
                f'p{n}': {'name': f'point {n}', 'value': n,
                          'quality': 'GOOD', 'unit': 'kV'}
                for n in range(first, min(first + 100, points))}
            for first in range(0, points, 100)}


async def serve(size):
    state = json.Storage(create_state(size))
    runs = asyncio.Queue()
    conns = []

    async def on_request(conn, name, data):
        if name == 'run':
            runs.put_nowait(data)
        return data

    # it does not tell its port
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]

    await juggler.listen('127.0.0.1', port, conns.append, on_request,
                         state=state, autoflush_delay=0,
                         parallel_requests=True)
    side.listening(port)

    while True:
        milliseconds = await runs.get()
        start = time.monotonic()
        for n in range(milliseconds):
            delay = start + n / 1000 - time.monotonic()
            await asyncio.sleep(max(delay, 0))
            state.set(leaf, n + 1)

        for conn in conns:
            # behind the last change: its flush waits for those before it
            await conn.flush()
            await conn.notify('done', None)


def micro(what, size):
    old = create_state(size)
    new = json.set_(old if what == 'diff' else copy.deepcopy(old), leaf, 1.5)
    patch = json.diff(old, new)
    call = {'diff': lambda: json.diff(old, new),
            'diff-unshared': lambda: json.diff(old, new),
            'patch': lambda: json.patch(old, patch)}[what]

    def once():
        start, calls = time.monotonic(), 0
        while time.monotonic() - start < 0.1:
            call()
            calls += 1
        return (time.monotonic() - start) / calls

    print(statistics.median(once() for _ in range(5)))


if sys.argv[1] == 'micro':
    micro(sys.argv[2], int(sys.argv[3]))
else:
    asyncio.run(serve(int(sys.argv[2])))
