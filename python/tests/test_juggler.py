import asyncio
import inspect
import logging
import ssl
import subprocess

import aiohttp
import aiohttp.web
import pytest

from hat import aio
from hat import json
from hat import juggler as theirs

from hat_native import _json
from hat_native import juggler as ours

from conftest import each, sides


async def open_pair(client, server, port, notify_cb=None, **args):
    conns = aio.Queue()
    srv = await server.listen('127.0.0.1', port, conns.put_nowait, **args)
    c = await client.connect(f'ws://127.0.0.1:{port}/ws', notify_cb)
    return srv, c, await asyncio.wait_for(conns.get(), 5)


async def close(*resources):
    for resource in resources:
        await resource.async_close()


async def until(check):
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.005)


def test_names():
    assert ours.__all__ == theirs.__all__
    assert ours.JugglerError is theirs.JugglerError
    for name in ('connect', 'listen'):
        a, b = (inspect.signature(getattr(module, name)).parameters for module in (ours, theirs))
        assert [(i.name, i.kind, i.default) for i in a.values()] == [(i.name, i.kind, i.default) for i in b.values()]


@sides(ours, theirs)
async def test_requests(client, server, port):
    async def request_cb(conn, name, data):
        assert conn is b
        if name == 'fail':
            raise Exception('it does not work')
        await asyncio.sleep(0)
        return [name, data]

    srv, a, b = await open_pair(client, server, port, request_cb=request_cb)
    for data in (None, True, 1, -1.5, 1 << 70, 'čž "x" \n', [], [1, [{}]], {'a': {'b': [None]}}, 'x' * 1_000_000):
        assert await a.send('name', data) == ['name', data]
        assert await a.send('', data) == data
    with pytest.raises(theirs.JugglerError) as e:
        await a.send('fail', None)
    assert e.value.data == 'it does not work'
    assert await asyncio.gather(*(a.send(str(i), i) for i in range(100))) == [[str(i), i] for i in range(100)]
    await close(b)
    await a.wait_closed()
    with pytest.raises(ConnectionError):
        await a.send('name', None)
    await srv.async_close()


@sides(ours, theirs)
async def test_without_request_cb(client, server, port):
    srv, a, b = await open_pair(client, server, port)
    with pytest.raises(theirs.JugglerError):
        await a.send('name', None)
    await close(a, b, srv)


@sides(ours, theirs)
@pytest.mark.parametrize('parallel', [True, False])
async def test_parallel_requests(client, server, port, parallel):
    running = most = 0

    async def request_cb(conn, name, data):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1

    srv, a, b = await open_pair(client, server, port, request_cb=request_cb, parallel_requests=parallel)
    await asyncio.gather(*(a.send('x', None) for _ in range(5)))
    assert most == (5 if parallel else 1)
    await close(a, b, srv)


@sides(ours, theirs)
async def test_notifications(client, server, port):
    got = []

    async def notify_cb(c, name, data):
        await asyncio.sleep(0)
        got.append((name, data))

    srv, a, b = await open_pair(client, server, port, notify_cb)
    sent = [(str(i), {'i': [i]}) for i in range(50)]
    for name, data in sent:
        await b.notify(name, data)
    await until(lambda: len(got) == 50)
    assert got == sent
    await a.async_close()
    await b.wait_closed()
    with pytest.raises(ConnectionError):
        await b.notify('x', None)
    with pytest.raises(ConnectionError):
        await b.flush()
    await srv.async_close()


@sides(ours, theirs)
@pytest.mark.parametrize('delay', [0, 0.01, None])
async def test_state(client, server, port, delay):
    srv, a, b = await open_pair(client, server, port, autoflush_delay=delay)
    assert isinstance(a.state, json.Storage) and isinstance(b.state, json.Storage)
    assert a.state.data is None and b.state.data is None
    seen = []
    a.state.register_change_cb(seen.append)
    steps = [({'a': [1, 2, 3]}, []), (5, ['a', 1]), ({'x': 1}, ['b', 'c/d~e']), ([1], ['a']), ([1, 2, 3, 4], ['a']),
             ([2, 3, 4], ['a']), (True, ['a', 0]), (None, ['b']), ('x', [])]
    for value, path in steps:
        b.state.set(path, value)
        if delay is None:
            await asyncio.sleep(0.02)
            assert a.state.data != b.state.data
            await b.flush()
        await until(lambda: a.state.data == b.state.data)
    b.state.set([], {'a': 1, 'b': 2})
    b.state.remove(['a'])
    await b.flush()
    await until(lambda: a.state.data == {'b': 2})
    assert seen[-1] == {'b': 2}
    await close(a, b, srv)


@sides(ours, theirs)
async def test_each_change_or_the_last(client, server, port):
    srv, a, b = await open_pair(client, server, port, autoflush_delay=0)
    seen = []
    a.state.register_change_cb(seen.append)
    for i in range(50):
        b.state.set([], i)
    await until(lambda: len(seen) == 50)
    assert seen == list(range(50))
    await close(a, b, srv)


@sides(ours, theirs)
async def test_shared_state(client, server, port):
    state = json.Storage({'a': 1})
    srv, a, b = await open_pair(client, server, port, state=state, autoflush_delay=0.01)
    other = await client.connect(f'ws://127.0.0.1:{port}/ws')
    assert b.state is state
    await until(lambda: a.state.data == other.state.data == {'a': 1})
    state.set('b', [2])
    await until(lambda: a.state.data == other.state.data == {'a': 1, 'b': [2]})
    await close(a, other, srv)
    state.set('c', 3)


@each(ours, theirs)
async def test_http(module, port, tmp_path):
    (tmp_path / 'index.html').write_text('<p>page</p>')
    hashed = subprocess.run(['openssl', 'passwd', '-apr1', 'secret'], capture_output=True, text=True, check=True).stdout
    (tmp_path / 'htpasswd').write_text(f'user:{hashed}\n')
    remotes = []

    async def own_ws(request):
        conn = await srv.create_connection(request)
        remotes.append(conn.remote)
        assert isinstance(conn.ws, aiohttp.web.WebSocketResponse)
        await conn.wait_closed()
        return conn.ws

    srv = await module.listen('127.0.0.1', port, static_dir=tmp_path, htpasswd_file=tmp_path / 'htpasswd',
                              request_cb=lambda conn, name, data: data,
                              additional_routes=[aiohttp.web.get('/own', own_ws)])
    base = f'127.0.0.1:{port}'
    auth = aiohttp.BasicAuth('user', 'secret')
    async with aiohttp.ClientSession() as session:
        for wrong in (None, aiohttp.BasicAuth('user', 'x'), aiohttp.BasicAuth('x', 'secret')):
            response = await session.get(f'http://{base}/', auth=wrong)
            assert response.status == 401 and response.headers['WWW-Authenticate'] == 'Basic realm=""'
            with pytest.raises(aiohttp.WSServerHandshakeError) as e:
                await module.connect(f'ws://{base}/ws', auth=wrong)
            assert e.value.status == 401
        for _ in range(2):
            response = await session.get(f'http://{base}/', auth=auth)
            assert await response.text() == '<p>page</p>' and response.url.path == '/index.html'
            assert response.headers['Cache-Control'] == 'no-cache'
        assert (await session.get(f'http://{base}/nothing', auth=auth)).status == 404
        assert (await session.get(f'http://{base}/ws', auth=auth)).status == 400
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await module.connect(f'ws://{base}/nothing', auth=auth)
    c = await module.connect(f'ws://{base}/own', auth=auth, headers={'X-Forwarded-For': '1.2.3.4, 5.6.7.8'})
    assert await c.send('x', 1) == 1
    assert remotes == ['5.6.7.8']
    await c.async_close()
    await srv.async_close()
    with pytest.raises(OSError):
        await module.connect(f'ws://{base}/ws')


@each(ours, theirs)
async def test_nobody_is_let_in_where_no_password_can_be_tested(module, port, tmp_path, monkeypatch):
    (tmp_path / 'htpasswd').write_text('user:$apr1$12345678$x\n')
    srv = await module.listen('127.0.0.1', port, htpasswd_file=tmp_path / 'htpasswd')
    monkeypatch.setenv('PATH', str(tmp_path))
    async with aiohttp.ClientSession() as session:
        response = await session.get(f'http://127.0.0.1:{port}/', auth=aiohttp.BasicAuth('user', 'secret'))
        assert response.status == 401 and response.headers['WWW-Authenticate'] == 'Basic realm=""'
    await srv.async_close()


@sides(ours, theirs)
async def test_tls(client, server, port, tmp_path):
    pem = tmp_path / 'pem'
    subprocess.run(['openssl', 'req', '-batch', '-x509', '-noenc', '-newkey', 'rsa:2048', '-days', '1',
                    '-keyout', str(pem), '-out', str(pem)], stderr=subprocess.DEVNULL, check=True)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(pem)
    srv = await server.listen('127.0.0.1', port, request_cb=lambda conn, name, data: data, ssl_ctx=ctx)
    c = await client.connect(f'wss://127.0.0.1:{port}/ws')
    assert await c.send('x', 'y' * 300_000) == 'y' * 300_000
    await close(c, srv)


@sides(ours, theirs)
async def test_segments_and_pings(client, server, port):
    conns = aio.Queue()
    fast = {'max_segment_size': 7, 'ping_delay': 0.05, 'ping_timeout': 1}
    srv = await server.listen('127.0.0.1', port, conns.put_nowait, lambda conn, name, data: data, **fast)
    c = await client.connect(f'ws://127.0.0.1:{port}/ws', **fast)
    for data in ('x' * 100, 'č😀' * 50, {'a': 'ž' * 30}):
        assert await c.send('name', data) == data
    await asyncio.sleep(0.3)
    assert c.is_open and (await conns.get()).is_open
    await close(c, srv)


@each(ours, theirs)
async def test_silent_peer(module, port):
    async def ws_handler(request):
        ws = aiohttp.web.WebSocketResponse()
        await ws.prepare(request)
        await asyncio.sleep(2)
        return ws

    app = aiohttp.web.Application()
    app.add_routes([aiohttp.web.get('/ws', ws_handler)])
    runner = aiohttp.web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, '127.0.0.1', port).start()
    c = await module.connect(f'ws://127.0.0.1:{port}/ws', ping_delay=0.05, ping_timeout=0.05)
    await asyncio.wait_for(c.wait_closing(), 5)
    await asyncio.wait_for(c.async_close(), 15)
    await runner.cleanup()


@each(ours, theirs)
@pytest.mark.parametrize('text', ['', '4', '0{', '0{"type":"state","diff":[]}', '0[]', '0{"type":"request"}', b'0{}'])
async def test_garbage_ends_the_connection(module, port, text, caplog):
    conns = aio.Queue()
    srv = await module.listen('127.0.0.1', port, conns.put_nowait)
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f'ws://127.0.0.1:{port}/ws')
        conn = await conns.get()
        await (ws.send_bytes(text) if isinstance(text, bytes) else ws.send_str(text))
        async with asyncio.timeout(5):
            while not (await ws.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                pass
        await ws.close()
        await asyncio.wait_for(conn.wait_closed(), 5)
    assert srv.is_open
    where = 'server' if 'request' in str(text) else 'transport'
    assert {i.name for i in caplog.records if i.levelno >= logging.ERROR} == {f'hat.juggler.{where}'}
    await srv.async_close()


@each(ours, theirs)
async def test_closing_cancels_requests(module, port):
    cancelled = asyncio.Event()

    async def request_cb(conn, name, data):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    srv, a, b = await open_pair(module, module, port, request_cb=request_cb)
    waiting = asyncio.create_task(a.send('x', None))
    await asyncio.sleep(0.05)
    await srv.async_close()
    await asyncio.wait_for(cancelled.wait(), 5)
    with pytest.raises(ConnectionError):
        await waiting
    await asyncio.wait_for(a.wait_closed(), 5)


def test_patches():
    """Between any two values, both libraries apply what ours finds, and ours applies what theirs finds."""
    values = [None, 0, True, 1, 'x', [], {}, [1], [True], [1, 2, 3], [3, 1, 2], [1, 2], [2, 3], {'a': 1}, {'a': {'b': [1]}},
              {'a': {'b': [1, {'c': 2}]}}, {'a~b': 1, 'c/d': 2, '': 3}, [[1], [2]], [[1], [2], [3]], [[2], [3]],
              {'a': list(range(20))}, {'a': list(range(1, 20))}, [1 << 70], [1 << 70, 1]]
    for one in values:
        for other in values:
            diff = _json.diff(one, other)
            assert same(json.patch(one, diff), other), (one, other, diff)
            assert same(_json.patch(one, diff), other)
            if not same_to_json(one, other):
                assert same(_json.patch(one, json.diff(one, other)), other)
    data = {'a': {'b': 1}, 'c': {'d': 2}}
    result = _json.patch(data, [{'op': 'replace', 'path': '/a/b', 'value': 5}])
    assert data == {'a': {'b': 1}, 'c': {'d': 2}} and result['c'] is data['c']
    for op in ({'op': 'move', 'from': '/a', 'path': '/x'}, {'op': 'copy', 'from': '/a/b', 'path': '/x'},
               {'op': 'test', 'path': '/a/b', 'value': 1}, {'op': 'remove', 'path': ''}, {'op': 'add', 'path': '', 'value': 1}):
        _json.patch(data, [op])
    for op in ({'op': 'remove', 'path': '/x'}, {'op': 'replace', 'path': '/x', 'value': 1}, {'op': 'no', 'path': ''}, {'op': 'add'},
               {'op': 'test', 'path': '/a', 'value': 1}, {'op': 'add', 'path': '/a/b/c', 'value': 1}, {'op': 'add', 'path': 'a'}):
        with pytest.raises(Exception):
            _json.patch(data, [op])


@pytest.mark.parametrize('copied', [{'b': [0]}, [[0], 1]], ids=['object', 'list'])
def test_a_copy_is_another_value(copied):
    """What a patch has changed already is its own, but in one place only."""
    at = '/a/b' if isinstance(copied, dict) else '/a/0'
    for first, last in (('a', 'c'), ('c', 'a')):
        diff = [{'op': 'add', 'path': f'{at}/0', 'value': 1}, {'op': 'copy', 'from': '/a', 'path': '/c'},
                {'op': 'add', 'path': f'{at}/0'.replace('a', first, 1), 'value': 2},
                {'op': 'add', 'path': f'{at}/0'.replace('a', last, 1), 'value': 3}]
        data = {'a': copied}
        assert _json.patch(data, diff) == json.patch(data, diff)
        assert data == {'a': copied} and copied in ({'b': [0]}, [[0], 1])


def test_patches_tell_numbers_from_truths():
    """For Python, 0 is False and 1 is 1.0, also inside of lists; for the peer of a patch they are not the same."""
    numbers = [0, False, 0.0, 1, True, 1.0]
    around = [lambda x: [x], lambda x: {'a': x}, lambda x: ['č', x], lambda x: ['"', [x]], lambda x: {'č': [x, 1 << 70]},
              lambda x: [1 << 70, {'a': [x, 'č']}], lambda x: ('č', x), lambda x: [(x,)], lambda x: [x, 2.0, 2]]
    for one in numbers:
        for other in numbers:
            for of in around:
                for ending in ([], ['č'], [other]):
                    a, b = [of(one), 'x'], [of(other), 'x', *ending]
                    diff = _json.diff(a, b)
                    assert same(json.patch(a, diff), b), (a, b, diff)
                    assert same(_json.patch(a, diff), b)
    deep = ['č', 0]
    for _ in range(100):
        deep = [deep]
    other = json.decode(json.encode(deep).replace(' 0', ' false'))
    assert not same(deep, other) and same(_json.patch(deep, _json.diff(deep, other)), other)
    # what stays is not sent again, be it text that is not ASCII
    many = [{'č': i} for i in range(100)]
    assert _json.diff(many, [{'č': 'new'}, *({**i} for i in many)]) == [{'op': 'add', 'path': '/0', 'value': {'č': 'new'}}]
    assert _json.diff(many, [{**i} for i in many if i['č'] != 50]) == [{'op': 'remove', 'path': '/50'}]
    texts = [f'č{i}' for i in range(100)]
    assert _json.diff(texts, [f'{i}!' for i in texts]) == [{'op': 'replace', 'path': '', 'value': [f'{i}!' for i in texts]}]
    assert _json.diff(many, [{'č': -i['č']} for i in many][:2]) == [{'op': 'replace', 'path': '', 'value': [{'č': 0}, {'č': -1}]}]


def same(a, b):
    return json.encode(a) == json.encode(b)


def same_to_json(a, b):
    # the deployed diff takes true for 1
    return json.diff(a, b) == [] or 'true' in json.encode([a, b])
