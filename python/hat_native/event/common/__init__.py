"""Events, subscriptions, timestamps and queries, as `hat.event.common`."""

from hat_native import _deployed
from hat_native.event.common._encoder import (matches_query_type,
                                              now,
                                              timestamp_from_bytes,
                                              timestamp_from_datetime,
                                              timestamp_from_float,
                                              timestamp_to_bytes,
                                              timestamp_to_datetime,
                                              timestamp_to_float)
from hat_native.event.common._subscription import (Subscription,
                                                   create_subscription)
from hat_native.event.common._values import (Event,
                                             EventId,
                                             EventPayload,
                                             EventPayloadBinary,
                                             EventPayloadJson,
                                             EventType,
                                             EventTypeSegment,
                                             InstanceId,
                                             Order,
                                             OrderBy,
                                             QueryLatestParams,
                                             QueryParams,
                                             QueryResult,
                                             QueryServerParams,
                                             QueryTimeseriesParams,
                                             RegisterEvent,
                                             ServerId,
                                             SessionId,
                                             Status,
                                             Timestamp,
                                             max_timestamp,
                                             min_timestamp)


__all__ = ['Event', 'EventId', 'EventPayload', 'EventPayloadBinary', 'EventPayloadJson', 'EventType',
           'EventTypeSegment', 'InstanceId', 'Order', 'OrderBy', 'QueryLatestParams', 'QueryParams', 'QueryResult',
           'QueryServerParams', 'QueryTimeseriesParams', 'RegisterEvent', 'ServerId', 'SessionId', 'Status',
           'Subscription', 'Timestamp', 'create_subscription', 'matches_query_type', 'max_timestamp',
           'min_timestamp', 'now', 'timestamp_from_bytes', 'timestamp_from_datetime', 'timestamp_from_float',
           'timestamp_to_bytes', 'timestamp_to_datetime', 'timestamp_to_float']

# what else the deployed module offers has no machine here, and is the deployed one's where that is
# installed
_rest = ('BackendClosedError', 'Backend', 'BackendConf', 'BackendRegisteredEventsCb', 'BackendFlushedEventsCb',
         'CreateBackend', 'BackendInfo', 'import_backend_info', 'EventTypeCollection',
         'create_event_type_collection', 'json_schema_repo', 'sbs_repo', 'timestamp_to_sbs', 'timestamp_from_sbs',
         'status_to_sbs', 'status_from_sbs', 'event_to_sbs', 'event_from_sbs', 'register_event_to_sbs',
         'register_event_from_sbs', 'query_params_to_sbs', 'query_params_from_sbs', 'query_result_to_sbs',
         'query_result_from_sbs', 'event_payload_to_sbs', 'event_payload_from_sbs', 'SourceType', 'Source',
         'Engine', 'Module', 'ModuleConf', 'CreateModule', 'ModuleInfo', 'import_module_info')

for _name in _rest:
    _value = _deployed.find('hat.event.common', _name)
    if _value is not None:
        globals()[_name] = _value[0]
        __all__.append(_name)
