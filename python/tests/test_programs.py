"""The deployed programs, unchanged, under ``python -m hat_native`` and under ``HAT_NATIVE=1``."""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import aiohttp
import pytest

from hat import aio
from hat import juggler as their_juggler
from hat import util
from hat.drivers import net
from hat.event import common, eventer as theirs
import hat.gui.passwd

from hat_native.event import eventer as ours
from hat_native import juggler


BIN = pathlib.Path(sys.executable).parent

PATIENCE = 120
"""Seconds that a program has for anything, on a machine that does much else: it is given up then, and nothing is measured"""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def event_loop_policy():
    # the programs have their own loops; once is enough for ours
    return asyncio.DefaultEventLoopPolicy()


class Program:
    """A program in a process of its own: how it runs is ``'module'``, ``'environment'``, or ``'deployed'``, without us."""

    def __init__(self, tmp_path, name, conf, how):
        conf_path = tmp_path / f'{name}.json'
        conf_path.write_text(json.dumps({**conf, 'log': {
            'version': 1,
            'formatters': {'default': {'format': '%(name)s %(levelname)s %(message)s'}},
            'handlers': {'console': {'class': 'logging.StreamHandler', 'formatter': 'default', 'level': 'WARNING'}},
            'root': {'level': 'WARNING', 'handlers': ['console']}}}))
        self.log_path = tmp_path / f'{name}.log'
        self.name = name
        env = {**os.environ, 'HAT_NATIVE': '1' if how == 'environment' else '0', 'PYTHONUNBUFFERED': '1'}
        args = ([sys.executable, '-m', 'hat_native', '--report', name] if how == 'module' else [str(BIN / name)])
        self.process = subprocess.Popen([*args, '--conf', str(conf_path)], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.log_path.open('w'))

    @property
    def log(self):
        return self.log_path.read_text()

    def stop(self):
        assert self.process.poll() is None, self.log
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        assert code == 0, (code, self.log)
        assert 'Traceback' not in self.log, self.log

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path):
    programs = []

    def start(name, conf, how='module'):
        programs.append(Program(tmp_path, name, conf, how))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()


async def until(create, seconds=PATIENCE):
    """What `create` gives, once it does not raise."""
    end = time.monotonic() + seconds
    while True:
        try:
            return await create()
        except Exception:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.05)


def event_server(tmp_path, port, **more):
    return {'name': 'event server', 'server_id': 1,
            'backend': {'module': 'hat.event.backends.lmdb', 'db_path': str(tmp_path / 'event.db'), 'identifier': None,
                        'flush_period': 0.5, 'cleanup_period': 60, 'conditions': [],
                        'latest': {'subscriptions': [['*']]},
                        'timeseries': [{'order_by': 'TIMESTAMP', 'subscriptions': [['*']]}]},
            'modules': [],
            'eventer_server': {'host': '127.0.0.1', 'port': port}, **more}


def event(*type, data=None):
    return common.RegisterEvent(type, None, common.EventPayloadJson(data))


@pytest.mark.parametrize('how', ['module', 'environment'])
@pytest.mark.parametrize('eventer', [ours, theirs], ids=['ours', 'theirs'])
async def test_event_server(tmp_path, start, port, how, eventer):
    addr = net.TcpAddress('127.0.0.1', port)
    server = start('hat-event-server', event_server(tmp_path, port), how)
    notified = []
    client = await until(lambda: eventer.connect(
        addr, 'test', subscriptions=[('a', '*')], events_cb=lambda _, events: notified.extend(events)))
    await until_operational(client)

    events = await client.register([event('a', str(i), data={'i': i}) for i in range(100)], True)
    assert [i.payload.data['i'] for i in events] == list(range(100))
    assert notified == events
    result = await client.query(common.QueryLatestParams([('a', '7')]))
    assert result.events == [events[7]]
    result = await client.query(common.QueryTimeseriesParams([('a', '*')], max_results=10))
    assert len(result.events) == 10 and result.more_follows
    await client.async_close()
    server.stop()

    # what was registered is stored
    server = start('hat-event-server', event_server(tmp_path, port), how)
    client = await until(lambda: eventer.connect(addr, 'test'))
    await until_operational(client)
    result = await client.query(common.QueryLatestParams([('a', '99')]))
    assert list(result.events) == [events[99]]
    await client.async_close()
    server.stop()


async def until_operational(client):
    async def check():
        assert client.status == common.Status.OPERATIONAL
    await until(check)


async def test_it_is_ours_that_runs(tmp_path, start, port):
    server = start('hat-event-server', event_server(tmp_path, port))
    client = await until(lambda: ours.connect(net.TcpAddress('127.0.0.1', port), 'test'))
    await client.async_close()
    server.stop()
    assert 'hat_native.event.eventer' in server.log


PROGRAMS = ['hat-monitor', 'hat-event-server', 'hat-gateway', 'hat-gui-server']


@pytest.mark.parametrize('native', [PROGRAMS, *([name] for name in PROGRAMS)], ids=['all', *PROGRAMS])
async def test_a_plant(tmp_path, start, native):
    """A monitor, an event server, a gateway with both ends of an IEC 104 line, and a GUI: all of them on us, and each alone among the
    deployed ones."""
    start_any, programs = start, []

    def start(name, conf):
        programs.append(start_any(name, conf, 'module' if name in native else 'deployed'))
        return programs[-1]

    ports = {name: util.get_unused_tcp_port() for name in ('monitor', 'master', 'ui', 'event', 'iec104', 'gui')}
    start('hat-monitor', {
        'default_algorithm': 'BLESS_ALL', 'group_algorithms': {'event': 'BLESS_ONE'},
        'server': {'host': '127.0.0.1', 'port': ports['monitor'], 'default_rank': 1},
        'master': {'host': '127.0.0.1', 'port': ports['master']},
        'slave': {'parents': [], 'connect_timeout': 1, 'connect_retry_count': 1, 'connect_retry_delay': 1},
        'ui': {'host': '127.0.0.1', 'port': ports['ui']}})
    component = {'host': '127.0.0.1', 'port': ports['monitor']}
    # the other programs end where it does not listen yet, and whoever started them would start them
    # again
    await (await until(lambda: net.connect(net.TcpAddress('127.0.0.1', ports['monitor'])))).async_close()
    start('hat-event-server', event_server(
        tmp_path, ports['event'], monitor_component={**component, 'group': 'event'}))

    line = {'response_timeout': 15, 'supervisory_timeout': 10, 'test_timeout': 20, 'send_window_size': 12,
            'receive_window_size': 8}
    start('hat-gateway', {
        'name': 'gateway',
        'event_server': {'monitor_component': {**component, 'gateway_group': 'gateway', 'event_server_group': 'event'}},
        'devices': [
            {'module': 'hat.gateway.devices.iec104.slave', 'name': 'slave', 'local_host': '127.0.0.1',
             'local_port': ports['iec104'], 'remote_hosts': None, 'max_connections': None, 'buffers': [],
             'data': [{'data_type': 'SINGLE', 'asdu_address': 1, 'io_address': 2, 'buffer': None}], **line},
            {'module': 'hat.gateway.devices.iec104.master', 'name': 'master',
             'remote_addresses': [{'host': '127.0.0.1', 'port': ports['iec104']}], 'reconnect_delay': 0.2,
             'time_sync_delay': None, **line}]})
    start('hat-gui-server', {
        'name': 'gui',
        'event_server': {'monitor_component': {**component, 'gui_group': 'gui', 'event_server_group': 'event'}},
        'address': {'host': '127.0.0.1', 'port': ports['gui']},
        'adapters': [{'name': 'latest', 'module': 'hat.gui.adapters.latest', 'authorized_roles': ['user'],
                      'items': [{'key': 'switch', 'event_type': [
                          'gateway', 'iec104_master', 'master', 'gateway', 'data', 'single', '1', '2']}]}],
        'views': [{'name': 'login', 'roles': ['user'], 'paths': [{'builtin': 'login'}]}],
        'users': {'max_sessions': 10, 'local': [
            {'name': 'operator', 'password': hat.gui.passwd.generate('secret', None), 'roles': ['user']}]},
        'initial_view': 'login'})

    seen = aio.Queue()
    client = await until(lambda: ours.connect(
        net.TcpAddress('127.0.0.1', ports['event']), 'test', subscriptions=[('gateway', '*')],
        events_cb=lambda _, events: [seen.put_nowait(i) for i in events]))
    await until_operational(client)

    async def see(*suffix, check=lambda data: True):
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await seen.get()
                if found.type[-len(suffix):] == suffix and check(found.payload.data):
                    return found

    await client.register([event('gateway', f'iec104_{i}', i, 'system', 'enable', data=True)
                           for i in ('slave', 'master')])
    await see('master', 'gateway', 'status', check=lambda data: data == 'CONNECTED')

    # a change at the one end of the line arrives at the other
    quality = {'invalid': False, 'not_topical': False, 'substituted': False, 'blocked': False}
    change = {'is_test': False, 'cause': 'SPONTANEOUS', 'data': {'value': 'ON', 'quality': quality}}
    await client.register([event('gateway', 'iec104_slave', 'slave', 'system', 'data', 'single', '1', '2', data=change)])
    arrived = await see('master', 'gateway', 'data', 'single', '1', '2')
    assert arrived.payload.data['data']['value'] == 'ON'

    # and in the GUI, for who logs in
    base = f'127.0.0.1:{ports["gui"]}'
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        login = await until(lambda: session.post(f'http://{base}/login/local',
                                                 json={'name': 'operator', 'password': 'secret'}))
        assert login.status == 200
        cookies = {key: morsel.value for key, morsel in login.cookies.items()}
    for module in (juggler, their_juggler):
        screen = await module.connect(f'ws://{base}/ws', cookies=cookies)

        async def shown():
            assert 'ON' in json.dumps(screen.state.get(['latest', 'switch']))
        await until(shown)
        await screen.async_close()

    # the monitor's page follows
    page = await juggler.connect(f'ws://127.0.0.1:{ports["ui"]}/ws')

    async def components():
        assert {i['group'] for i in page.state.data['global_components']} == {'event', 'gateway', 'gui'}
    await until(components)
    await page.async_close()

    await client.async_close()
    for program in reversed(programs):
        program.stop()
        assert ('hat_native' in program.log) == (program.name in native), program.log
