"""Subscriptions, by the machine."""

from __future__ import annotations

import abc
from collections.abc import Iterable
import typing

from hat_native import _deployed
from hat_native import _native
from hat_native.event.common._values import EventType


_found = _deployed.find('hat.event.common.subscription.common', 'Subscription')

if typing.TYPE_CHECKING or _found is None:

    class Subscription(abc.ABC):
        """Subscription defined by query event types"""

        @abc.abstractmethod
        def __init__(self, query_types: Iterable[EventType]) -> None:
            """Create subscription instance"""

        @abc.abstractmethod
        def get_query_types(self) -> Iterable[EventType]:
            """Calculate sanitized query event types"""

        @abc.abstractmethod
        def matches(self, event_type: EventType) -> bool:
            """Does `event_type` match subscription"""

        @abc.abstractmethod
        def union(self, *others: Subscription) -> Subscription:
            """Create new subscription including event types from this and other subscriptions."""

        @abc.abstractmethod
        def intersection(self, *others: Subscription) -> Subscription:
            """Create new subscription containing event types in common with other subscriptions."""

        @abc.abstractmethod
        def isdisjoint(self, other: Subscription) -> bool:
            """Return ``True`` if this subscription has no event types in common with other subscription."""

else:
    Subscription, = _found


class NativeSubscription(Subscription):
    """`Subscription` in Rust"""

    def __init__(self, query_types: Iterable[EventType]):
        self._native = _native.Subscription(query_types)

    def get_query_types(self) -> Iterable[EventType]:
        return self._native.get_query_types()

    def matches(self, event_type: EventType) -> bool:
        return self._native.matches(event_type)

    def union(self, *others: Subscription) -> Subscription:
        result = self._native
        for other in others:
            result = result.union(_get_native(other))
        return _wrap(result)

    def intersection(self, *others: Subscription) -> Subscription:
        result = self._native
        for other in others:
            result = result.intersection(_get_native(other))
        return _wrap(result)

    def isdisjoint(self, other: Subscription) -> bool:
        return self._native.isdisjoint(_get_native(other))

    def __reduce__(self) -> typing.Any:
        # by a name that every installation knows, as the classes of values
        found = _deployed.find('hat.event.common.subscription', 'create_subscription')
        return (found or (create_subscription,))[0], (list(self.get_query_types()),)


def create_subscription(query_types: Iterable[EventType]) -> Subscription:
    """Create the subscription to `query_types`

    Raises `ValueError` where ``*`` is not the last segment of a query type.

    """
    return NativeSubscription(query_types)


_deployed.adopt('hat.event.common.subscription', create_subscription)


def _wrap(native: _native.Subscription) -> Subscription:
    subscription = NativeSubscription.__new__(NativeSubscription)
    subscription._native = native
    return subscription


def _get_native(subscription: Subscription) -> _native.Subscription:
    if isinstance(subscription, NativeSubscription):
        return subscription._native
    return _native.Subscription(subscription.get_query_types())
