"""The types of the package, and of a program that uses it."""

import asyncio
import importlib.util
import pathlib
import subprocess
import sys

import pytest


@pytest.fixture
def event_loop_policy():
    # nothing here depends on the event loop: once is enough
    return asyncio.DefaultEventLoopPolicy()


PACKAGE = pathlib.Path(__file__).parent.parent

PROGRAM = '''
import asyncio
from hat_native.drivers import chatter, cotp, net
from hat_native.event import common, eventer
from hat_native import sbs


async def main() -> None:
    addr = net.TcpAddress('127.0.0.1', 1)
    conn: chatter.Connection = await chatter.connect(addr, ping_delay=None)
    msg: chatter.Msg = await conn.receive()
    conv: chatter.Conversation = await conn.send(msg.data, conv=msg.conv)
    async with await eventer.connect(addr, 'name', subscriptions=[('a', '*')]) as client:
        status: common.Status = client.status
        result: common.QueryResult = await client.query(common.QueryLatestParams())
        assert status and result and conv.owner
    line: cotp.Connection = await cotp.connect(addr, local_tsel=1)
    await line.send(b'123')
    await line.async_close()
    data: bytes | bytearray | memoryview = sbs.Repository('module M').encode('Integer', 1)
    assert data

asyncio.run(main())
'''


@pytest.mark.timeout(600)
@pytest.mark.parametrize('tool', ['mypy', 'pyright'])
def test_types(tool, tmp_path):
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f'pip install {tool}')
    program = tmp_path / 'program.py'
    program.write_text(PROGRAM)
    if tool == 'mypy':
        command = ['mypy', '--strict', '--config-file', str(PACKAGE / 'pyproject.toml'), '--cache-dir', str(tmp_path),
                   str(PACKAGE / 'hat_native')]
        commands = [command, [*command[:-1], str(program)]]
    else:
        commands = [['pyright', '--pythonpath', sys.executable, '-p', str(PACKAGE)],
                    ['pyright', '--pythonpath', sys.executable, str(program)]]
    for command in commands:
        result = subprocess.run([sys.executable, '-m', *command], capture_output=True, text=True, cwd=PACKAGE)
        assert result.returncode == 0, result.stdout + result.stderr
