import asyncio
import inspect
import logging
import math
import pickle

import pytest

from hat import aio
from hat.aio.group import GroupClosedError
from hat.drivers import chatter as raw_chatter, net
from hat.event import common
from hat.event import eventer as theirs
from hat.event.eventer import common as eventer_common

from hat_native import _link
from hat_native.drivers import chatter as our_chatter
from hat_native.event import common as our_common
from hat_native.event import eventer as ours

from conftest import each, leaves, sides


Status = common.Status


def payloads():
    json = common.EventPayloadJson
    return [None, common.EventPayloadBinary('t', b'\x00\xff'), json(None), json(True), json(-5), json(1 << 70), json(0.1),
            json(1e300), json('text "quoted" \\ \n čž 😀'), json([]), json([1, [2, {'a': None}]]),
            json({'a': {'b': [1.5, 'x']}, 'č': 1}), json({})]


def register_events():
    return [common.RegisterEvent(('a', 'b', str(i)), common.Timestamp(i - 5, i * 1000) if i % 2 else None, payload)
            for i, payload in enumerate(payloads())]


def to_event(event, instance, server=1):
    return common.Event(common.EventId(server, 2, instance), event.type, common.Timestamp(123, 456),
                        event.source_timestamp, event.payload)


def events():
    return [to_event(event, i + 1) for i, event in enumerate(register_events())]


async def until(check):
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.005)


def test_names():
    assert ours.__all__ == theirs.__all__
    assert ours.EventerInitError is theirs.EventerInitError and ours.ConnectionInfo is theirs.ConnectionInfo
    for name in common.__all__:
        assert hasattr(our_common, name), name
    for name in ('Event', 'RegisterEvent', 'Timestamp', 'Status', 'QueryResult', 'Subscription'):
        assert getattr(our_common, name) is getattr(common, name)
    for name in ('connect', 'listen'):
        a, b = (inspect.signature(getattr(module, name)).parameters for module in (ours, theirs))
        assert [(i.name, i.kind, i.default) for i in a.values()] == [(i.name, i.kind, i.default) for i in b.values()]


@sides(ours, theirs)
async def test_register(client, server, addr):
    got = []

    async def register_cb(info, events):
        got.append((info, events))
        await asyncio.sleep(0)
        return [to_event(event, i + 1) for i, event in enumerate(events)]

    srv = await server.listen(addr, register_cb=register_cb, status=Status.OPERATIONAL)
    c = await client.connect(addr, 'name', client_token='token')
    assert c.is_open and c.status == Status.OPERATIONAL
    result = await c.register(register_events(), True)
    assert result == events()
    assert [type(i) for i in result] == [common.Event] * len(result)
    assert type(result[1].type) is tuple and type(result[1].id) is common.EventId
    assert type(result[1].source_timestamp) is common.Timestamp and result[2].payload == common.EventPayloadJson(None)
    assert pickle.loads(pickle.dumps(result)) == result
    info, received = got[0]
    assert received == register_events()
    assert (info.id, info.client_name, info.client_token, info.server_id, info.persisted) == (1, 'name', 'token', None, False)
    assert srv.get_conn_infos() == [info]

    assert await c.register(iter(()), True) == []
    assert await c.register(tuple(register_events()[:1])) is None
    assert await c.register([]) is None
    await until(lambda: len(got) == 4)
    assert got[2][1] == register_events()[:1]

    # many at once, each with its own answer
    results = await asyncio.gather(*(c.register([common.RegisterEvent((str(i),), None, None)], True) for i in range(200)))
    assert [i[0].type for i in results] == [(str(i),) for i in range(200)]
    await c.async_close()
    await until(lambda: not srv.get_conn_infos())
    with pytest.raises(ConnectionError):
        await c.register([], False)
    await srv.async_close()


@sides(ours, theirs)
async def test_query(client, server, addr):
    got = []

    def query_cb(info, params):
        got.append(params)
        return common.QueryResult(events(), True)

    srv = await server.listen(addr, query_cb=query_cb)
    c = await client.connect(addr, 'name')
    timestamp, event_id = common.Timestamp(1, 2), common.EventId(1, 2, 3)
    queries = [common.QueryLatestParams(), common.QueryLatestParams([]), common.QueryLatestParams([('a', '*'), ()]),
               common.QueryTimeseriesParams(),
               common.QueryTimeseriesParams([('?',)], timestamp, timestamp, timestamp, timestamp, common.Order.ASCENDING,
                                            common.OrderBy.SOURCE_TIMESTAMP, 5, event_id),
               common.QueryServerParams(5), common.QueryServerParams(5, True, 0, event_id)]
    for params in queries:
        assert await c.query(params) == common.QueryResult(events(), True)
    assert got == queries
    assert all(type(a) is type(b) for a, b in zip(got, queries))
    with pytest.raises(ValueError):
        await c.query('not params')
    await c.async_close()
    await srv.async_close()

    srv = await server.listen(addr)
    c = await client.connect(addr, 'name')
    assert await c.query(common.QueryLatestParams()) == common.QueryResult([], False)
    assert await c.register([], True) is None
    await c.async_close()
    await srv.async_close()


@sides(ours, theirs)
@pytest.mark.parametrize('with_ack', [True, False])
@pytest.mark.parametrize('persisted', [True, False])
async def test_notify(client, server, addr, with_ack, persisted):
    srv = await server.listen(addr)
    seen = {}

    async def connect(name, *subscriptions, **args):
        async def events_cb(c, events):
            await asyncio.sleep(0.02)
            seen.setdefault(name, []).append(events)
        return await client.connect(addr, name, subscriptions=subscriptions, events_cb=events_cb, **args)

    clients = [await connect('all', ('*',), persisted=persisted),
               await connect('some', ('a', 'b', '?'), ('x',), persisted=persisted, server_id=1),
               await connect('other server', ('*',), persisted=persisted, server_id=2),
               await connect('none', persisted=persisted),
               await connect('other', ('*',), persisted=not persisted)]
    clients.append(await client.connect(addr, 'no callback', subscriptions=[('*',)], persisted=persisted))
    notified = [*events(), to_event(common.RegisterEvent(('c',), None, None), 50),
                to_event(common.RegisterEvent(('d',), None, None), 51, server=2)]
    await srv.notify_events(notified, persisted, with_ack)
    if with_ack:
        assert set(seen) == {'all', 'some', 'other server'}
    await until(lambda: len(seen) == 3)
    assert seen == {'all': [notified], 'some': [notified[:-2]], 'other server': [notified[-1:]]}
    assert type(seen['all'][0]) is list
    await srv.notify_events([], persisted, with_ack)
    for c in clients:
        await c.async_close()
    await srv.notify_events(notified, persisted, with_ack)
    await srv.async_close()


@sides(ours, theirs)
async def test_acks_end_with_the_connection(client, server, addr):
    srv = await server.listen(addr)
    blocked = asyncio.Event()
    c = await client.connect(addr, 'name', subscriptions=[('*',)], events_cb=lambda c, events: blocked.wait())
    notifying = asyncio.create_task(srv.notify_events(events(), False, True))
    await asyncio.sleep(0.05)
    assert not notifying.done()
    await c.async_close()
    await asyncio.wait_for(notifying, 5)
    await srv.async_close()


@each(ours, theirs)
@pytest.mark.parametrize('with_ack', [False, True])
async def test_a_server_that_closes_while_a_client_takes_nothing(module, addr, with_ack, monkeypatch):
    """Neither who waits for room nor who notifies while the server closes is told of it by an exception."""
    if with_ack and module is theirs:
        return  # raises GroupClosedError
    monkeypatch.setattr(_link, 'FLUSH_TIMEOUT', 0.1)
    srv = await module.listen(addr, send_queue_size=1, ping_delay=None)
    blocked = asyncio.Event()
    c = await module.connect(addr, 'name', subscriptions=[('*',)], receive_queue_size=1, ping_delay=None,
                             events_cb=lambda c, events: blocked.wait())
    event = common.Event(common.EventId(1, 1, 1), ('a',), common.now(), None,
                         common.EventPayloadBinary('', bytes(4 * 1024 * 1024)))
    while True:
        waiting = asyncio.create_task(srv.notify_events([event], False))
        if not (await asyncio.wait([waiting], timeout=1))[0]:
            break
        await waiting
    srv.close()
    await asyncio.wait_for(srv.notify_events([event], False, with_ack), 15)
    await asyncio.wait_for(waiting, 15)
    blocked.set()
    await c.async_close()
    await srv.async_close()


@sides(ours, theirs)
async def test_status(client, server, addr):
    srv = await server.listen(addr)
    seen = []
    c = await client.connect(addr, 'name', status_cb=lambda c, status: seen.append((c, status)))
    quiet = await client.connect(addr, 'quiet')
    assert c.status == Status.STANDBY
    for status in (Status.STANDBY, Status.STARTING, Status.STARTING, Status.OPERATIONAL, Status.STOPPING):
        await srv.set_status(status)
    await until(lambda: len(seen) == 3 and quiet.status == Status.STOPPING)
    assert seen == [(c, Status.STARTING), (c, Status.OPERATIONAL), (c, Status.STOPPING)]
    assert c.status == Status.STOPPING
    await c.async_close()
    await quiet.async_close()
    await srv.async_close()


@sides(ours, theirs)
async def test_refused_clients(client, server, addr):
    disconnected = []

    def connected_cb(info):
        if info.client_token != 'right':
            raise Exception('wrong token')

    srv = await server.listen(addr, connected_cb=connected_cb, disconnected_cb=disconnected.append, close_timeout=0.1)
    with pytest.raises(theirs.EventerInitError, match='wrong token'):
        await client.connect(addr, 'name')
    with pytest.raises(theirs.EventerInitError):
        await client.connect(addr, 'name', client_token='right', subscriptions=[('*', 'a')])
    assert srv.get_conn_infos() == [] and disconnected == []
    c = await client.connect(addr, 'name', client_token='right')
    info, = srv.get_conn_infos()
    await c.async_close()
    await until(lambda: disconnected == [info])
    await srv.async_close()


@sides(ours, theirs)
async def test_requests_of_one_client_go_one_after_the_other(client, server, addr):
    running = most = 0

    async def register_cb(info, events):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return []

    srv = await server.listen(addr, register_cb=register_cb)
    c = await client.connect(addr, 'name')
    await asyncio.gather(*(c.register([], True) for _ in range(5)))
    assert most == 1
    other = await client.connect(addr, 'other')
    await asyncio.gather(c.register([], True), other.register([], True))
    assert most == 2
    await c.async_close()
    await other.async_close()
    await srv.async_close()


@sides(ours, theirs)
async def test_callbacks_come_in_order(client, server, addr):
    """What was notified before a response is handled before it."""
    order = []

    async def register_cb(info, events):
        await srv.notify_events([to_event(i, 1) for i in events], False)
        return []

    async def events_cb(c, events):
        await asyncio.sleep(0.01)
        order.append('events')

    srv = await server.listen(addr, register_cb=register_cb)
    c = await client.connect(addr, 'name', subscriptions=[('*',)], events_cb=events_cb,
                             status_cb=lambda c, status: order.append('status'))
    for _ in range(3):
        await c.register([common.RegisterEvent(('a',), None, None)], True)
        order.append('response')
    await srv.notify_events(events(), False)
    await srv.set_status(Status.OPERATIONAL)
    await until(lambda: 'status' in order)
    assert order == ['events', 'response'] * 3 + ['events', 'status']
    await c.async_close()
    await srv.async_close()


@each(ours, theirs)
async def test_exceptions_in_callbacks_end_the_connection(module, addr, caplog):
    def fail(*args):
        raise Exception('it does not work')

    async def connect(**args):
        return await module.connect(addr, 'name', subscriptions=[('*',)], **args)

    srv = await module.listen(addr, register_cb=fail, query_cb=fail)
    c = await connect()
    with pytest.raises(ConnectionError):
        await c.register([], True)
    await c.wait_closed()
    c = await connect()
    with pytest.raises(ConnectionError):
        await c.query(common.QueryLatestParams())
    c = await connect(events_cb=fail)
    other = await connect(status_cb=fail)
    await srv.notify_events(events(), False)
    await asyncio.wait_for(c.wait_closed(), 5)
    await srv.set_status(Status.OPERATIONAL)
    await asyncio.wait_for(other.wait_closed(), 5)
    assert srv.is_open
    await srv.async_close()
    assert 'it does not work' in caplog.text


@sides(ours, theirs)
async def test_open_requests_fail_with_the_connection(client, server, addr):
    cancelled = asyncio.Event()

    async def register_cb(info, events):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    srv = await server.listen(addr, register_cb=register_cb)
    c = await client.connect(addr, 'name')
    waiting = [asyncio.create_task(c.register([], True)), asyncio.create_task(c.query(common.QueryLatestParams()))]
    await asyncio.sleep(0.05)
    given_up = asyncio.create_task(c.query(common.QueryLatestParams()))
    await asyncio.sleep(0)
    given_up.cancel()
    await srv.async_close()
    await asyncio.wait_for(cancelled.wait(), 5)
    for task in waiting:
        with pytest.raises(ConnectionError):
            await task
    await asyncio.wait_for(c.wait_closed(), 5)


@each(ours, theirs)
async def test_closing_server_disconnects(module, addr):
    calls = []

    async def disconnected_cb(info):
        await asyncio.sleep(0)
        calls.append(info.client_name)

    srv = await module.listen(addr, disconnected_cb=disconnected_cb)
    clients = [await module.connect(addr, str(i)) for i in range(3)]
    await srv.async_close()
    assert sorted(calls) == ['0', '1', '2']
    for c in clients:
        await asyncio.wait_for(c.wait_closed(), 5)
        with pytest.raises(ConnectionError):
            await c.register([], True)


@pytest.mark.parametrize('said', ['', '01', '0120818101'])
@each(ours, theirs)
async def test_server_that_goes_before_it_answers(module, addr, said):
    srv = await leaves(addr, said)
    with pytest.raises(ConnectionError):
        await module.connect(addr, 'name')
    await srv.async_close()


@each(ours, theirs)
async def test_client_against_what_is_no_server(module, addr):
    conns = aio.Queue()
    srv = await raw_chatter.listen(conns.put_nowait, addr)

    async def answer(type_, data, same=True):
        conn = await conns.get()
        msg = await conn.receive()
        assert msg.data.type == 'HatEventer.MsgInitReq'
        await conn.send(raw_chatter.Data(type_, common.sbs_repo.encode(type_, data)), conv=msg.conv if same else None)

    for args in (('HatEventer.MsgStatusNotify', ('standby', None)), ('HatEventer.MsgInitRes', ('success', ('standby', None)), False)):
        answering = asyncio.create_task(answer(*args))
        with pytest.raises(Exception):
            await asyncio.wait_for(module.connect(addr, 'name'), 5)
        await answering
    connecting = asyncio.create_task(module.connect(addr, 'name'))
    await (await conns.get()).async_close()
    with pytest.raises(ConnectionError):
        await connecting
    connecting = asyncio.create_task(module.connect(addr, 'name'))
    conn = await conns.get()
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    await asyncio.wait_for(conn.wait_closed(), 5)
    await srv.async_close()


@each(ours, theirs)
async def test_server_against_what_is_no_client(module, addr):
    disconnected = []
    srv = await module.listen(addr, disconnected_cb=disconnected.append)
    for name, data in (('HatEventer.MsgQueryReq', ('latest', {'eventTypes': ('none', None)})), ('HatEventer.MsgInitReq', None)):
        conn = await raw_chatter.connect(addr)
        encoded = common.sbs_repo.encode(name, data) if data else b'\x00'
        await conn.send(raw_chatter.Data(name, encoded), last=False)
        await asyncio.wait_for(conn.wait_closed(), 5)
    assert disconnected == []
    await srv.async_close()


async def test_values_that_cannot_be_sent_do_not_end_the_connection(addr):
    srv = await ours.listen(addr, register_cb=lambda info, events: [])
    c = await ours.connect(addr, 'name')
    event = common.RegisterEvent(('a',), None, None)
    for wrong in (event._replace(type=5), event._replace(type=(1,)), event._replace(payload='x'),
                  event._replace(source_timestamp=5), event._replace(payload=common.EventPayloadJson(object())),
                  event._replace(payload=common.EventPayloadJson(math.nan)), None):
        with pytest.raises(Exception):
            await c.register([wrong], True)
    assert await c.register([event], True) == []
    await c.async_close()
    await srv.async_close()


@each(ours, theirs)
async def test_who_was_told_of_a_client_is_told_of_its_end(module, addr):
    """Also where the server closes in between. Connections that never became clients have numbers too."""
    calls = []
    waits = asyncio.Event()

    async def connected_cb(info):
        calls.append(('connected', info.id))
        if info.client_name == 'waits':
            waits.set()
            await asyncio.Event().wait()

    srv = await module.listen(addr, connected_cb=connected_cb, disconnected_cb=lambda info: calls.append(('disconnected', info.id)))
    conn = await net.connect(addr)
    await conn.async_close()
    c = await module.connect(addr, 'name')
    await c.async_close()
    await until(lambda: len(calls) == 2)
    connecting = asyncio.create_task(module.connect(addr, 'waits'))
    await waits.wait()
    await srv.async_close()
    with pytest.raises(ConnectionError):
        await connecting
    assert calls == [('connected', 2), ('disconnected', 2), ('connected', 3), ('disconnected', 3)]


@pytest.mark.parametrize('true,false', [(1, 0), ([0], []), ('x', None)])
@each(ours, theirs)
async def test_flags_are_whatever_is_true(module, addr, true, false):
    got = aio.Queue()
    srv = await module.listen(addr, register_cb=lambda info, events: [])
    c = await module.connect(addr, 'name', subscriptions=[('*',)], persisted=true, events_cb=lambda c, events: got.put_nowait(events))
    assert srv.get_conn_infos()[0].persisted is True
    assert await c.register([], true) == []
    assert await c.register([], false) is None
    await srv.notify_events(events(), True, true)
    assert got.get_nowait() == events()
    await srv.notify_events(events(), True, false)
    assert await got.get() == events()
    await c.async_close()
    await srv.async_close()


@each(ours, theirs)
async def test_a_server_that_goes_right_after_it_took_the_client(module, addr):
    """Whoever connects has a client that is closed, or a `ConnectionError`."""
    init = common.sbs_repo.encode('HatEventer.MsgInitRes', ('success', ('standby', None)))

    async def take(conn):
        msg = await conn.receive()
        await conn.send(raw_chatter.Data('HatEventer.MsgInitRes', init), conv=msg.conv)
        # what follows is no message
        await conn.drain()
        await conn._conn.write(b'\xff' * 300)
        await conn.async_close()

    srv = await raw_chatter.listen(take, addr)
    for _ in range(20):
        try:
            c = await module.connect(addr, 'name')
        except (ConnectionError, GroupClosedError) as e:
            assert isinstance(e, ConnectionError) or module is theirs
        else:
            await asyncio.wait_for(c.wait_closed(), 5)
    await srv.async_close()


@each(ours, theirs)
async def test_an_event_that_cannot_be_encoded(module, addr, caplog):
    """Who should be told of it is not told, and neither the others nor who notifies them notices."""
    told = {}

    async def connect(name, type_):
        told[name] = []
        return await module.connect(addr, name, subscriptions=[type_], events_cb=lambda c, events: told[name].extend(events))

    srv = await module.listen(addr)
    clients = [await connect('a', ('a',)), await connect('b', ('b',))]
    good = to_event(common.RegisterEvent(('b',), None, None), 1)
    wrong = good._replace(type=('a',), payload=common.EventPayloadJson(math.nan))
    for with_ack in (False, True):
        caplog.clear()
        await srv.notify_events([wrong, good], False, with_ack)
        assert 'notify events error' in caplog.text
    # nobody wants this one
    caplog.clear()
    await srv.notify_events([wrong._replace(type=('c',)), good], False)
    await until(lambda: len(told['b']) == 3)
    assert told == {'a': [], 'b': [good] * 3} and caplog.text == ''
    await srv.notify_events([good._replace(type=('a',))], False)
    await until(lambda: told['a'])
    for c in clients:
        await c.async_close()
    await srv.async_close()


def test_codecs():
    encoder = our_common._encoder.encoder
    data = common.sbs_repo.encode('HatEventer.MsgEventsNotify', [common.event_to_sbs(i) for i in events()])
    assert encoder.encode_events(events()) == data
    assert encoder.decode_events(data) == events()
    data = common.sbs_repo.encode('HatEventer.MsgRegisterReq',
                                  [common.register_event_to_sbs(i) for i in register_events()
                                   if i.payload != common.EventPayloadJson(1 << 70)])
    decoded = encoder.decode_register_events(data)
    assert encoder.encode_register_events(decoded) == data
    for wrong in (b'', b'\x85', data[:-1], data + b'x'):
        with pytest.raises(ValueError):
            encoder.decode_register_events(wrong)


def test_encoding_inside_of_encoding():
    """A class of a program's may do anything when it is asked for its items."""
    encoder = our_common._encoder.encoder
    inner = encoder.encode_events(events())

    class Odd(dict):
        def items(self):
            assert encoder.encode_events(events()) == inner
            return super().items()

    event = events()[0]._replace(payload=common.EventPayloadJson(Odd(a=[1])))
    plain = event._replace(payload=common.EventPayloadJson({'a': [1]}))
    assert encoder.encode_events([event, plain]) == encoder.encode_events([plain, plain])


def test_subscriptions():
    import itertools
    types = [tuple(i) for n in range(4) for i in itertools.product('ab', repeat=n)]
    queries = [(), ('*',), ('a',), ('a', '*'), ('?',), ('?', 'a'), ('a', '?', '*'), ('b', 'a', 'b'), ('?', '?', 'b')]
    sets = [list(i) for n in range(3) for i in itertools.combinations(queries, n)]
    for query_types in sets:
        our, their = our_common.create_subscription(query_types), common.create_subscription(query_types)
        assert isinstance(our, common.Subscription)
        for type_ in types:
            assert our.matches(type_) == their.matches(type_)
        assert set(pickle.loads(pickle.dumps(our)).get_query_types()) == set(our.get_query_types())
        for other in sets[::5]:
            one, two = our_common.create_subscription(other), common.create_subscription(other)
            assert our.isdisjoint(one) == our.isdisjoint(two)
            for type_ in types:
                assert our.union(one, two).matches(type_) == their.union(two).matches(type_)
                # the deployed one forgets the type that `*` stands for with no segment
                both = our.matches(type_) and one.matches(type_)
                assert our.intersection(two).matches(type_) == both
    with pytest.raises(ValueError):
        our_common.create_subscription([('*', 'a')])
    for type_, query in itertools.product(types, queries):
        assert our_common.matches_query_type(type_, query) == common.matches_query_type(type_, query)


def test_timestamps():
    import datetime
    for t in (common.Timestamp(0, 0), common.Timestamp(-1, 999999), common.Timestamp(1_700_000_000, 123456), common.min_timestamp,
              common.max_timestamp):
        data = common.timestamp_to_bytes(t)
        assert our_common.timestamp_to_bytes(t) == data and our_common.timestamp_from_bytes(data) == t
        assert our_common.timestamp_to_float(t) == common.timestamp_to_float(t)
    for t in (0.0, 1.5, -0.25, 1e9 + 0.1, 0.9999999, -1.0):
        assert our_common.timestamp_from_float(t) == common.timestamp_from_float(t)
    for t in (common.Timestamp(0, 5), common.Timestamp(-5, 5), common.Timestamp(1_700_000_000, 123456)):
        dt = common.timestamp_to_datetime(t)
        assert our_common.timestamp_to_datetime(t) == dt
        assert our_common.timestamp_from_datetime(dt) == common.timestamp_from_datetime(dt)
        assert our_common.timestamp_from_datetime(dt.replace(tzinfo=None)) == common.timestamp_from_datetime(dt)
    assert abs(our_common.timestamp_to_float(our_common.now()) - datetime.datetime.now().timestamp()) < 5
