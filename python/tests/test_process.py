"""What a process may do around the package: debug modes, threads, forks, subinterpreters, loops that are closed too early."""

import os
import pathlib
import signal
import subprocess
import sys
import threading

import asyncio
import pytest

from hat.event import common

from hat_native import _native
from hat_native.event.common import _values


@pytest.fixture
def event_loop_policy():
    # nothing here depends on the event loop: once is enough
    return asyncio.DefaultEventLoopPolicy()


TESTS = pathlib.Path(__file__).parent


def run(code, *args):
    """What a program writes to its standard error."""
    env = {**os.environ, 'HAT_NATIVE': '0', 'PYTHONPATH': str(TESTS)}
    result = subprocess.run([sys.executable, *args, '-c', code], capture_output=True, text=True, env=env, timeout=100)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stderr


LIVES = '''
import asyncio, gc, sys
from test_cancel import ALL

async def main():
    asyncio.get_running_loop().slow_callback_duration = 1000
    for name, of in ALL.items():
        srv = await of.listen()
        for _ in range(2):
            conn = await of.connect(srv)
            await of.use(conn)
            await conn.async_close()
        left = await of.connect(srv)
        await srv.async_close()
        await left.wait_closed()

'''


@pytest.mark.parametrize('loop', ['asyncio', 'uvloop'])
def test_development_mode_finds_nothing(loop):
    assert run(LIVES + f'''
import {loop}
{loop}.run(main())
gc.collect()
''', '-X', 'dev', '-W', 'error::ResourceWarning') == ''


@pytest.mark.parametrize('name', ['chatter', 'cotp', 'tpkt'])
def test_a_loop_that_is_closed_too_early(name):
    """Then asyncio says what was left open: of ours it is not more, and nothing that it does not say of theirs."""
    said = {package: run(f'''
import asyncio, gc
from hat.drivers import net
from {package}.drivers import {name} as module

async def main():
    conns = asyncio.Queue()
    srv = await module.listen(conns.put_nowait, net.TcpAddress('127.0.0.1', 0))
    conn = await module.connect(srv.info.addresses[0])
    return srv, conn, await conns.get()

loop = asyncio.new_event_loop()
kept = loop.run_until_complete(main())
loop.close()
try:
    kept[1].close()
except RuntimeError as e:
    assert 'closed' in str(e)
del kept
gc.collect()
''', '-X', 'dev') for package in ('hat', 'hat_native')}
    for what in ('was destroyed but it is pending', 'Exception ignored', 'Traceback', 'never awaited', 'never retrieved', 'unclosed'):
        assert said['hat_native'].count(what) <= said['hat'].count(what), said['hat_native']


def test_each_thread_has_its_own_loop():
    """Threads with a loop and connections each, which share what is kept between messages, and end."""
    event = common.Event(common.EventId(1, 1, 1), ('a', 'b'), common.now(), None, common.EventPayloadJson({'key': [1, 'x']}))
    failed = []

    def work():
        from test_cancel import ALL

        async def main():
            for name in ('chatter', 'eventer', 'cotp'):
                srv = await ALL[name].listen()
                for _ in range(10):
                    client = await ALL[name].connect(srv)
                    await ALL[name].use(client)
                    await client.async_close()
                await srv.async_close()
            for _ in range(200):
                from hat_native.event.common._encoder import encoder
                assert encoder.decode_events(encoder.encode_events([event] * 20)) == [event] * 20

        try:
            asyncio.run(main())
        except BaseException as e:
            failed.append(e)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert failed == []


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='the system has no fork')
def test_fork():
    """A child has the objects of its parent; it lets go of them, and makes its own."""
    assert run(LIVES + '''
import os, random
from test_cancel import ALL, loopback

async def parent():
    of = ALL['eventer']
    srv = await of.listen()
    client = await of.connect(srv)
    await of.use(client)
    pid = os.fork()
    if not pid:
        return 'child', client
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        await of.use(client)
        await asyncio.sleep(0.01)
    await of.use(client)
    await client.async_close()
    await srv.async_close()
    return 'parent', None

loop = asyncio.new_event_loop()
who, kept = loop.run_until_complete(parent())
if who == 'child':
    del kept
    gc.collect()
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)
loop.close()
''') == ''


@pytest.mark.skipif(sys.version_info[:2] > (3, 12), reason='the module has another name')
def test_subinterpreters_are_refused():
    said = run('''
import _xxsubinterpreters as interpreters
import hat_native
one = interpreters.create()
try:
    interpreters.run_string(one, 'import hat_native')
except interpreters.RunFailedError as e:
    assert 'ImportError' in str(e) and 'interpreter' in str(e), e
else:
    raise Exception('it was not refused')
''')
    assert said == ''


def test_an_interrupt_is_not_taken_for_a_value_that_cannot_be_read():
    """A signal's exception goes on to whoever runs the loop; the connection is over, as its message is lost."""
    def decode(text):
        raise KeyboardInterrupt

    payload = common.EventPayloadJson({'key': 1 << 70})
    rare = common.RegisterEvent(('a',), None, payload)
    events = _native.Events(_values, *_json())
    interrupted = _native.Events(_values, _json()[0], decode)
    with pytest.raises(KeyboardInterrupt):
        interrupted.decode_register_events(events.encode_register_events([rare]))

    def client(of):
        return _native.EventerClient(of, 0.0, 'name', None, [('*',)], None, False, None, None)

    def server():
        return _native.EventerServer(events, 0.0, 1.0, None, None, 10)

    a, b = client(interrupted), server()
    b.feed(a.take(), 0.0)
    b.accept(common.Status.OPERATIONAL)
    a.feed(b.take(), 0.0)
    number = a.register([rare], True)
    incoming, _ = b.feed(a.take(), 0.0)
    request = incoming[0][2]
    b.register_response(request, [common.Event(common.EventId(1, 1, 1), ('a',), common.now(), None, payload)])
    with pytest.raises(KeyboardInterrupt):
        a.feed(b.take(), 0.0)
    assert a.over and number == 1


def _json():
    from hat import json
    return json.encode, json.decode


@pytest.mark.skipif(not hasattr(signal, 'SIGINT') or os.name != 'posix', reason='POSIX signals')
def test_interrupted():
    """Control-C ends `asyncio.run` as it does without us."""
    said = run('''
import asyncio, os, signal
from test_cancel import ALL

# shells start what runs in the background with the signal ignored
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    of = ALL['chatter']
    srv = await of.listen()
    async with await of.connect(srv) as conn:
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
        while True:
            await of.use(conn)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
else:
    raise Exception('it went on')
''', '-X', 'dev')
    assert said == ''
