"""Layer ``eventer``: client and server of hat-event"""

import asyncio

from hat.event import common
from hat.event import eventer

from today_chatter import address, connect_options, listen_options
import eventer_json
import failure
import lines


class Eventer:
    """Layer ``eventer``"""

    def __init__(self, session: lines.Lines):
        self._session = session

    async def connect(self, p):
        handle = asyncio.get_running_loop().create_future()

        async def on_status(client, status):
            await self._session.call(await handle, 'status',
                                     {'status': status.value})

        async def on_events(client, events):
            await self._session.call(
                await handle, 'events',
                {'events': [eventer_json.event_to_json(event)
                            for event in events]})

        try:
            client = await eventer.connect(
                address(p), p['client_name'],
                client_token=p.get('client_token'),
                subscriptions=[tuple(i) for i in p.get('subscriptions', [])],
                server_id=p.get('server_id'),
                persisted=p.get('persisted', False),
                status_cb=on_status,
                events_cb=on_events,
                **connect_options(p))

        except eventer.EventerInitError as e:
            raise failure.Failure('init', str(e)) from e

        handle.set_result(self._session.add(client))

        return {'obj': handle.result(),
                'status': client.status.value}

    async def register(self, p):
        client = self._session.get(p['obj'])
        events = await client.register(
            [eventer_json.register_event_from_json(i) for i in p['events']],
            p.get('with_response', False))

        return {'events': _events_to_json(events)}

    async def query(self, p):
        client = self._session.get(p['obj'])
        result = await client.query(
            eventer_json.query_params_from_json(p['params']))

        return eventer_json.query_result_to_json(result)

    async def listen(self, p):
        handle = asyncio.get_running_loop().create_future()

        async def call(name, info, **params):
            return await self._session.call(
                await handle, name,
                {'info': eventer_json.client_info_to_json(info), **params})

        async def on_connected(info):
            await call('connected', info)

        async def on_disconnected(info):
            await call('disconnected', info)

        async def on_register(info, events):
            result = await call(
                'register', info,
                events=[eventer_json.register_event_to_json(event)
                        for event in events])

            return (None if result['events'] is None else
                    [eventer_json.event_from_json(i)
                     for i in result['events']])

        async def on_query(info, params):
            result = await call(
                'query', info,
                params=eventer_json.query_params_to_json(params))

            return eventer_json.query_result_from_json(result)

        callbacks = {'connected_cb': on_connected,
                     'disconnected_cb': on_disconnected,
                     'register_cb': on_register,
                     'query_cb': on_query}

        server = await eventer.listen(
            address(p),
            status=common.Status(p.get('status', 'standby')),
            close_timeout=p.get('close_timeout', 0.5),
            **{name: cb for name, cb in callbacks.items()
               if p.get(f'has_{name}')},
            **listen_options(p))
        handle.set_result(self._session.add(server))

        return {'obj': handle.result()}

    async def conn_infos(self, p):
        server = self._session.get(p['obj'])

        return [eventer_json.client_info_to_json(info)
                for info in server.get_conn_infos()]

    async def set_status(self, p):
        server = self._session.get(p['obj'])
        await server.set_status(common.Status(p['status']))

    async def notify_events(self, p):
        server = self._session.get(p['obj'])
        await server.notify_events(
            [eventer_json.event_from_json(i) for i in p['events']],
            p['persisted'],
            p.get('with_ack', False))


def _events_to_json(events):
    if events is None:
        return

    return [eventer_json.event_to_json(event) for event in events]
