"""The way of a person who runs Hat, and has installed the package beside it: `HAT_NATIVE=1`, a restart, and nothing else is different.

Runs in the environment that this Python is of, which has Hat's programs, the package, and nothing for tests.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time


BIN = pathlib.Path(sys.executable).parent

CLIENT = '''
import asyncio, sys
import hat_native
from hat.drivers import tcp
from hat.event import common, eventer

async def main():
    client = await eventer.connect(tcp.Address('127.0.0.1', int(sys.argv[1])), 'person')
    while client.status != common.Status.OPERATIONAL:
        await asyncio.sleep(0.01)
    event, = await client.register([common.RegisterEvent(('a',), None, common.EventPayloadJson(int(sys.argv[2])))], True)
    result = await client.query(common.QueryLatestParams([('a',)]))
    assert list(result.events) == [event]
    await client.async_close()

asyncio.run(main())
print(eventer.__name__, hat_native.report()['hat.event.eventer'].split()[0])
'''


def env(native):
    return {**{key: value for key, value in os.environ.items() if key != 'HAT_NATIVE'}, **native}


def run(program, native, *args):
    result = subprocess.run([*program, *args], env=env(native), capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


def restart(folder, native, number):
    """An event server with LMDB, as it is restarted with `native` in its environment, and a client of each kind."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    conf = folder / 'event.json'
    conf.write_text(json.dumps({
        'name': 'event server', 'server_id': 1, 'modules': [], 'eventer_server': {'host': '127.0.0.1', 'port': port},
        'backend': {'module': 'hat.event.backends.lmdb', 'db_path': str(folder / 'event.db'), 'identifier': None,
                    'flush_period': 1, 'cleanup_period': 60, 'conditions': [], 'latest': {'subscriptions': [['*']]},
                    'timeseries': []},
        'log': {'version': 1, 'root': {'level': 'WARNING', 'handlers': ['console']},
                'handlers': {'console': {'class': 'logging.StreamHandler'}}}}))
    with (folder / 'log').open('w') as log:
        server = subprocess.Popen([BIN / 'hat-event-server', '--conf', conf], env=env(native), stderr=log, stdout=log)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', port)) == 0:
                    break
            assert server.poll() is None, (folder / 'log').read_text()
            time.sleep(0.1)
        for client in ({}, {'HAT_NATIVE': '1'}):
            expected = 'hat_native.event.eventer hat_native.event.eventer' if client else 'hat.event.eventer hat.event.eventer'
            assert run([sys.executable, '-P', '-c', CLIENT], client, str(port), str(number)) == expected
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
    said = (folder / 'log').read_text()
    assert code == 0 and 'Traceback' not in said, said


def main():
    for native in ({}, {'HAT_NATIVE': '1'}):
        for program in ('hat-event-server', 'hat-monitor', 'hat-gateway', 'hat-gui-server'):
            assert '--conf' in run([BIN / program], native, '--help')
    with tempfile.TemporaryDirectory() as folder:
        # without, with, and without again: one database
        for number, native in enumerate(({}, {'HAT_NATIVE': '1'}, {})):
            restart(pathlib.Path(folder), native, number)
    print('nothing was noticed')


main()
