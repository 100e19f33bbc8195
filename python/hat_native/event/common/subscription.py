"""Subscriptions, as `hat.event.common.subscription`."""

from hat_native.event.common._subscription import Subscription, create_subscription


__all__ = ['Subscription', 'create_subscription']
