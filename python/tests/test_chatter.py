import asyncio
import logging
import pathlib
import pickle
import ssl

import pytest

from hat import aio
from hat.drivers import chatter as theirs
from hat.drivers import net

from hat_native.drivers import chatter as ours
from hat_native.drivers import net as our_net

from conftest import each, sides


Data = theirs.Data


async def open_pair(client, server, addr, client_args={}, server_args={}):
    conns = aio.Queue()
    srv = await server.listen(conns.put_nowait, addr, **server_args)
    a = await client.connect(addr, **client_args)
    b = await asyncio.wait_for(conns.get(), 5)
    return srv, a, b


async def close(*resources):
    for resource in resources:
        await resource.async_close()


def test_names():
    assert ours.__all__ == theirs.__all__ if hasattr(theirs, '__all__') else True
    for name in ('Data', 'Conversation', 'Msg', 'connect', 'listen', 'Connection', 'ConnectionCb', 'mlog'):
        assert hasattr(ours, name)
    assert ours.Msg is theirs.Msg
    assert ours.mlog.name == theirs.mlog.name


@sides(ours, theirs)
async def test_conversation(client, server, addr):
    srv, a, b = await open_pair(client, server, addr)
    assert srv.is_open and a.is_open and b.is_open
    assert srv.info.addresses == [addr]
    assert a.info.remote_addr == addr and b.info.local_addr == addr

    conv = await a.send(Data('abc', b'xyz'), last=False, token=False)
    assert conv == theirs.Conversation(owner=True, first_id=1)
    msg = await b.receive()
    assert msg == theirs.Msg(Data('abc', b'xyz'), theirs.Conversation(False, 1), True, False, False)
    assert type(msg) is theirs.Msg and type(msg.data) is Data and type(msg.conv) is theirs.Conversation
    assert type(msg.data.data) is bytes and type(msg.first) is bool

    assert await b.send(Data('xyz', b''), conv=msg.conv) == msg.conv
    assert await a.receive() == theirs.Msg(Data('xyz', b''), conv, False, True, True)

    # nobody holds it against a program that the conversation is over, or never was
    await b.send(Data('again', b''), conv=msg.conv)
    await b.send(Data('other', b''), conv=theirs.Conversation(True, 1234))
    assert (await a.receive()).conv == conv
    assert (await a.receive()).conv == theirs.Conversation(False, 1234)
    await close(a, b, srv)


@sides(ours, theirs)
async def test_flags_are_whatever_is_true(client, server, addr):
    srv, a, b = await open_pair(client, server, addr)
    for last, token in ((1, 0), ([], 'x'), (None, [0])):
        await a.send(Data('t', b''), last=last, token=token)
        msg = await b.receive()
        assert (msg.last, msg.token) == (bool(last), bool(token))
    await close(a, b, srv)


@sides(ours, theirs)
@pytest.mark.parametrize('size', [0, 1, 63, 64, 4096, 65536, 1 << 20, 5 << 20])
async def test_sizes(client, server, addr, size):
    srv, a, b = await open_pair(client, server, addr)
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    for payload in (data, bytearray(data)) if client is ours else (data,):
        await a.send(Data('t', payload))
        assert (await b.receive()).data.data == data
    await close(a, b, srv)


@sides(ours, theirs)
async def test_order_of_many(client, server, addr):
    srv, a, b = await open_pair(client, server, addr)

    async def send():
        for i in range(5000):
            await a.send(Data(str(i), b'x' * (i % 100)))
        await a.drain()

    sending = asyncio.create_task(send())
    for i in range(5000):
        assert (await b.receive()).data.type == str(i)
    await sending
    await close(a, b, srv)


@sides(ours, theirs)
async def test_received_before_close_stays(client, server, addr):
    srv, a, b = await open_pair(client, server, addr)
    for i in range(3):
        await a.send(Data(str(i), b''))
    await a.drain()
    await asyncio.sleep(0.05)
    await a.async_close()
    await b.wait_closed()
    for i in range(3):
        assert (await b.receive()).data.type == str(i)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await b.receive()
    for conn in (a, b):
        with pytest.raises(ConnectionError):
            await conn.send(Data('t', b''))
        with pytest.raises(ConnectionError):
            await conn.drain()
    await srv.async_close()


@each(ours, theirs)
async def test_waiting_receivers_end_with_the_connection(module, addr):
    srv, a, b = await open_pair(module, module, addr)
    waiting = [asyncio.create_task(b.receive()) for _ in range(3)]
    await asyncio.sleep(0)
    cancelled = asyncio.create_task(b.receive())
    await asyncio.sleep(0)
    cancelled.cancel()
    await a.send(Data('one', b''))
    assert (await waiting[0]).data.type == 'one'
    await a.async_close()
    for task in waiting[1:]:
        with pytest.raises(ConnectionError):
            await task
    await close(b, srv)


@each(ours, theirs)
async def test_cancelled_receive_loses_nothing(module, addr):
    srv, a, b = await open_pair(module, module, addr)
    got = []
    for i in range(50):
        await a.send(Data(str(i), b''))
        if i % 3 == 0:
            await a.drain()
        task = asyncio.create_task(b.receive())
        for _ in range(i % 4):
            await asyncio.sleep(0)
        task.cancel()
        try:
            got.append((await task).data.type)
        except asyncio.CancelledError:
            pass
    while len(got) < 50:
        got.append((await asyncio.wait_for(b.receive(), 5)).data.type)
    assert got == [str(i) for i in range(50)]
    await close(a, b, srv)


@each(ours, theirs)
async def test_states(module, addr):
    srv, a, b = await open_pair(module, module, addr)
    assert isinstance(a, aio.Resource) and isinstance(a.async_group, aio.Group)
    assert (a.is_open, a.is_closing, a.is_closed) == (True, False, False)
    closing, closed = asyncio.create_task(a.wait_closing()), asyncio.create_task(a.wait_closed())
    await asyncio.sleep(0)
    a.close()
    assert (a.is_open, a.is_closing, a.is_closed) == (False, True, False)
    await closing
    await closed
    assert a.is_closed
    a.close()
    await a.async_close()
    await b.wait_closed()
    async with srv:
        assert srv.is_open
    assert srv.is_closed


@each(ours, theirs)
async def test_group_of_a_connection(module, addr):
    srv, a, b = await open_pair(module, module, addr)
    ended = asyncio.Event()
    a.async_group.spawn(aio.call_on_cancel, ended.set)
    await asyncio.sleep(0)
    await b.async_close()
    await asyncio.wait_for(ended.wait(), 5)
    await a.wait_closed()
    await srv.async_close()


@each(ours, theirs)
@pytest.mark.parametrize('bind', [True, False, None])
async def test_bind_connections(module, addr, bind):
    args = {} if bind is None else {'bind_connections': bind}
    srv, a, b = await open_pair(module, module, addr, server_args=args)
    await srv.async_close()
    await asyncio.sleep(0.05)
    if bind is False:
        assert a.is_open and b.is_open
        await a.send(Data('still', b''))
        assert (await b.receive()).data.type == 'still'
    else:
        await a.wait_closed()
        assert b.is_closed
    await close(a, b)


@each(ours, theirs)
async def test_callback_that_raises_closes_its_connection(module, addr, caplog):
    async def raising(conn):
        raise Exception('no such thing')

    for callback in (raising, lambda conn: 1 / 0):
        srv = await module.listen(callback, addr)
        conn = await module.connect(addr)
        await asyncio.wait_for(conn.wait_closed(), 5)
        assert srv.is_open
        await srv.async_close()
    assert 'connection callback error' in caplog.text


@each(ours, theirs)
async def test_closing_server_cancels_callbacks(module, addr):
    cancelled = asyncio.Event()
    started = asyncio.Event()

    async def callback(conn):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    srv = await module.listen(callback, addr)
    conn = await module.connect(addr)
    await started.wait()
    await srv.async_close()
    assert cancelled.is_set()
    await conn.wait_closed()


@each(ours, theirs)
async def test_names_and_port_zero(module):
    conns = aio.Queue()
    srv = await module.listen(conns.put_nowait, net.TcpAddress('127.0.0.1', 0), name='server')
    assert srv.info.name == 'server'
    port = srv.info.addresses[0].port
    assert port > 0
    a = await module.connect(net.TcpAddress('127.0.0.1', port), name='client')
    b = await conns.get()
    assert (a.info.name, b.info.name) == ('client', 'server')
    assert isinstance(a.info, net.TcpConnectionInfo)
    assert a.info.local_addr == b.info.remote_addr
    assert pickle.loads(pickle.dumps(a.info)) == a.info
    await close(a, b, srv)


@each(ours, theirs)
async def test_unix(module, tmp_path):
    path = tmp_path / 'socket'
    conns = aio.Queue()
    srv = await module.listen(conns.put_nowait, path)
    assert srv.info == net.UnixServerInfo(None, [path])
    a = await module.connect(path)
    b = await conns.get()
    assert a.info == net.UnixConnectionInfo(None, path)
    await a.send(Data('t', b'1'))
    assert (await b.receive()).data == Data('t', b'1')
    await close(a, b, srv)


@each(ours, theirs)
async def test_refused(module, addr):
    with pytest.raises(ConnectionRefusedError):
        await module.connect(addr)
    with pytest.raises(TypeError):
        await module.connect(('127.0.0.1', 1))
    with pytest.raises(TypeError):
        await module.listen(lambda conn: None, '127.0.0.1')
    srv = await module.listen(lambda conn: None, addr)
    with pytest.raises(OSError):
        await module.listen(lambda conn: None, addr)
    await srv.async_close()


@sides(ours, theirs)
async def test_pings_keep_a_quiet_connection(client, server, addr):
    pings = {'ping_delay': 0.05, 'ping_timeout': 0.5}
    srv, a, b = await open_pair(client, server, addr, pings, pings)
    await asyncio.sleep(0.4)
    assert a.is_open and b.is_open
    await a.send(Data('t', b''))
    assert (await b.receive()).data.type == 't'
    await close(a, b, srv)


@each(ours, theirs)
async def test_silent_peer_is_given_up(module, addr):
    conns = aio.Queue()
    srv = await net.listen(conns.put_nowait, addr)
    conn = await module.connect(addr, ping_delay=0.02, ping_timeout=0.02)
    await asyncio.wait_for(conn.wait_closed(), 5)
    with pytest.raises(ConnectionError):
        await conn.receive()
    await srv.async_close()


@each(ours, theirs)
@pytest.mark.parametrize('delay', [None, 0])
async def test_without_pings(module, addr, delay):
    conns = aio.Queue()
    srv = await net.listen(conns.put_nowait, addr)
    conn = await module.connect(addr, ping_delay=delay, ping_timeout=0.01)
    raw = await conns.get()
    await asyncio.sleep(0.1)
    assert conn.is_open
    await close(conn, raw, srv)


@each(ours, theirs)
@pytest.mark.parametrize('garbage', [b'\x00', b'\x01\x02\xff\xff', b'\x01\x05\x81\x81\x01\x01\x01', b'\xff' * 300])
async def test_garbage_ends_the_connection(module, addr, garbage):
    conns = aio.Queue()
    srv = await module.listen(conns.put_nowait, addr)
    raw = await net.connect(addr)
    conn = await conns.get()
    await raw.write(garbage)
    if garbage != b'\xff' * 300:
        await asyncio.wait_for(conn.wait_closed(), 5)
    await close(raw, conn, srv)


@sides(ours, theirs)
async def test_backpressure_and_closing_while_it_holds(client, server, addr):
    small = {'receive_queue_size': 4, 'send_queue_size': 4}
    srv, a, b = await open_pair(client, server, addr, small, small)
    sent = 0

    async def flood():
        nonlocal sent
        while True:
            await a.send(Data('t', bytes(65536)))
            sent += 1

    flooding = asyncio.create_task(flood())
    before = -1
    while sent != before:
        before = sent
        await asyncio.sleep(0.2)
    assert not flooding.done()
    # nobody reads: what was sent is what systems and queues hold
    assert sent * 65536 < 64 << 20
    for i in range(sent):
        assert len((await b.receive()).data.data) == 65536
    await b.async_close()
    with pytest.raises((ConnectionError, aio.QueueClosedError)):
        await flooding
    await close(a, srv)


@each(ours, theirs)
async def test_two_that_send_first_do_not_stop_each_other(module, addr):
    srv, a, b = await open_pair(module, module, addr)
    count, size = 60, 1 << 17

    async def both(conn):
        async def send():
            for _ in range(count):
                await conn.send(Data('t', bytes(size)))
        sending = asyncio.create_task(send())
        for _ in range(count):
            assert len((await conn.receive()).data.data) == size
        await sending

    await asyncio.wait_for(asyncio.gather(both(a), both(b)), 60)
    await close(a, b, srv)


def contexts(tmp_path):
    import subprocess
    pem = tmp_path / 'pem'
    subprocess.run(['openssl', 'req', '-batch', '-x509', '-noenc', '-newkey', 'rsa:2048', '-days', '1',
                    '-keyout', str(pem), '-out', str(pem)], stderr=subprocess.DEVNULL, check=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    return client, server


@sides(ours, theirs)
async def test_tls(client, server, addr, tmp_path):
    client_ctx, server_ctx = contexts(tmp_path)
    srv, a, b = await open_pair(client, server, addr, {'ssl': client_ctx}, {'ssl': server_ctx})
    for size in (10, 300_000):
        await a.send(Data('t', bytes(size)))
        assert len((await b.receive()).data.data) == size
        await b.send(Data('t', bytes(size)))
        assert len((await a.receive()).data.data) == size
    await a.async_close()
    await b.wait_closed()
    await srv.async_close()


async def test_sent_before_close_arrives(addr):
    # the deployed module loses it: its writing task is cancelled first
    srv, a, b = await open_pair(ours, ours, addr)
    for i in range(100):
        await a.send(Data(str(i), bytes(1000)))
    await a.async_close()
    for i in range(100):
        assert (await b.receive()).data.type == str(i)
    with pytest.raises(ConnectionError):
        await b.receive()
    await srv.async_close()


async def test_close_ends_where_the_peer_takes_nothing(addr, monkeypatch):
    # the deployed module waits for ever
    from hat_native import _link
    monkeypatch.setattr(_link, 'FLUSH_TIMEOUT', 0.2)
    conns = aio.Queue()
    srv = await our_net.listen(conns.put_nowait, addr, input_buffer_limit=1)
    a = await ours.connect(addr)
    for _ in range(100):
        try:
            await asyncio.wait_for(a.send(Data('t', bytes(1 << 20))), 0.2)
        except asyncio.TimeoutError:
            break
    await asyncio.wait_for(a.async_close(), 5)
    await srv.async_close()


@each(ours, theirs)
async def test_a_queue_without_limit(module, addr):
    """With a `send_queue_size` of 0 nobody waits, be it for a peer that takes nothing."""
    conns = aio.Queue()
    srv = await net.listen(conns.put_nowait, addr, input_buffer_limit=1)
    a = await module.connect(addr, send_queue_size=0)
    raw = await conns.get()
    for _ in range(10):
        await asyncio.wait_for(a.send(Data('t', bytes(8 << 20))), 10)
    raw._protocol._transport.abort()
    await close(a, srv)


async def test_what_cannot_be_sent_is_refused_at_the_call(addr):
    srv, a, b = await open_pair(ours, ours, addr)
    for data in (Data(1, b''), Data('t', 'text'), Data('t', 5), Data('t', None)):
        with pytest.raises((TypeError, ValueError)):
            await a.send(data)
    await a.send(Data('t', memoryview(b'abc')[1:]))
    assert (await b.receive()).data == Data('t', b'bc')
    await close(a, b, srv)


async def test_loggers(addr, caplog):
    caplog.set_level(logging.WARNING)
    srv = await ours.listen(lambda conn: 1 / 0, addr)
    conn = await ours.connect(addr)
    await conn.wait_closed()
    record = next(i for i in caplog.records if 'connection callback error' in i.getMessage())
    assert record.name == 'hat.drivers.chatter'
    assert record.meta['type'] == 'ChatterServer'
    await srv.async_close()


@each(ours, theirs)
async def test_what_is_read_and_written_is_logged(module, addr, caplog):
    """The log of communication, as that of any stream of `net`."""
    caplog.set_level(logging.DEBUG, 'hat.drivers.net.stream')
    srv, a, b = await open_pair(module, module, addr, {'name': 'a'}, {'name': 'b'})
    await a.send(Data('t', b'1'))
    await b.receive()
    infos = a.info, b.info
    await close(a, b, srv)
    await asyncio.sleep(0.05)
    sent = '01 09 81 81 01 01 01 81 74 81 31'
    for info, actions in zip(infos, (['open', f'send ({sent})', 'close'], ['open', f'receive ({sent})', 'close'])):
        meta = {'type': 'TcpConnection', **net.connection_info_to_json(info), 'communication': True}
        logged = [i for i in caplog.records if getattr(i, 'meta', None) == meta]
        assert [i.getMessage() for i in logged] == actions
        assert {i.name for i in logged} == {'hat.drivers.net.stream'}
