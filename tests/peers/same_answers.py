"""The same queries to two event servers, whose answers have to be the same.

``python same_answers.py fill PORT SEED EVENTS`` registers random events at a
server. ``python same_answers.py ask PORT PORT SEED QUERIES`` asks two servers
the same random queries, and says how many of them there were. The second server
may have later events than the first: what it registers of its own clients. What the deployed server answers by ending the connection is not
asked. The order of latest events is not promised: they are compared as sets.
"""

import asyncio
import collections
import random
import sys

from hat.drivers import net
from hat.event import common, eventer

WORDS = ['a', 'b', 'c', 'gateway', '', '1']
START = 1_700_000_000


def main():
    """Entry point"""
    what, *args = sys.argv[1:]
    asyncio.run({'fill': _fill, 'ask': _ask}[what](*map(int, args)))


async def _connect(port):
    return await eventer.connect(net.TcpAddress('127.0.0.1', port), 'same answers')


def _type(rand):
    return tuple(rand.choice(WORDS) for _ in range(rand.randint(1, 3)))


def _query_type(rand):
    segments = [rand.choice(WORDS + ['?', '?']) for _ in range(rand.randint(0, 3))]
    return tuple(segments + ['*'] * rand.randint(0, 1))


def _source(rand):
    # few different ones: many events have the same
    return common.Timestamp(START + rand.randint(-5, 5), rand.choice([0, 0, 1, 999_999]))


def _payload(rand):
    return rand.choice([
        None,
        common.EventPayloadJson({'value': rand.randint(0, 100), 'text': 'č'}),
        common.EventPayloadBinary('t', bytes(rand.randint(0, 9)))])


async def _fill(port, seed, count):
    rand = random.Random(seed)
    client = await _connect(port)
    while count > 0:
        batch = min(count, rand.choice([1, 1, 2, 7, 100]))
        events = [common.RegisterEvent(_type(rand), rand.choice([None, _source(rand)]), _payload(rand))
                  for _ in range(batch)]
        assert await client.register(events, with_response=True)
        count -= batch
    await client.async_close()


async def _ask(port, other_port, seed, count):
    rand = random.Random(seed)
    clients = [await _connect(it) for it in (port, other_port)]
    everything = await clients[0].query(common.QueryTimeseriesParams(order=common.Order.ASCENDING))
    events = list(everything.events)
    last = events[-1]
    kinds = collections.Counter()
    for number in range(count):
        params = _params(rand, events)
        one, other = [await client.query(params) for client in clients]
        if isinstance(params, common.QueryLatestParams):
            found = [sorted((event for event in result.events if event.type[:1] != ('event', )), key=lambda it: it.id)
                     for result in (one, other)]
            same = found[0] == found[1]
        elif isinstance(params, common.QueryServerParams):
            same = list(one.events) == [event for event in other.events if event.id <= last.id]
            same = same and (one.more_follows == other.more_follows or not one.more_follows)
        else:
            same = list(one.events) == list(other.events) and one.more_follows == other.more_follows
        if not same:
            raise Exception(f'query {number} of seed {seed}: {params}\n{one}\n{other}')
        kinds[type(params).__name__] += 1
    print(sum(kinds.values()), 'queries had the same answers:', dict(kinds))
    for client in clients:
        await client.async_close()


def _params(rand, events):
    def some(value):
        return rand.choice([None, None, value])

    def time():
        return rand.choice(events).timestamp.add(rand.choice([0, 0, 1e-6, -1e-6]))

    types = rand.choice([None, [_query_type(rand) for _ in range(rand.randint(0, 3))]])
    event_id = rand.choice(events).id
    # one that there is not, in between
    between = event_id._replace(instance=event_id.instance + rand.choice([0, 0, 1000]))
    most = rand.choice([None, 0, 1, 2, 10, 100, 5000])
    kind = rand.randint(0, 9)
    if kind == 0:
        return common.QueryLatestParams(types)
    if kind == 1:
        return common.QueryServerParams(event_id.server, rand.choice([True, False]), most, some(between))
    return common.QueryTimeseriesParams(
        types, some(time()), rand.choice([events[-1].timestamp, time()]), some(_source(rand)), some(_source(rand)),
        rand.choice(list(common.Order)), rand.choice(list(common.OrderBy)), most, some(event_id))


if __name__ == '__main__':
    main()
