"""The values of events: the deployed classes where they are installed, classes of the same shape where they are not."""

from __future__ import annotations

from collections.abc import Collection
import enum
import typing

from hat_native import _deployed


Bytes: typing.TypeAlias = bytes | bytearray | memoryview

ServerId: typing.TypeAlias = int
"""Server identifier"""

SessionId: typing.TypeAlias = int
"""Session identifier"""

InstanceId: typing.TypeAlias = int
"""Event instance identifier"""

EventTypeSegment: typing.TypeAlias = str
"""Event type segment"""

EventType: typing.TypeAlias = tuple[EventTypeSegment, ...]
"""Event type"""

_names = ('Timestamp', 'min_timestamp', 'max_timestamp', 'Status', 'Order', 'OrderBy', 'EventId',
          'EventPayloadBinary', 'EventPayloadJson', 'EventPayload', 'Event', 'RegisterEvent', 'QueryLatestParams',
          'QueryTimeseriesParams', 'QueryServerParams', 'QueryParams', 'QueryResult')

_deployed_values = _deployed.find('hat.event.common.common', *_names)

if typing.TYPE_CHECKING or _deployed_values is None:

    class Timestamp(typing.NamedTuple):
        """A moment, in UTC."""
        s: int
        """seconds since 1970-01-01 (can be negative)"""
        us: int
        """microseconds added to timestamp seconds in range [0, 1e6)"""

        def add(self, s: float) -> Timestamp:
            """Create new timestamp by adding seconds to existing timestamp"""
            whole = int(s)
            carry, us = divmod(self.us + round((s - whole) * 1e6), 1_000_000)
            return Timestamp(self.s + whole + carry, us)

    min_timestamp: Timestamp = Timestamp(s=-(1 << 63), us=0)
    """Minimal byte serializable timestamp value"""

    max_timestamp: Timestamp = Timestamp(s=(1 << 63) - 1, us=999_999)
    """Maximal byte serializable timestamp value"""

    class Status(enum.Enum):
        """Status of an event server"""
        STANDBY = 'standby'
        STARTING = 'starting'
        OPERATIONAL = 'operational'
        STOPPING = 'stopping'

    class Order(enum.Enum):
        """Direction of time in a query result"""
        DESCENDING = 'descending'
        ASCENDING = 'ascending'

    class OrderBy(enum.Enum):
        """Timestamp that orders a query result"""
        TIMESTAMP = 'timestamp'
        SOURCE_TIMESTAMP = 'sourceTimestamp'

    class EventId(typing.NamedTuple):
        """Event identifier"""
        server: ServerId
        session: SessionId
        instance: InstanceId

    class EventPayloadBinary(typing.NamedTuple):
        """Bytes, and what they are"""
        type: str
        data: Bytes

    class EventPayloadJson(typing.NamedTuple):
        """JSON data"""
        data: typing.Any

    EventPayload: typing.TypeAlias = EventPayloadBinary | EventPayloadJson

    class Event(typing.NamedTuple):
        """Event

        Operators `>` and `<` test for natural order: the first operand was registered before the second.

        """

        id: EventId
        type: EventType
        timestamp: Timestamp
        source_timestamp: Timestamp | None
        payload: EventPayload | None

        def __lt__(self, other: object) -> bool:
            if not isinstance(other, Event):
                return NotImplemented
            if self.id == other.id:
                return False
            if self.id.server == other.id.server:
                return self.id < other.id
            return self.timestamp <= other.timestamp

        def __gt__(self, other: object) -> bool:
            if not isinstance(other, Event):
                return NotImplemented
            if self.id.server == other.id.server:
                return self.id > other.id
            return self.timestamp > other.timestamp

    class RegisterEvent(typing.NamedTuple):
        """Event to register"""
        type: EventType
        source_timestamp: Timestamp | None
        payload: EventPayload | None

    class QueryLatestParams(typing.NamedTuple):
        """Query of the newest event of every type"""
        event_types: Collection[EventType] | None = None

    class QueryTimeseriesParams(typing.NamedTuple):
        """Query of events in the order of time"""
        event_types: Collection[EventType] | None = None
        t_from: Timestamp | None = None
        t_to: Timestamp | None = None
        source_t_from: Timestamp | None = None
        source_t_to: Timestamp | None = None
        order: Order = Order.DESCENDING
        order_by: OrderBy = OrderBy.TIMESTAMP
        max_results: int | None = None
        last_event_id: EventId | None = None

    class QueryServerParams(typing.NamedTuple):
        """Query of what one server registered"""
        server_id: ServerId
        persisted: bool = False
        max_results: int | None = None
        last_event_id: EventId | None = None

    QueryParams: typing.TypeAlias = QueryLatestParams | QueryTimeseriesParams | QueryServerParams

    class QueryResult(typing.NamedTuple):
        """Result of a query"""
        events: Collection[Event]
        more_follows: bool

else:
    globals().update(zip(_names, _deployed_values))
