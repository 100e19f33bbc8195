"""Writes a file as the deployed event server keeps its events in, by its own code.

``python lmdb_file.py FILE EVENTS`` registers so many events of two servers with
the backend of ``hat.event.backends.lmdb``: in partitions by both timestamps, in
several at once, in none but as the latest of their type, and in one whose limit
takes most of them away again. Then it opens the file anew, asks the backend for
everything that it still has, and prints that as JSON lines by server, session
and instance, as ``hat store export`` does. The first line says what it has as
the last id and time of each server.
"""

import asyncio
import base64
import datetime
import json
import pathlib
import random
import sys

from hat import json as hat_json
from hat.event import common
from hat.event.backends.lmdb import backend


def main():
    """Entry point"""
    asyncio.run(_run(pathlib.Path(sys.argv[1]), int(sys.argv[2])))


async def _run(path, count):
    written = await _write(path, count)
    kept, last = await _read(path)

    for event in kept:
        assert written.pop(event.id) == event
    # what is not there: not the latest, over the limit, or without the time
    # that its only partition is ordered by
    assert all(event.type[0] in ('latest', 'limited') or
               (event.type[0] == 'source' and not event.source_timestamp)
               for event in written.values())

    print(json.dumps(last))
    for event in kept:
        print(_to_line(event))


def _conf(path):
    return {'db_path': str(path),
            'identifier': 'a test',
            'flush_period': 0.2,
            'cleanup_period': 0.05,
            'conditions': [],
            'latest': {'subscriptions': [['latest', '*'], ['both', '*']]},
            'timeseries': [
                {'order_by': 'TIMESTAMP',
                 'subscriptions': [['time', '*'], ['both', '*']]},
                {'order_by': 'SOURCE_TIMESTAMP',
                 'subscriptions': [['source', '*'], ['both', '*']]},
                {'order_by': 'TIMESTAMP',
                 'subscriptions': [['limited', '*']],
                 'limit': {'max_entries': 20}}]}


async def _write(path, count):
    rand = random.Random(9)
    lmdb = await backend.create(_conf(path), None, None)
    written = {}
    sessions = {1: 0, 7: 1000}
    seconds = 1_700_000_000

    while len(written) < count:
        server = rand.choice(list(sessions))
        sessions[server] += rand.choice([1, 1, 1, 5])
        seconds += rand.choice([0, 1])
        timestamp = common.Timestamp(seconds, rand.choice([0, 1, 999_999])
                                     if server == 1 else 500_000)
        timestamp = max(timestamp, _last.get(server, timestamp))
        _last[server] = timestamp
        events = [
            _event(rand, common.EventId(server, sessions[server], i + 1),
                   timestamp)
            for i in range(rand.choice([1, 1, 2, 10, 100]))]
        await lmdb.register(events)
        written.update((event.id, event) for event in events)
        if rand.random() < 0.05:
            await lmdb.flush()

    # the last event of server 7 goes for one of server 1, its id stays
    seconds += 1
    for server in (7, 1):
        event_id = common.EventId(server, sessions[server] + 10, 1)
        event = common.Event(id=event_id,
                             type=('latest', 'last'),
                             timestamp=common.Timestamp(seconds + 8 - server, 0),
                             source_timestamp=None,
                             payload=None)
        await lmdb.register([event])
        written[event_id] = event

    # of all events that have a limit, most go: not before they are in the file
    await lmdb.flush()
    await asyncio.sleep(0.5)
    await lmdb.async_close()
    return written


_last = {}


def _event(rand, event_id, timestamp):
    first = rand.choice(['time', 'source', 'both', 'latest', 'limited'])
    number = rand.randrange(40)
    source = None
    if first in ('source', 'both') and rand.random() < 0.9:
        source = common.Timestamp(rand.choice([-5, 0, 1_600_000_000]) + number,
                                  rand.randrange(1_000_000))
    return common.Event(id=event_id,
                        type=(first, f't{number}', 'č'),
                        timestamp=timestamp,
                        source_timestamp=source,
                        payload=_payload(rand))


def _payload(rand):
    kind = rand.randrange(20)
    if kind == 0:
        return None
    if kind < 8:
        # some need pages of their own in the file, one or several
        size = rand.choice([0, 1, 30, 30, 300, 1_500, 2_100, 4_090, 20_000]
                           if kind == 1 else [0, 1, 30, 300])
        return common.EventPayloadBinary(rand.choice(['', 'kind']),
                                         rand.randbytes(size))
    return common.EventPayloadJson(rand.choice([
        None, True, -1.5, 10 ** 30, 'č"\\\n', [], {'x': [1, {'y': None}]}]))


async def _read(path):
    lmdb = await backend.create(_conf(path), None, None)
    events = []
    for server in (1, 7):
        last = None
        while True:
            result = await lmdb.query(common.QueryServerParams(
                server_id=server, last_event_id=last))
            events.extend(result.events)
            if not result.more_follows:
                break
            last = result.events[-1].id
    system = lmdb._dbs.system
    last = [{'id': system.get_last_event_id(server)._asdict(),
             'timestamp': _to_text(system.get_last_timestamp(server))}
            for server in (1, 7)]
    await lmdb.async_close()
    return events, last


def _to_line(event):
    # the text of a JSON payload is a part of the line as it is in the file
    payload = 'null'
    if isinstance(event.payload, common.EventPayloadBinary):
        payload = json.dumps({
            'kind': 'binary',
            'type': event.payload.type,
            'data': base64.b64encode(bytes(event.payload.data)).decode()})
    elif isinstance(event.payload, common.EventPayloadJson):
        text = hat_json.encode(event.payload.data)
        payload = f'{{"kind":"json","data":{text}}}'
    fields = json.dumps({
        'id': event.id._asdict(),
        'type': '/'.join(event.type),
        'segments': event.type,
        'timestamp': _to_text(event.timestamp),
        'source_timestamp': (_to_text(event.source_timestamp)
                             if event.source_timestamp else None)})
    return f'{fields[:-1]}, "payload": {payload}}}'


def _to_text(timestamp):
    time = datetime.datetime(1970, 1, 1) + datetime.timedelta(
        seconds=timestamp.s, microseconds=timestamp.us)
    return time.isoformat(timespec='microseconds') + 'Z'


if __name__ == '__main__':
    main()
