"""Timestamps in other forms, and the machine's encoder of events."""

from __future__ import annotations

import datetime
import json
import struct
import time
import typing

from hat_native import _deployed
from hat_native import _native
from hat_native.event.common import _values
from hat_native.event.common._values import EventType, Timestamp


def timestamp_to_bytes(t: Timestamp) -> bytes:
    """Convert timestamp to 12 byte representation

    Bytes [0, 8] are big endian unsigned `Timestamp.s` + 2^63 and bytes [9, 12] are big endian unsigned `Timestamp.us`.

    """
    return struct.pack('>QI', t.s + (1 << 63), t.us)


def timestamp_from_bytes(data: _values.Bytes) -> Timestamp:
    """Create new timestamp from the representation of `timestamp_to_bytes`"""
    s, us = struct.unpack('>QI', data)
    return Timestamp(s - (1 << 63), us)


def timestamp_to_float(t: Timestamp) -> float:
    """Convert timestamp to floating number of seconds since 1970-01-01 UTC"""
    return t.s + t.us * 1E-6


def timestamp_from_float(ts: float) -> Timestamp:
    """Create timestamp from floating number of seconds since 1970-01-01 UTC"""
    s = int(ts) - (ts < 0)
    us = round((ts - s) * 1E6)
    return Timestamp(s + 1, 0) if us == 1_000_000 else Timestamp(s, us)


def timestamp_to_datetime(t: Timestamp) -> datetime.datetime:
    """Convert timestamp to datetime (representing utc time)"""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (epoch + datetime.timedelta(seconds=t.s)).replace(microsecond=t.us)


def timestamp_from_datetime(dt: datetime.datetime) -> Timestamp:
    """Create new timestamp from datetime

    A datetime without `tzinfo` is taken for UTC time.

    """
    if not dt.tzinfo:
        dt = dt.replace(tzinfo=datetime.timezone.utc)
    seconds = dt.timestamp()
    return Timestamp(s=int(seconds) - (seconds < 0), us=dt.microsecond)


def now() -> Timestamp:
    """Create new timestamp representing current time"""
    return timestamp_from_float(time.time())


def matches_query_type(event_type: EventType, query_type: EventType) -> bool:
    """Determine if event type matches query type

    In a query type, ``?`` stands for exactly one segment of any value, and ``*``, as the last segment, for zero or more.

    """
    query_type = tuple(query_type)
    if query_type[-1:] == ('*',):
        query_type = query_type[:-1]
        if len(event_type) < len(query_type):
            return False
    elif len(event_type) != len(query_type):
        return False
    return all(query in ('?', segment) for segment, query in zip(event_type, query_type))


_json = _deployed.find('hat.json', 'encode', 'decode')


def _json_encode(data: typing.Any) -> str:
    return json.dumps(data, allow_nan=False)


encoder = _native.Events(_values, *(_json or (_json_encode, json.loads)))
"""Events between Python and bytes"""
