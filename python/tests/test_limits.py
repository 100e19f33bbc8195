"""Limits that the machines have and the deployed modules have not: under programs that were written for those, they are off.

The machines are told the time, so that here nobody waits for it.

"""

import json

import pytest

from hat_native import _native
from hat_native.drivers import chatter
from hat_native.event.common._encoder import encoder


DAYS = 1e7
"""Seconds, some hundred days"""


def chatters():
    return [_native.Chatter((chatter.Msg, chatter.Data, chatter.Conversation), 0.0) for _ in range(2)]


def cotps():
    a, b = (_native.Cotp(0.0, 1, connect) for connect in (True, False))
    b.feed(a.take(), 0.0)
    a.feed(b.take(), 0.0)
    return a, b


def jugglers():
    return [_native.JugglerTexts((json.dumps, json.loads), 0.0, client, 1, 100, None, None) for client in (True, False)]


def peers():
    return [_native.PeerTexts((json.dumps, json.loads), 0.0, client, 1) for client in (True, False)]


def init(subscriptions):
    client = _native.EventerClient(encoder, 0.0, 'name', None, subscriptions, None, False, None, None)
    return client, server()


def server():
    return _native.EventerServer(encoder, 0.0, 0.5, None, None, 1024)


@pytest.mark.parametrize('open_pair,send', [
    (chatters, lambda a: a.send('t', bytes(200_000), None, True, True)),
    (cotps, lambda a: a.send(bytes(200_000))),
    (jugglers, lambda a: a.send('x' * 200_000)),
    (peers, lambda a: a.send('x' * 200_000)),
    (lambda: init([('a',)] * 1000), lambda a: None)],
    ids=['chatter', 'cotp', 'juggler', 'juggler05', 'eventer'])
def test_a_message_may_take_any_time(open_pair, send):
    a, b = open_pair()
    send(a)
    data = b''
    while (part := a.take()) is not None:
        data += bytes(part)
    b.feed(data[:len(data) // 2], 1.0)
    b.poll(DAYS)
    b.poll(2 * DAYS)
    incoming, _ = b.feed(data[len(data) // 2:], 2 * DAYS)
    assert b.over is None and len(incoming) == 1


def test_parts_without_data_may_be_many():
    a, b = cotps()
    a.send(b'the end')
    incoming, _ = b.feed(bytes.fromhex('03 00 00 07 02 f0 00') * 10_000 + bytes(a.take()), 0.0)
    assert b.over is None and incoming[-1] == b'the end'
