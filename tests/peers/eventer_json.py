"""Values of layer ``eventer`` as the line protocol writes them in JSON"""

import base64
import typing

from hat.event import common
from hat.event import eventer


Json: typing.TypeAlias = typing.Any
"""Data of one line"""


def register_event_to_json(event: common.RegisterEvent) -> Json:
    """`REG_EVENT` of the line protocol"""
    return {'type': list(event.type),
            'source_timestamp': event.source_timestamp,
            'payload': _payload_to_json(event.payload)}


def register_event_from_json(data: Json) -> common.RegisterEvent:
    """Event to register from `REG_EVENT`"""
    return common.RegisterEvent(
        type=tuple(data['type']),
        source_timestamp=_timestamp_from_json(data.get('source_timestamp')),
        payload=_payload_from_json(data.get('payload')))


def event_to_json(event: common.Event) -> Json:
    """`EVENT` of the line protocol"""
    return {'id': event.id,
            'type': list(event.type),
            'timestamp': event.timestamp,
            'source_timestamp': event.source_timestamp,
            'payload': _payload_to_json(event.payload)}


def event_from_json(data: Json) -> common.Event:
    """Event from `EVENT`"""
    return common.Event(
        id=common.EventId(*data['id']),
        type=tuple(data['type']),
        timestamp=common.Timestamp(*data['timestamp']),
        source_timestamp=_timestamp_from_json(data.get('source_timestamp')),
        payload=_payload_from_json(data.get('payload')))


def query_params_to_json(params: common.QueryParams) -> Json:
    """`QUERY` of the line protocol"""
    if isinstance(params, common.QueryLatestParams):
        return {'kind': 'latest', **params._asdict()}

    if isinstance(params, common.QueryTimeseriesParams):
        return {'kind': 'timeseries',
                **params._asdict(),
                'order': params.order.value,
                'order_by': params.order_by.value}

    if isinstance(params, common.QueryServerParams):
        return {'kind': 'server', **params._asdict()}

    raise ValueError('unsupported params type')


def query_params_from_json(data: Json) -> common.QueryParams:
    """Parameters of a query from `QUERY`; what is missing has its default"""
    params = {name: value for name, value in data.items() if name != 'kind'}

    for name, convert in _query_params_converters.items():
        if params.get(name) is not None:
            params[name] = convert(params[name])

    return _query_params_types[data['kind']](**params)


def query_result_to_json(result: common.QueryResult) -> Json:
    """`RESULT` of the line protocol"""
    return {'events': [event_to_json(event) for event in result.events],
            'more_follows': result.more_follows}


def query_result_from_json(data: Json) -> common.QueryResult:
    """Result of a query from `RESULT`"""
    return common.QueryResult(
        events=[event_from_json(i) for i in data['events']],
        more_follows=data['more_follows'])


def client_info_to_json(info: eventer.ConnectionInfo) -> Json:
    """`CLIENT_INFO` of the line protocol

    Subscriptions are in the reduced form that the library keeps them in, and
    sorted, as their order in it is by chance.

    """
    return {'id': info.id,
            'client_name': info.client_name,
            'client_token': info.client_token,
            'subscriptions': sorted(
                list(i) for i in info.subscription.get_query_types()),
            'server_id': info.server_id,
            'persisted': info.persisted}


def _timestamp_from_json(data):
    return None if data is None else common.Timestamp(*data)


def _payload_to_json(payload):
    if payload is None:
        return

    if isinstance(payload, common.EventPayloadJson):
        return {'kind': 'json', 'data': payload.data}

    return {'kind': 'binary',
            'type': payload.type,
            'data': base64.b64encode(payload.data).decode()}


def _payload_from_json(data):
    if data is None:
        return

    if data['kind'] == 'json':
        return common.EventPayloadJson(data['data'])

    if data['kind'] == 'binary':
        return common.EventPayloadBinary(
            type=data['type'],
            data=base64.b64decode(data['data'], validate=True))

    raise ValueError('unsupported payload kind')


_query_params_types = {'latest': common.QueryLatestParams,
                       'timeseries': common.QueryTimeseriesParams,
                       'server': common.QueryServerParams}

_query_params_converters = {
    'event_types': lambda data: [tuple(i) for i in data],
    't_from': _timestamp_from_json,
    't_to': _timestamp_from_json,
    'source_t_from': _timestamp_from_json,
    'source_t_to': _timestamp_from_json,
    'order': common.Order,
    'order_by': common.OrderBy,
    'last_event_id': lambda data: common.EventId(*data)}
