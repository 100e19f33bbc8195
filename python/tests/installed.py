"""Whether the package works where it is installed, without anything else: for who has made a wheel. `python -P tests/installed.py`"""

import asyncio
import contextlib

import hat_native
from hat_native.drivers import chatter, cotp, net
from hat_native.event import common, eventer


async def main():
    loopback = net.TcpAddress('127.0.0.1', 0)

    async def echo(conn):
        with contextlib.suppress(ConnectionError):
            while True:
                await conn.send((await conn.receive()).data)

    srv = await chatter.listen(echo, loopback)
    async with await chatter.connect(srv.info.addresses[0]) as conn:
        for size in (0, 1, 1 << 20):
            await conn.send(chatter.Data('type', bytes(size)))
            assert (await conn.receive()).data == chatter.Data('type', bytes(size))
    await srv.async_close()

    async def echo_data(conn):
        with contextlib.suppress(ConnectionError):
            while True:
                await conn.send(await conn.receive())

    srv = await cotp.listen(echo_data, loopback, bind_connections=True)
    async with await cotp.connect(srv.info.addresses[0]) as conn:
        await conn.send(b'123')
        assert await conn.receive() == b'123'
    await srv.async_close()

    told = asyncio.Queue()
    event = common.Event(common.EventId(1, 1, 1), ('a', 'b'), common.now(), None, common.EventPayloadJson({'x': [1.5, None]}))
    srv = await eventer.listen(loopback, register_cb=lambda info, events: [event])
    async with await eventer.connect(srv.info.addresses[0], 'name', subscriptions=[('a', '*')],
                                     events_cb=lambda _, events: told.put_nowait(events)) as client:
        assert await client.register([common.RegisterEvent(event.type, None, event.payload)], True) == [event]
        await srv.notify_events([event], False, True)
        assert await told.get() == [event]
    await srv.async_close()
    print('hat_native', hat_native.__version__, 'works')


asyncio.run(main())
