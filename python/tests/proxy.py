"""A line between two ends with one fault of its own: what comes in is passed on late, in pieces, wrong, or not any more."""

import asyncio
import contextlib


FAULTS = ('none', 'pieces', 'late', 'end', 'reset', 'silence', 'garble')
"""Of these, `garble` changes what arrives; the others change when it does, and how much of it"""


class Line:
    """Listens on a port, and passes each connection on to `addr` with the fault `fault`. `rng` says where it strikes."""

    def __init__(self, addr, fault, rng):
        self._addr = addr
        self._fault = fault
        self._rng = rng
        self._tasks = set()

    async def open(self):
        """Returns the port that it listens on."""
        self._srv = await asyncio.start_server(self._on_connection, '127.0.0.1', 0)
        return self._srv.sockets[0].getsockname()[1]

    async def close(self):
        self._srv.close()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    async def _on_connection(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        ends = [writer]
        try:
            with contextlib.suppress(OSError, RuntimeError, asyncio.CancelledError):  # uvloop's of a closed transport
                other_reader, other_writer = await asyncio.open_connection(self._addr.host, self._addr.port)
                ends.append(other_writer)
                strikes_at = self._rng.randrange(20000)
                await asyncio.gather(self._pass(reader, other_writer, strikes_at, ends),
                                     self._pass(other_reader, writer, strikes_at, ends))
        finally:
            for end in ends:
                end.transport.abort()
            self._tasks.discard(task)

    async def _pass(self, reader, writer, strikes_at, ends):
        rng, fault, passed = self._rng, self._fault, 0
        while data := await reader.read(65536):
            if fault == 'pieces':
                for start in range(0, min(len(data), 294), 7):
                    writer.write(data[start:start + 7])
                    await asyncio.sleep(0)
                data = data[294:]
            elif fault == 'late' and rng.random() < 0.1:
                await asyncio.sleep(rng.random() * 0.05)
            elif passed <= strikes_at < passed + len(data):
                at = strikes_at - passed
                if fault == 'end':
                    writer.write(data[:at])
                    break
                if fault == 'reset':
                    for end in ends:
                        end.transport.abort()
                    break
                if fault == 'silence':
                    await asyncio.sleep(rng.random() * 0.5)
                if fault == 'garble':
                    data = bytearray(data)
                    data[at] ^= rng.randrange(1, 256)
            passed += len(data)
            writer.write(bytes(data))
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()
