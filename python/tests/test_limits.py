"""Limits that the machines have and the deployed modules have not: under programs that were written for those, they are off.

The machines are told the time, so that here nobody waits for it.

"""

import json

import pytest

from hat_native import _native
from hat_native.drivers import chatter
from hat_native.event import common
from hat_native.event.common._encoder import encoder


DAYS = 1e7
"""Seconds, some hundred days"""


def chatters():
    return [_native.Chatter((chatter.Msg, chatter.Data, chatter.Conversation), 0.0) for _ in range(2)]


def cotps():
    a, b = (_native.Cotp(0.0, 1, connect) for connect in (True, False))
    b.feed(taken(a), 0.0)
    a.feed(taken(b), 0.0)
    return a, b


def jugglers():
    return [_native.JugglerTexts((json.dumps, json.loads), 0.0, client, 1, 100, None, None) for client in (True, False)]


def peers():
    return [_native.PeerTexts((json.dumps, json.loads), 0.0, client, 1) for client in (True, False)]


def init(subscriptions):
    client = _native.EventerClient(encoder, 0.0, 'name', None, subscriptions, None, False, None, None)
    return client, server()


def taken(machine):
    return b''.join(bytes(part) for part in iter(machine.take, None))


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
    data = taken(a)
    b.feed(data[:len(data) // 2], 1.0)
    b.poll(DAYS)
    b.poll(2 * DAYS)
    incoming, _ = b.feed(data[len(data) // 2:], 2 * DAYS)
    assert b.over is None and len(incoming) == 1


def test_parts_without_data_may_be_many():
    a, b = cotps()
    a.send(b'the end')
    incoming, _ = b.feed(bytes.fromhex('03 00 00 07 02 f0 00') * 10_000 + taken(a), 0.0)
    assert b.over is None and incoming[-1] == b'the end'


@pytest.mark.parametrize('subscriptions', [[('a' * 1000, str(i)) for i in range(2000)],
                                           [(str(i), *'abcdefghij') for i in range(20_000)]], ids=['bytes', 'segments'])
def test_a_client_may_subscribe_to_much(subscriptions):
    client, srv = init(subscriptions)
    incoming, _ = srv.feed(taken(client), 0.0)
    assert srv.over is None and len(incoming[0][3]) == len(subscriptions)


def test_a_client_may_register_much():
    """What a deployed client sends as one message, which has no limit."""
    client, srv = init([])
    srv.feed(taken(client), 0.0)
    srv.accept(common.Status.OPERATIONAL)
    events = [common.RegisterEvent((), None, None)] * 300_000
    raw, _ = chatters()
    raw.send('HatEventer.MsgRegisterReq', encoder.encode_register_events(events), None, True, True)
    incoming, _ = srv.feed(taken(raw), 0.0)
    assert srv.over is None and incoming[0][1].take() == events


def test_the_limits_that_are_left():
    """Those of the table of differences: what is over them is refused at the call, and ends nothing."""

    def payload(data):
        return [common.RegisterEvent(('a',), None, common.EventPayloadJson(data))]

    client, srv = init([])
    srv.feed(taken(client), 0.0)
    srv.accept(common.Status.OPERATIONAL)
    client.feed(taken(srv), 0.0)
    deep = json.loads('[' * 128 + ']' * 128)
    few = [common.RegisterEvent((), None, None)] * 200_000
    for events, count in ((few, 200_000), (payload(deep), 1), (payload(17 * 10 ** 307), 1)):
        client.register(events, False)
        incoming, _ = srv.feed(taken(client), 0.0)
        assert len(incoming) == 1 and incoming[0][1].take() == events
    for events in ([*few, *few[:1]], payload([deep]), payload(18 * 10 ** 307)):
        with pytest.raises(ValueError):
            client.register(events, False)
    assert client.over is None and srv.over is None

    for fits, limit in (([('a',) * 128], [('a',) * 129]), ([places(i) for i in range(256)], [places(i) for i in range(257)])):
        common.create_subscription(fits)
        with pytest.raises(ValueError):
            common.create_subscription(limit)
        client, srv = init(limit)
        incoming, _ = srv.feed(taken(client), 0.0)
        assert not incoming
        client.feed(taken(srv), 0.0)
        assert client.refusal


def places(number):
    """A query type of its own set of places for `?`"""
    return tuple('?' if number >> i & 1 else f'{number}' for i in range(9))
