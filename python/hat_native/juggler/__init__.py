"""Juggler communication protocol, as `hat.juggler` 0.7.

HTTP is aiohttp's, up to the end of the WebSocket's handshake: it must be installed. From there on the machine has the transport.
"""

from hat_native.juggler.client import (NotifyCb,
                                       JugglerError,
                                       connect,
                                       Client)
from hat_native.juggler.server import (ConnectionCb,
                                       RequestCb,
                                       listen,
                                       Server,
                                       Connection)


__all__ = ['NotifyCb',
           'JugglerError',
           'connect',
           'Client',
           'ConnectionCb',
           'RequestCb',
           'listen',
           'Server',
           'Connection']
