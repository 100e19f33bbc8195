"""`hat_native.drivers.net` under the names that it had before, as `hat.drivers.tcp`."""

import typing

from hat_native.drivers import net


Address: typing.TypeAlias = net.TcpAddress
ConnectionInfo: typing.TypeAlias = net.TcpConnectionInfo
ServerInfo: typing.TypeAlias = net.TcpServerInfo
ConnectionCb: typing.TypeAlias = net.ConnectionCb
Server: typing.TypeAlias = net.Server
Connection: typing.TypeAlias = net.Connection

connect = net.connect
listen = net.listen
