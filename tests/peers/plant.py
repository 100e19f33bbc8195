"""A plant of deployed programs around an event server of this project, which is killed in the middle of it.

``python plant.py HAT RUNTIME FOLDER``: hat-monitor, ``hat serve`` with a store,
hat-gateway with both ends of an IEC 104 line, and hat-gui. What has to come back
after ``kill -9`` of the server, and its start by whoever supervises it, is all
of it, with nothing registered again: the devices are enabled, the line is
connected, a change at the one end arrives at the other, and in the GUI.
"""

import asyncio
import contextlib
import json
import pathlib
import subprocess
import sys
import time

import aiohttp

from hat import aio, juggler, util
from hat.drivers import net
from hat.event import common, eventer
import hat.gui.passwd

BIN = pathlib.Path(sys.executable).parent
TIME_LIMIT = 60


def main():
    """Entry point"""
    hat_binary, runtime, folder = sys.argv[1:]
    programs = {}
    try:
        asyncio.run(_run(hat_binary, runtime, pathlib.Path(folder), programs))
    except BaseException:
        for name in programs:
            print(f'--- {name}', file=sys.stderr)
            print((pathlib.Path(folder) / f'{name}.log').read_text(), file=sys.stderr)
        raise
    finally:
        for program in programs.values():
            with contextlib.suppress(ProcessLookupError):
                program.kill()
            program.wait()


async def _until(what, create):
    """What `create` gives, once it does not raise."""
    end = time.monotonic() + TIME_LIMIT
    while True:
        try:
            return await create()
        except Exception as e:
            if time.monotonic() > end:
                raise Exception(f'not within the time: {what}') from e
            await asyncio.sleep(0.05)


def _event(*event_type, data):
    return common.RegisterEvent(event_type, None, common.EventPayloadJson(data))


def _change(value):
    quality = {'invalid': False, 'not_topical': False, 'substituted': False, 'blocked': False}
    return _event('gateway', 'iec104_slave', 'slave', 'system', 'data', 'single', '1', '2',
                  data={'is_test': False, 'cause': 'SPONTANEOUS', 'data': {'value': value, 'quality': quality}})


class _Watcher:
    """A client that sees what the gateway registers."""

    @classmethod
    async def connect(cls, port):
        self = cls()
        self._seen = aio.Queue()
        self.client = await _until('the server is there', lambda: eventer.connect(
            net.TcpAddress('127.0.0.1', port), 'watcher', subscriptions=[('gateway', '*')],
            events_cb=lambda _, events: [self._seen.put_nowait(i) for i in events]))

        async def operational():
            assert self.client.status == common.Status.OPERATIONAL
        await _until('the server is operational', operational)
        return self

    async def see(self, *suffix, data, within=TIME_LIMIT):
        """Waits for such an event."""
        async with asyncio.timeout(within):
            while True:
                found = await self._seen.get()
                if found.type[-len(suffix):] == suffix and data in json.dumps(found.payload.data):
                    return found

    async def latest(self, *event_type):
        """The latest event of this type; it is an error if there is none."""
        result = await self.client.query(common.QueryLatestParams([event_type]))
        event, = result.events
        return event


async def _run(hat_binary, runtime, folder, programs):
    ports = {name: util.get_unused_tcp_port() for name in ('monitor', 'master', 'event', 'iec104', 'gui')}

    def start(name, *args):
        log = (folder / f'{name}.log').open('a')
        programs[name] = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def deployed(name, conf):
        path = folder / f'{name}.json'
        path.write_text(json.dumps({**conf, 'log': {
            'version': 1, 'handlers': {'console': {'class': 'logging.StreamHandler'}},
            'root': {'level': 'WARNING', 'handlers': ['console']}}}))
        # not by its own first line, which names where the environment was made
        start(name, sys.executable, str(BIN / name), '--conf', str(path))

    def server():
        start('hat', hat_binary, 'serve', '--runtime', runtime, '--listen', f'127.0.0.1:{ports["event"]}',
              '--store', str(folder / 'store'), '--monitor', f'127.0.0.1:{ports["monitor"]}', '--group', 'event')

    deployed('hat-monitor', {
        'default_algorithm': 'BLESS_ALL', 'group_algorithms': {'event': 'BLESS_ONE'},
        'server': {'host': '127.0.0.1', 'port': ports['monitor'], 'default_rank': 1},
        'master': {'host': '127.0.0.1', 'port': ports['master']},
        'slave': {'parents': [], 'connect_timeout': 1, 'connect_retry_count': 1, 'connect_retry_delay': 1}})
    # the other programs end where it does not listen yet
    await _until('the monitor listens', lambda: _reachable(ports['monitor']))
    server()
    component = {'host': '127.0.0.1', 'port': ports['monitor']}
    line = {'response_timeout': 15, 'supervisory_timeout': 10, 'test_timeout': 20, 'send_window_size': 12,
            'receive_window_size': 8}
    deployed('hat-gateway', {
        'name': 'gateway',
        'event_server': {'monitor_component': {**component, 'gateway_group': 'gateway', 'event_server_group': 'event'}},
        'devices': [
            {'module': 'hat.gateway.devices.iec104.slave', 'name': 'slave', 'local_host': '127.0.0.1',
             'local_port': ports['iec104'], 'remote_hosts': None, 'max_connections': None, 'buffers': [],
             'data': [{'data_type': 'SINGLE', 'asdu_address': 1, 'io_address': 2, 'buffer': None}], **line},
            {'module': 'hat.gateway.devices.iec104.master', 'name': 'master',
             'remote_addresses': [{'host': '127.0.0.1', 'port': ports['iec104']}], 'reconnect_delay': 0.2,
             'time_sync_delay': None, **line}]})
    arrived = ('gateway', 'iec104_master', 'master', 'gateway', 'data', 'single', '1', '2')
    deployed('hat-gui-server', {
        'name': 'gui',
        'event_server': {'monitor_component': {**component, 'gui_group': 'gui', 'event_server_group': 'event'}},
        'address': {'host': '127.0.0.1', 'port': ports['gui']},
        'adapters': [{'name': 'latest', 'module': 'hat.gui.adapters.latest', 'authorized_roles': ['user'],
                      'items': [{'key': 'switch', 'event_type': list(arrived)}]}],
        'views': [{'name': 'login', 'roles': ['user'], 'paths': [{'builtin': 'login'}]}],
        'users': {'max_sessions': 10, 'local': [
            {'name': 'operator', 'password': hat.gui.passwd.generate('secret', None), 'roles': ['user']}]},
        'initial_view': 'login'})

    watcher = await _Watcher.connect(ports['event'])
    await watcher.client.register([_event('gateway', f'iec104_{i}', i, 'system', 'enable', data=True)
                                   for i in ('slave', 'master')], with_response=True)
    # not DISCONNECTED, which comes before
    await watcher.see('master', 'gateway', 'status', data='"CONNECTED"')
    await watcher.client.register([_change('ON')], with_response=True)
    await watcher.see(*arrived, data='ON')
    await _shown(ports['gui'], 'ON')

    programs['hat'].kill()
    programs['hat'].wait()
    killed = time.monotonic()
    server()
    watcher = await _Watcher.connect(ports['event'])
    for device in ('slave', 'master'):
        enabled = await watcher.latest('gateway', f'iec104_{device}', device, 'system', 'enable')
        assert enabled.payload.data is True
    assert 'ON' in json.dumps((await watcher.latest(*arrived)).payload.data)

    # the gateway and the GUI come by themselves, and what they did before is done again
    async def connected():
        status = await watcher.latest('gateway', 'iec104_master', 'master', 'gateway', 'status')
        assert status.payload.data == 'CONNECTED' and status.id.session > enabled.id.session
        assert await _again(watcher, enabled)
    await _until('the gateway is back', connected)
    print(f'the line was connected {time.monotonic() - killed:.2f} s after kill -9')

    # the gateway drops what comes before its slave is open again, and its master may have been connected to the one
    # that is being closed: then the line is closed once more
    async def arrives():
        await watcher.client.register([_change('OFF')], with_response=True)
        await watcher.see(*arrived, data='OFF', within=1)
    await _until('what changes arrives', arrives)
    await _shown(ports['gui'], 'OFF')
    for name, program in programs.items():
        assert program.poll() is None, f'{name} has ended'


async def _again(watcher, enabled):
    """Whether the gateway has told of its devices to the server that came after the one that was killed."""
    engines = await watcher.client.query(common.QueryTimeseriesParams([('event', '?', 'engine')]))
    started = next(event for event in engines.events if event.payload.data == 'STARTED')
    status = await watcher.latest('gateway', 'iec104_master', 'master', 'gateway', 'status')
    return status.id > started.id


async def _reachable(port):
    _, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.close()


async def _shown(port, value):
    """Waits until the GUI shows the value to who logs in."""
    base = f'127.0.0.1:{port}'

    async def shown():
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            login = await session.post(f'http://{base}/login/local', json={'name': 'operator', 'password': 'secret'})
            assert login.status == 200
            cookies = {key: morsel.value for key, morsel in login.cookies.items()}
        screen = await juggler.connect(f'ws://{base}/ws', cookies=cookies)
        try:
            end = time.monotonic() + 5
            while value not in json.dumps(screen.state.get(['latest', 'switch'])):
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
        finally:
            await screen.async_close()
    await _until(f'the GUI shows {value}', shown)


if __name__ == '__main__':
    main()
