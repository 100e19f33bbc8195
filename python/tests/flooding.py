"""A peer that sends and reads nothing, and one that reads again: what it does not read must stop the
other side's reading, and no more than that.

"""

import asyncio
import base64
import contextlib


LIMIT = 48 * 1024 * 1024
"""Bytes: more than what the systems keep of both directions, with the little that we may"""

PING = b'\x01\x16\x81\x81\x01\x01\x00\x8fHatChatter.Ping\x80'
"""Chatter's, as the deployed module sends it"""


async def flood(writer, more):
    """Send what `more` gives, again and again, until nothing is taken for a second. Returns how often it was sent."""
    count = sent = 0
    while sent < LIMIT:
        data = more()
        writer.write(data)
        sent += len(data)
        count += 1
        try:
            await asyncio.wait_for(writer.drain(), 1)
        except asyncio.TimeoutError:
            return count
    raise AssertionError('the flood is taken without end')


async def read(reader, what, count):
    """Read until `what` has come `count` times."""
    rest, found = b'', 0
    async with asyncio.timeout(60):
        while found < count:
            data = await reader.read(1 << 20)
            assert data, f'the end, after {found} of {count}'
            rest += data
            found += rest.count(what)
            # what ends in the middle of one goes on with the next read
            rest = rest[max(rest.rfind(what) + len(what), len(rest) - len(what) + 1):]
    assert found == count


def frame(payload, opcode=1):
    """A frame of a WebSocket's client, whose mask changes nothing."""
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b'\xfe' + len(payload).to_bytes(2, 'big')
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


async def web_socket(port):
    """A connected WebSocket, as its streams."""
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    key = base64.b64encode(bytes(16)).decode()
    writer.write(f'GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                 f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n'.encode())
    assert b' 101 ' in await reader.readuntil(b'\r\n\r\n')
    return reader, writer


async def ends(reader):
    """Wait until the other side has closed; one that has not read all resets the connection."""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionResetError):
            while await reader.read(1 << 20):
                pass
