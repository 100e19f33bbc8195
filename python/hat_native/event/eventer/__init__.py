"""Eventer communication protocol, as `hat.event.eventer`."""

from hat_native.event.eventer.client import (StatusCb,
                                             EventsCb,
                                             EventerInitError,
                                             connect,
                                             Client)
from hat_native.event.eventer.server import (ConnectionId,
                                             ConnectionInfo,
                                             ConnectionCb,
                                             RegisterCb,
                                             QueryCb,
                                             listen,
                                             Server)


__all__ = ['StatusCb',
           'EventsCb',
           'EventerInitError',
           'connect',
           'Client',
           'ConnectionId',
           'ConnectionInfo',
           'ConnectionCb',
           'RegisterCb',
           'QueryCb',
           'listen',
           'Server']
