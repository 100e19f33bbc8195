"""In the place of the deployed modules: each in an interpreter of its own."""

import asyncio
import os
import subprocess
import sys

import pytest

import hat_native


@pytest.fixture
def event_loop_policy():
    # nothing here depends on the event loop: once is enough
    return asyncio.DefaultEventLoopPolicy()


def run(code, *args, **env):
    result = subprocess.run([sys.executable, *args, '-c', code] if code else [sys.executable, *args],
                            capture_output=True, text=True, env={**os.environ, 'HAT_NATIVE': '0', **env}, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


MODULES = ['hat.sbs', 'hat.drivers.net', 'hat.drivers.tcp', 'hat.drivers.tpkt', 'hat.drivers.cotp', 'hat.drivers.chatter',
           'hat.event.common.subscription', 'hat.event.eventer', 'hat.event.eventer.client', 'hat.event.eventer.server',
           'hat.juggler']


@pytest.mark.parametrize('name', MODULES)
def test_each_module(name):
    package, _, module = name.rpartition('.')
    code = f'''
import hat_native
hat_native.install()
import {name}
from {package} import {module}
import sys
assert sys.modules['{name}'] is {module} is {name}
assert {module}.__name__.startswith('hat_native.'), {module}.__name__
assert hat_native.report()['{name}'].startswith('hat_native.')
'''
    run(code)


def test_what_is_not_ours_is_theirs():
    run('''
import hat_native
hat_native.install()
import hat.drivers.cotp.encoder, hat.drivers.net.stream, hat.drivers.udp, hat.drivers.ssl, hat.drivers.modbus, hat.drivers.iec104
from hat.event.eventer import common
from hat.event.common.subscription import pysubscription
from hat.drivers import net
import hat.event.common, hat.event.server.main, hat.monitor.component
assert hat.drivers.net.stream.__file__.endswith('hat/drivers/net/stream.py')
assert hat.drivers.net.stream.TcpAddress is net.TcpAddress
assert isinstance(hat.event.common.create_subscription([('a',)]), hat.event.common.Subscription)
try:
    from hat.event.eventer import nothing
except ImportError:
    pass
else:
    raise Exception
''')


def test_only():
    run('''
import hat_native
hat_native.install(only=['hat.event.eventer'])
from hat.drivers import chatter
from hat.event import eventer
import hat.event.eventer.client
assert chatter.__name__ == 'hat.drivers.chatter'
assert eventer.__name__ == 'hat_native.event.eventer'
assert hat.event.eventer.client.__name__ == 'hat_native.event.eventer.client'
report = hat_native.report()
assert report['hat.drivers.chatter'].startswith('hat.drivers.chatter') and report['hat.sbs'].startswith('hat.sbs')
try:
    hat_native.install(only=['hat.nothing'])
except ValueError as e:
    assert 'hat.nothing' in str(e)
''')


def test_too_late():
    run('''
import hat.drivers.chatter
import hat_native
try:
    hat_native.install()
except ImportError as e:
    assert 'hat.drivers.chatter' in str(e)
else:
    raise Exception
''')


def test_one_may_be_named_without_a_list():
    run('''
import hat_native
hat_native.install('hat.event.eventer')
from hat.drivers import chatter
from hat.event import eventer
assert chatter.__name__ == 'hat.drivers.chatter'
assert eventer.__name__ == 'hat_native.event.eventer'
''')


def test_too_late_for_our_own_modules_too():
    """They take the classes of values from the deployed ones, which are imported by that."""
    run('''
import hat_native.drivers.chatter
import hat_native
try:
    hat_native.install()
except ImportError as e:
    assert 'hat.drivers.chatter' in str(e) and 'hat_native.drivers.chatter' in str(e), e
else:
    raise Exception
assert all('once imported' in i or i.startswith('hat.') for i in hat_native.report().values()), hat_native.report()
''')


def test_twice():
    run('''
import hat_native
hat_native.install(only=['hat.drivers.chatter', 'hat.drivers.net'])
from hat.drivers import chatter
hat_native.install()
hat_native.install()
from hat.event import eventer
assert chatter.__name__ == 'hat_native.drivers.chatter' and eventer.__name__ == 'hat_native.event.eventer'
import importlib, sys
assert importlib.reload(chatter) is chatter is sys.modules['hat.drivers.chatter']
''')


def test_children_have_what_the_environment_says(tmp_path):
    """Processes that a program starts, as `multiprocessing` does it, are new interpreters."""
    script = tmp_path / 'script.py'
    script.write_text('''
import multiprocessing

def child():
    import hat.drivers.chatter
    print(hat.drivers.chatter.__name__)

if __name__ == '__main__':
    process = multiprocessing.get_context('spawn').Process(target=child)
    process.start()
    process.join()
''')
    assert run(None, str(script), HAT_NATIVE='1') == 'hat_native.drivers.chatter'
    assert run(None, '-m', 'hat_native', str(script), HAT_NATIVE='0') == 'hat_native.drivers.chatter'


def test_subscriptions_are_pickled_by_names_that_every_installation_knows():
    write = '''
import hat_native
hat_native.install()
import copy, pickle
from hat.event import common
subscription = common.create_subscription([('a', '*'), ('b', '?')])
assert set(copy.deepcopy(subscription).get_query_types()) == set(subscription.get_query_types())
print(pickle.dumps(subscription).hex())
'''
    read = f'''
import pickle
from hat.event import common
subscription = pickle.loads(bytes.fromhex('{run(write)}'))
assert isinstance(subscription, common.Subscription) and subscription.matches(('a', 'b', 'c')), subscription
assert type(subscription).__module__.startswith('%s'), type(subscription).__module__
'''
    run(read % 'hat.')
    run('import hat_native; hat_native.install()' + read % 'hat_native.')


def test_pickles_are_read_by_every_installation():
    write = '''
import hat_native
hat_native.install()
import pickle
from hat.drivers import chatter, net
from hat.event import common
msg = chatter.Msg(chatter.Data('t', b'1'), chatter.Conversation(True, 1), True, False, True)
event = common.Event(common.EventId(1, 2, 3), ('a',), common.now(), None, common.EventPayloadJson(1))
print(pickle.dumps([msg, event, net.TcpAddress('a', 1)]).hex())
'''
    data = run(write)
    read = f'''
import pickle, hat.drivers.chatter, hat.event.common
msg, event, address = pickle.loads(bytes.fromhex('{data}'))
assert type(msg) is hat.drivers.chatter.Msg and type(event) is hat.event.common.Event
'''
    run(read)
    run('import hat_native; hat_native.install()' + read)


def test_environment():
    code = 'import hat.drivers.chatter as m; print(m.__name__)'
    if run('import sys; print("hat_native._install" in sys.modules)', HAT_NATIVE='1') != 'True':
        pytest.skip('the .pth of the wheel is not installed')
    assert run(code, HAT_NATIVE='1') == 'hat_native.drivers.chatter'
    assert run(code, HAT_NATIVE='hat.event.eventer, hat.drivers.chatter') == 'hat_native.drivers.chatter'
    assert run(code, HAT_NATIVE='hat.event.eventer') == run(code, HAT_NATIVE='0') == run(code, HAT_NATIVE='') == \
        'hat.drivers.chatter'


def test_module(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text('import sys, hat.drivers.chatter as m; print(m.__name__, *sys.argv[1:], __name__)')
    assert run(None, '-m', 'hat_native', str(script), 'a', '-b') == 'hat_native.drivers.chatter a -b __main__'
    (tmp_path / 'mod.py').write_text(script.read_text())
    assert run(None, '-m', 'hat_native', '-m', 'mod', '--x', PYTHONPATH=str(tmp_path)) == \
        'hat_native.drivers.chatter --x __main__'
    assert '--conf' in run(None, '-m', 'hat_native', 'hat-event-server', '--help')
    for args, code in (([], 2), (['nothing-like-this'], 127), (['-m'], 2)):
        result = subprocess.run([sys.executable, '-m', 'hat_native', *args], capture_output=True, text=True)
        assert result.returncode == code and result.stderr
    assert 'hat_native.sbs' in subprocess.run([sys.executable, '-m', 'hat_native', '--report'], capture_output=True,
                                              text=True).stderr


def test_standalone():
    """Where nothing of the deployed packages but hat-aio is installed."""
    run('''
import sys

class Without:
    def find_spec(self, name, path, target=None):
        if name.split('.')[:1] == ['hat'] and name not in ('hat', 'hat.aio') and not name.startswith('hat.aio.'):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Without())
import asyncio, pickle
from hat_native import chatter05, juggler, juggler05, sbs
from hat_native.drivers import chatter, cotp, net, tcp, tpkt
from hat_native.event import common, eventer

async def main():
    addr = net.TcpAddress('127.0.0.1', 0)
    event = common.RegisterEvent(('a',), common.now(), common.EventPayloadJson({'x': 1}))
    srv = await eventer.listen(addr, register_cb=lambda info, events: [
        common.Event(common.EventId(1, 1, 1), i.type, common.now(), i.source_timestamp, i.payload) for i in events])
    client = await eventer.connect(srv.info.addresses[0], 'name', subscriptions=[('*',)])
    result, = await client.register([event], True)
    assert result.payload == event.payload and pickle.loads(pickle.dumps(result)) == result
    assert result < result._replace(id=common.EventId(1, 1, 2)) and result.timestamp.add(1.5) > result.timestamp
    assert srv.get_conn_infos()[0].subscription.matches(('x', 'y'))
    await client.async_close()
    await srv.async_close()

    conns = asyncio.Queue()
    srv = await cotp.listen(conns.put_nowait, addr)
    a = await cotp.connect(srv.info.addresses[0])
    await a.send(b'123')
    assert await (await conns.get()).receive() == b'123'
    await srv.async_close()
    await a.async_close()

    srv = await juggler.listen('127.0.0.1', 28765, request_cb=lambda conn, name, data: data, autoflush_delay=0,
                               connection_cb=lambda conn: conn.state.set(['a', 1], 'x'))
    client = await juggler.connect('ws://127.0.0.1:28765/ws')
    assert await client.send('x', 5) == 5
    assert client.state.get(['a', 1]) == 'x' and client.state.data == {'a': [None, 'x']}
    await client.async_close()
    await srv.async_close()

repo = sbs.Repository('module M  T = Optional(Integer)')
assert repo.decode('M.T', repo.encode('M.T', ('value', 5))) == ('value', 5)
assert repo.decode('M.T', repo.encode('M.T', ('none', None), serializer=sbs.PySerializer)) == ('none', None)
asyncio.run(main())
''')


def test_version():
    assert hat_native.__version__
