"""Nobody can make us hold without limit what they send and we cannot take, or what we answer and they
do not read. And whoever was stopped goes on.

"""

import asyncio

import pytest

from hat import aio
from hat.event import common
from hat.event import eventer as theirs

from hat_native import _native, juggler
from hat_native.drivers import chatter
from hat_native.event import eventer
from hat_native.event.common._encoder import encoder

from conftest import each
from flooding import PING, ends, flood, frame, read, web_socket
from test_chatter import contexts


PONG = b'HatChatter.Pong'
MANY = 1000

# a peer that is held up is not taken for silent, and one that is silent afterwards is
PINGS = {'ping_delay': 0.4, 'ping_timeout': 0.4}


@pytest.mark.parametrize('tls', [False, True])
async def test_chatter_pings(addr, tmp_path, tls):
    client, server = contexts(tmp_path) if tls else (None, None)
    conns = aio.Queue()
    srv = await chatter.listen(conns.put_nowait, addr, ssl=server, **PINGS)
    reader, writer = await asyncio.open_connection(addr.host, addr.port, ssl=client)
    conn = await conns.get()
    count = await flood(writer, lambda: PING * MANY)
    assert conn.is_open
    await read(reader, PONG, count * MANY)
    await asyncio.wait_for(conn.wait_closed(), 5)
    writer.close()
    await srv.async_close()


async def test_chatter_closes_while_it_is_held_up(addr):
    conns = aio.Queue()
    srv = await chatter.listen(conns.put_nowait, addr)
    reader, writer = await asyncio.open_connection(addr.host, addr.port)
    conn = await conns.get()
    await flood(writer, lambda: PING * MANY)
    conn.close()
    await ends(reader)
    await asyncio.wait_for(conn.wait_closed(), 5)
    writer.close()
    await srv.async_close()


async def test_chatter_peer_that_goes_while_it_is_held_up(addr):
    conns = aio.Queue()
    srv = await chatter.listen(conns.put_nowait, addr)
    _, writer = await asyncio.open_connection(addr.host, addr.port)
    conn = await conns.get()
    await flood(writer, lambda: PING * MANY)
    writer.transport.abort()
    await asyncio.wait_for(conn.wait_closed(), 5)
    await srv.async_close()


class EventerClient:
    """A client's machine on streams."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.machine = _native.EventerClient(encoder, 0.0, 'name', None, [], None, False, None, None)

    async def init(self):
        self.writer.write(self.machine.take())
        (kind, _), = await self.receive()
        assert kind == 0

    async def receive(self):
        data = await asyncio.wait_for(self.reader.read(1 << 20), 5)
        assert data
        return self.machine.feed(data, 0.0)[0]

    def register(self):
        event = common.RegisterEvent(('a',), None, common.EventPayloadBinary('t', bytes(10_000)))
        self.machine.register([event], True)
        return self.machine.take()


async def test_eventer_registrations_of_a_slow_callback(addr):
    """A client that is honest, and quick."""
    go_on = asyncio.Event()
    got = 0

    async def register_cb(info, events):
        nonlocal got
        got += 1
        await go_on.wait()
        return []

    srv = await eventer.listen(addr, register_cb=register_cb, **PINGS)
    client = EventerClient(*await asyncio.open_connection(addr.host, addr.port))
    await client.init()
    count = await flood(client.writer, client.register)
    assert got == 1 and len(srv.get_conn_infos()) == 1
    go_on.set()
    answers = 0
    while answers < count:
        answers += len(await client.receive())
    assert answers == got == count
    await ends(client.reader)
    client.writer.close()
    await srv.async_close()


async def test_eventer_registrations_one_for_each_answer(addr):
    """As many as may be open are, all the time."""
    srv = await eventer.listen(addr, register_cb=lambda info, events: [], receive_queue_size=4)
    c = await eventer.connect(addr, 'name')
    event = common.RegisterEvent(('a',), None, None)

    async def use():
        for _ in range(100):
            assert await c.register([event], True) == []
            await c.register([event])

    await asyncio.wait_for(asyncio.gather(*(use() for _ in range(20))), 60)
    await c.async_close()
    await srv.async_close()


@pytest.mark.parametrize('refused', [False, True])
async def test_eventer_pings_while_a_client_is_decided_on(addr, refused):
    go_on = asyncio.Event()

    async def connected_cb(info):
        await go_on.wait()
        if refused:
            raise Exception('refused')

    srv = await eventer.listen(addr, connected_cb=connected_cb, close_timeout=2, **PINGS)
    client = EventerClient(*await asyncio.open_connection(addr.host, addr.port))
    client.writer.write(client.machine.take())
    count = await flood(client.writer, lambda: PING * MANY)
    assert srv.get_conn_infos() == []
    go_on.set()
    if not refused:
        await read(client.reader, PONG, count * MANY)
    await ends(client.reader)
    client.writer.close()
    await srv.async_close()


async def test_eventer_client_that_goes_while_it_is_decided_on(addr):
    go_on = asyncio.Event()
    calls = []

    async def connected_cb(info):
        calls.append('connected')
        await go_on.wait()

    srv = await eventer.listen(addr, connected_cb=connected_cb, disconnected_cb=lambda info: calls.append('disconnected'))
    client = EventerClient(*await asyncio.open_connection(addr.host, addr.port))
    client.writer.write(client.machine.take() + PING * 100_000)
    await asyncio.sleep(0.2)
    client.writer.transport.abort()
    await asyncio.sleep(0.2)
    go_on.set()
    async with asyncio.timeout(5):
        while calls != ['connected', 'disconnected']:
            await asyncio.sleep(0.01)
    await srv.async_close()


@each(eventer, theirs)
async def test_eventer_client_that_is_silent_after_its_request(module, addr):
    """Also this one is pinged, and given up."""
    srv = await module.listen(addr, connected_cb=lambda info: asyncio.sleep(0.1), ping_delay=0.1, ping_timeout=0.1)
    client = EventerClient(*await asyncio.open_connection(addr.host, addr.port))
    await client.init()
    await ends(client.reader)
    client.writer.close()
    await srv.async_close()


async def test_eventer_events_whose_acks_are_not_read(addr):
    over = asyncio.Event()

    async def serve(reader, writer):
        machine = _native.EventerServer(encoder, 0.0, 1.0, None, None, 0)
        machine.feed(await reader.read(1 << 16), 0.0)
        machine.accept(common.Status.OPERATIONAL)
        writer.write(machine.take())
        event = common.Event(common.EventId(1, 1, 1), ('a',), common.now(), None, None)
        notification = _native.Notification(encoder, [event])

        def more():
            for _ in range(100):
                machine.notify(notification, False, True)
            return machine.take()

        count = await flood(writer, more)
        acks = 0
        async with asyncio.timeout(60):
            while acks < count * 100:
                data = await reader.read(1 << 20)
                assert data
                acks += len(machine.feed(data, 0.0)[0])
        writer.close()
        over.set()

    srv = await asyncio.start_server(serve, addr.host, addr.port)
    c = await eventer.connect(addr, 'name', subscriptions=[('*',)])
    await asyncio.wait_for(over.wait(), 100)
    await asyncio.wait_for(c.wait_closed(), 5)
    srv.close()


@pytest.mark.parametrize('ping,pong', [(frame(bytes(100), 9), b'\x8a\x64'), (frame(b'2' + b'x' * 20), b'\x81\x153')],
                         ids=['websocket', 'juggler'])
async def test_juggler_pings(port, ping, pong):
    conns = aio.Queue()
    srv = await juggler.listen('127.0.0.1', port, conns.put_nowait, **PINGS)
    reader, writer = await web_socket(port)
    conn = await conns.get()
    count = await flood(writer, lambda: ping * MANY)
    assert conn.is_open
    await read(reader, pong, count * MANY)
    await asyncio.wait_for(conn.wait_closed(), 15)
    writer.close()
    await srv.async_close()


REQUEST = frame(b'0{"type":"request","id":1,"name":"name","data":"' + b'x' * 5000 + b'"}')


@pytest.mark.parametrize('parallel', [False, True])
async def test_juggler_requests_whose_answers_are_not_read(port, parallel):
    srv = await juggler.listen('127.0.0.1', port, request_cb=lambda conn, name, data: data, parallel_requests=parallel)
    reader, writer = await web_socket(port)
    count = await flood(writer, lambda: REQUEST)
    # those that wait, and what was read before
    assert len(asyncio.all_tasks()) < 1500
    await read(reader, b'"response"', count)
    writer.close()
    await srv.async_close()


async def test_juggler_requests_of_a_slow_callback(port):
    go_on = asyncio.Event()
    running = 0

    async def request_cb(conn, name, data):
        nonlocal running
        running += 1
        await go_on.wait()

    conns = aio.Queue()
    srv = await juggler.listen('127.0.0.1', port, conns.put_nowait, request_cb=request_cb, parallel_requests=True, **PINGS)
    reader, writer = await web_socket(port)
    conn = await conns.get()
    count = await flood(writer, lambda: REQUEST)
    # what a read brings at once is taken
    assert 1024 <= running < 1500
    assert conn.is_open
    go_on.set()
    await read(reader, b'"response"', count)
    assert running == count
    writer.close()
    await srv.async_close()


async def test_messages_that_nobody_takes_are_no_silence(addr):
    conns = aio.Queue()
    srv = await chatter.listen(conns.put_nowait, addr, receive_queue_size=4, ping_delay=0.05, ping_timeout=0.05)
    a = await chatter.connect(addr)
    b = await conns.get()
    for _ in range(2):
        for i in range(10):
            await a.send(chatter.Data(str(i), b''))
        await asyncio.sleep(0.4)
        assert a.is_open and b.is_open
        for i in range(10):
            assert (await b.receive()).data.type == str(i)
    # and what is silence afterwards is
    await asyncio.sleep(0.2)
    assert b.is_open
    a._link.transport.pause_reading()
    await asyncio.wait_for(b.wait_closed(), 5)
    a.close()
    await srv.async_close()


async def test_notifications_that_wait_are_no_silence(port):
    go_on = asyncio.Event()
    got = 0

    async def notify_cb(c, name, data):
        nonlocal got
        got += 1
        await go_on.wait()

    conns = aio.Queue()
    srv = await juggler.listen('127.0.0.1', port, conns.put_nowait)
    c = await juggler.connect(f'ws://127.0.0.1:{port}/ws', notify_cb, ping_delay=0.05, ping_timeout=0.05)
    conn = await conns.get()
    for _ in range(2000):
        await conn.notify('name', None)
    await asyncio.sleep(0.4)
    assert c.is_open
    go_on.set()
    async with asyncio.timeout(5):
        while got < 2000:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert c.is_open
    await c.async_close()
    await srv.async_close()


def test_the_rest_of_a_message_is_late_only_where_it_could_be_read():
    machine = _native.Chatter((chatter.Msg, chatter.Data, chatter.Conversation), 0.0)
    machine.feed(PING[:10], 0.0)
    due = machine.arm()
    machine.pause(1.0)
    machine.poll(due + 1000)
    machine.resume(due + 2000)
    machine.poll(due + 2000)
    assert machine.over is None
    machine.poll(machine.arm() - 1)
    assert machine.over is None
    machine.poll(machine.arm())
    assert machine.over


async def test_senders_that_write_nothing_do_not_stop_the_others(addr):
    go_on = asyncio.Event()

    async def serve(reader, writer):
        await go_on.wait()
        await ends(reader)
        writer.close()

    srv = await asyncio.start_server(serve, addr.host, addr.port)
    conn = await chatter.connect(addr, send_queue_size=4)

    def send(data):
        return asyncio.create_task(conn.send(chatter.Data('t', data)))

    right = [send(bytes(1 << 16)) for _ in range(400)]
    await asyncio.sleep(0.5)
    assert not right[-1].done()
    wrong = [send('no bytes') for _ in range(50)]
    right.append(send(b'x'))
    wrong += [send('no bytes') for _ in range(50)]
    right.append(send(b'x'))
    given_up = [send(b'x') for _ in range(50)]
    right.append(send(b'x'))
    await asyncio.sleep(0)
    go_on.set()
    right[-5].add_done_callback(lambda _: [i.cancel() for i in given_up])
    await asyncio.wait_for(asyncio.gather(*right), 10)
    for task in wrong:
        with pytest.raises(TypeError):
            await task
    # they went in the order in which they came
    sent = [task.result().first_id for task in right]
    assert sent == sorted(sent)
    await conn.async_close()
    srv.close()


async def test_juggler_response_behind_a_callback_when_the_connection_ends(port):
    conns = aio.Queue()
    srv = await juggler.listen('127.0.0.1', port, conns.put_nowait, request_cb=request_cb)
    called = asyncio.Event()

    async def notify_cb(c, name, data):
        called.set()
        await asyncio.Event().wait()

    c = await juggler.connect(f'ws://127.0.0.1:{port}/ws', notify_cb)
    conn = await conns.get()
    await conn.notify('name', None)
    await called.wait()
    answered = asyncio.create_task(c.send('name', 5))
    refused = asyncio.create_task(c.send('fail', 5))
    waiting = asyncio.create_task(c.send('wait', 5))
    await asyncio.sleep(0.2)
    await conn.async_close()
    assert await asyncio.wait_for(answered, 5) == 5
    with pytest.raises(juggler.JugglerError):
        await refused
    with pytest.raises(ConnectionError):
        await waiting
    await asyncio.wait_for(c.wait_closed(), 5)
    await srv.async_close()


async def request_cb(conn, name, data):
    if name == 'fail':
        raise Exception()
    if name == 'wait':
        await asyncio.Event().wait()
    return data


async def test_eventer_response_behind_a_callback_when_the_connection_ends(addr):
    srv = await eventer.listen(addr, register_cb=register_cb)
    called = asyncio.Event()

    async def events_cb(c, events):
        called.set()
        await asyncio.Event().wait()

    c = await eventer.connect(addr, 'name', subscriptions=[('*',)], events_cb=events_cb)
    await srv.notify_events([common.Event(common.EventId(1, 1, 1), ('a',), common.now(), None, None)], False)
    await called.wait()
    answered = asyncio.create_task(c.register([], True))
    waiting = asyncio.create_task(c.register([common.RegisterEvent(('wait',), None, None)], True))
    await asyncio.sleep(0.2)
    await srv.async_close()
    assert await asyncio.wait_for(answered, 5) == []
    with pytest.raises(ConnectionError):
        await waiting
    await asyncio.wait_for(c.wait_closed(), 5)


async def register_cb(info, events):
    if events:
        await asyncio.Event().wait()
    return []
