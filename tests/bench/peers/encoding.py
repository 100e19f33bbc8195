"""hat-sbs with its serializer in C, alone: `[--decode] MS`"""

import statistics
import sys
import time

from hat import sbs
from hat.event.common import sbs_repo
from hat.sbs import serializer

import side


EVENTS = 1000


def event(index):
    # the same as in src/eventer/events.rs
    json = (f'{{"value": {index:>8}, "quality": "good", "unit": "kW", '
            f'"n": 1}}')
    return {'id': {'server': 1, 'session': 42, 'instance': index + 1},
            'type': ['gateway', str(index // 100),
                     f'device{index % 100}', 'measurement'],
            'timestamp': {'s': 1_700_000_000, 'us': 0},
            'sourceTimestamp': ('value', {'s': 1_699_999_999, 'us': 0}),
            'payload': ('value', ('json', json))}


def main():
    assert serializer.DefaultSerializer is sbs.CSerializer
    name = 'HatEventer.MsgEventsNotify'
    events = [event(i) for i in range(EVENTS)]
    data = sbs_repo.encode(name, events)
    assert sbs_repo.decode(name, data) == events
    side.ready()

    call = ((lambda: sbs_repo.decode(name, data)) if '--decode' in sys.argv
            else (lambda: sbs_repo.encode(name, events)))
    seconds = int(sys.argv[-1]) / 1000 / 5

    def once():
        start, calls = time.monotonic(), 0
        while time.monotonic() - start < seconds:
            call()
            calls += 1
        return (time.monotonic() - start) / calls

    each = statistics.median(once() for _ in range(5)) / EVENTS
    side.done(seconds=each, bytes=len(data) / EVENTS)


main()
