"""The line protocol `hat-testee/1`, spoken by deployed Python software.

A peer is a process that a test drives with JSON lines: requests come on
standard input, answers, events and callbacks go to standard output, and
diagnostics to standard error. This module is the part which all peers share:
it numbers the objects, reports their `closing` and `closed`, matches callbacks
with their replies and answers exceptions as errors.

What a peer can do is given as layers. A layer is an object whose public
coroutines are the layer's methods: ``chatter.send`` is coroutine ``send`` of
layer ``chatter``. Each takes the request's parameters and returns its result.
"""

from collections.abc import Callable, Mapping
import asyncio
import itertools
import json
import logging
import os
import sys
import threading
import typing

from hat import aio

import failure


Params: typing.TypeAlias = dict[str, typing.Any]
"""Parameters of a request"""

PROTOCOL: str = 'hat-testee/1'
"""Name and version of the line protocol"""

RESET_TIMEOUT: float = 2
"""Seconds that `reset` waits for objects to close.

Closing flushes first, so a connection whose other side never reads does not
close at all. The next test must not wait for it.

"""


def run(implementation: str,
        create_layers: Callable[['Lines'], Mapping[str, typing.Any]]):
    """Serve standard input until its end, then end the process"""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)

    # nothing but lines may get into standard output
    output, sys.stdout = sys.stdout.buffer, sys.stderr

    asyncio.run(_serve(implementation, create_layers, output))


async def _serve(implementation, create_layers, output):
    lines = Lines(implementation, output)
    lines.set_layers(create_layers(lines))

    loop = asyncio.get_running_loop()
    done = loop.create_future()

    # a thread, because asyncio reads only from pipes, not from files
    def read():
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(lines.process, line)

        loop.call_soon_threadsafe(done.set_result, None)

    threading.Thread(target=read, daemon=True).start()
    await done

    # nobody is left to report to: don't wait for connections to flush
    os._exit(0)


class Lines:
    """One session of the line protocol, as layers see it"""

    def __init__(self, implementation: str, output: typing.BinaryIO):
        self._implementation = implementation
        self._output = output
        self._layers = {}
        self._objects = {}
        self._replies = {}
        self._tasks = set()
        self._next_handles = itertools.count(1)
        self._next_calls = itertools.count(1)

    def set_layers(self, layers: Mapping[str, typing.Any]):
        """Set layers by their names"""
        self._layers = dict(layers)

    def add(self, resource: aio.Resource) -> int:
        """Give resource a handle and report when it closes

        Nothing mentions the handle before the caller's next `await`, so a
        response or event which is written until then introduces it.

        """
        handle = next(self._next_handles)
        self._objects[handle] = _Object(resource)
        self._spawn(self._watch(handle))
        return handle

    def accept(self,
               server: int,
               conn: aio.Resource,
               info: typing.Any):
        """Introduce connection which a server accepted"""
        self.introduce(server, conn, {'info': info})

    def introduce(self,
                  server: int,
                  conn: aio.Resource,
                  params: Params
                  ) -> int | None:
        """Introduce connection with further parameters, return its handle

        Connections of servers which were reset are closed.

        """
        if server not in self._objects:
            conn.close()
            return

        handle = self.add(conn)
        self.event(server, 'accepted', {'conn': handle, **params})
        return handle

    def get(self,
            handle: int,
            *,
            even_closed: bool = False
            ) -> typing.Any:
        """Resource of a handle

        Closed resources are for requests that make sense after the end, such
        as receiving of what came before it.

        """
        obj = self._objects.get(handle)
        if obj is None:
            raise ConnectionError('unknown object')

        if obj.resource.is_closed and not even_closed:
            raise ConnectionError('closed object')

        return obj.resource

    def event(self,
              handle: int,
              name: str,
              params: Params = {}):
        """Report event of an object"""
        if handle in self._objects:
            self._write(_encode({'t': 'evt', 'm': name, 'obj': handle,
                                 'p': params}))

    async def call(self,
                   handle: int,
                   name: str,
                   params: Params
                   ) -> typing.Any:
        """Call the test back and return its result

        Raises exception with the test's text if it answered with an error.

        """
        if handle not in self._objects:
            raise ConnectionError('object is reset')

        call_id = next(self._next_calls)
        future = asyncio.get_running_loop().create_future()
        self._replies[call_id] = handle, future

        try:
            self._write(_encode({'t': 'call', 'id': call_id, 'm': name,
                                 'obj': handle, 'p': params}))
            return await future

        finally:
            del self._replies[call_id]

    def process(self, line: bytes):
        """Start processing of one line of input"""
        msg = json.loads(line)

        if msg['t'] == 'req':
            # tasks are started in the order in which they are created
            self._spawn(self._process_req(msg))

        elif msg['t'] == 'rep':
            self._process_rep(msg)

        else:
            raise Exception('unsupported line')

    async def _process_req(self, req):
        res = {'t': 'res', 'id': req['id']}
        try:
            res['ok'] = await self._execute(req['m'], req.get('p') or {})
            line = _encode(res)

        except (Exception, asyncio.CancelledError) as e:
            res.pop('ok', None)
            line = _encode({**res, 'err': failure.to_json(e)})

        # what a request changed is reported before its response
        for handle in list(self._objects):
            self._report_state(handle)

        self._write(line)

    def _process_rep(self, rep):
        _, future = self._replies.get(rep['id'], (None, None))
        if not future or future.done():
            return

        if 'err' in rep:
            future.set_exception(Exception(rep['err'].get('msg', '')))

        else:
            future.set_result(rep.get('ok'))

    async def _execute(self, method, params):
        if method == 'hello':
            return {'protocol': PROTOCOL,
                    'impl': self._implementation,
                    'features': list(self._layers)}

        if method == 'reset':
            return await self._reset()

        if method == 'close':
            resource = self.get(params['obj'], even_closed=True)
            return await resource.async_close()

        layer, _, name = method.partition('.')
        fn = (getattr(self._layers.get(layer), name, None)
              if name and not name.startswith('_') else None)
        if not fn:
            raise failure.Failure('unsupported',
                                  f'unsupported method {method}')

        return await fn(params)

    async def _reset(self):
        objects, self._objects = self._objects, {}

        for _, future in self._replies.values():
            if not future.done():
                future.set_exception(ConnectionError('object is reset'))

        tasks = [self._spawn(obj.resource.async_close())
                 for obj in objects.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=RESET_TIMEOUT)

    async def _watch(self, handle):
        obj = self._objects.get(handle)
        if obj is None:
            return

        obj.introduced = True
        await obj.resource.wait_closing()
        self._report_state(handle)
        await obj.resource.wait_closed()
        self._report_state(handle)

    def _report_state(self, handle):
        obj = self._objects.get(handle)
        if obj is None or not obj.introduced:
            return

        if obj.resource.is_closing and not obj.closing_reported:
            obj.closing_reported = True
            self.event(handle, 'closing')

        if obj.resource.is_closed and not obj.closed_reported:
            obj.closed_reported = True
            self.event(handle, 'closed')

    def _spawn(self, coroutine):
        # the loop itself holds tasks only weakly
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _write(self, line):
        self._output.write(line)
        self._output.flush()


class _Object:

    def __init__(self, resource):
        self.resource = resource
        self.introduced = False
        self.closing_reported = False
        self.closed_reported = False


def _encode(msg):
    # NaN and infinities are Python's JSON, nobody else's
    return json.dumps(msg, allow_nan=False,
                      separators=(',', ':')).encode() + b'\n'
