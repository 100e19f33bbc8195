"""Clients of the deployed software at the nodes of a cluster.

``python cluster_clients.py HOST:PORT ...``: one client at each registers one event after the other and is told of all;
where its connection ends, it connects again, as a component does. Once standard input ends it says one JSON line for
each node: what was answered (the name of a registration and the event's id), and the ids that each connection was told.
"""

import asyncio
import json
import sys

from hat import aio
from hat.drivers import net
from hat.event import common, eventer


class Client:
    """A client of one node."""

    def __init__(self, number, address):
        host, port = address.rsplit(':', 1)
        self._number, self._address = number, net.TcpAddress(host, int(port))
        self.answered, self.told, self.connections = [], [], 0

    async def run(self):
        """Goes on until it is cancelled."""
        count = 0
        while True:
            told = []
            self.told.append(told)

            def on_events(_, events, told=told):
                told.extend(_id(i) for i in events)

            try:
                async with asyncio.timeout(10):
                    client = await eventer.connect(self._address, f'python{self._number}', subscriptions=[('*',)],
                                                   events_cb=on_events, ping_delay=2, ping_timeout=2)
            except (ConnectionError, OSError, TimeoutError, eventer.EventerInitError):
                await asyncio.sleep(0.1)
                continue
            self.connections += 1
            try:
                while client.is_open:
                    name, count = f'p/{self._number}/{count:08}', count + 1
                    event = common.RegisterEvent((*name.split('/'), '0'), None, None)
                    events = await client.register([event], with_response=True)
                    if events is None:
                        await asyncio.sleep(0.1)
                        continue
                    self.answered.append((name, _id(events[0])))
            except ConnectionError:
                pass
            finally:
                await aio.uncancellable(client.async_close())


def _id(event):
    return [event.id.server, event.id.session, event.id.instance]


async def _main():
    clients = [Client(*i) for i in enumerate(sys.argv[1:])]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for client, task in zip(clients, tasks):
        assert task.cancelled(), task.exception()
        print(json.dumps({'answered': client.answered, 'told': client.told, 'connections': client.connections}))


if __name__ == '__main__':
    asyncio.run(_main())
