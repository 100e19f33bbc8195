"""Chatter communication protocol of dialect `Hat`, as `hat.chatter` 0.5."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
import logging
import ssl
import typing
import urllib.parse

from hat import aio

from hat_native import _deployed
from hat_native import _native
from hat_native import sbs06
from hat_native._link import Link
from hat_native._resource import Resource
from hat_native.drivers import net
from hat_native.drivers._messages import MessageConnection


mlog: logging.Logger = logging.getLogger('hat.chatter')
"""Module logger"""

_repository: typing.Any = (_deployed.find('hat.sbs', 'Repository') or (sbs06.Repository,))[0]

sbs_repo: typing.Any = _repository(
    '''
    module Hat

    Msg = Record {
        id: Integer
        first: Integer
        owner: Boolean
        token: Boolean
        last: Boolean
        data: Data
    }

    Data = Record {
        module: Optional(String)
        type: String
        data: Bytes
    }
    ''',
    '''
    module HatPing

    MsgPing = None

    MsgPong = None
    ''')
"""Chatter message definition SBS repository"""

_values = _deployed.find('hat.chatter', 'Data', 'Conversation', 'Msg')

if typing.TYPE_CHECKING or _values is None:

    class Data(typing.NamedTuple):
        """What a message carries"""
        module: str | None
        """SBS module name"""
        type: str
        """SBS type name"""
        data: typing.Any
        """SBS data"""

    class Conversation(typing.NamedTuple):
        """The name of a conversation, as this side sees it"""
        conn: Connection
        owner: bool
        first_id: int

    class Msg(typing.NamedTuple):
        """A message as received"""
        data: Data
        conv: Conversation
        first: bool
        last: bool
        token: bool

    _deployed.adopt('hat.chatter', Data, Conversation, Msg)

else:
    Data, Conversation, Msg = _values


class _Name(typing.NamedTuple):
    owner: bool
    first_id: int


async def connect(sbs_repo: typing.Any,
                  address: str,
                  *,
                  pem_file: str | None = None,
                  ping_timeout: float | None = 20,
                  queue_maxsize: int = 0
                  ) -> Connection:
    """Connect to remote server

    `sbs_repo` should include `hat_native.chatter05.sbs_repo` and the definitions of the messages' data.

    Address is string formatted as ``<scheme>://<host>:<port>``, where ``<scheme>`` is ``tcp+sbs`` or ``ssl+sbs``.

    PEM file is used only for ssl connection. The server's certificate is not verified.

    Every `ping_timeout` seconds a ping is sent, and the connection is closed when one is not answered before the next. ``None`` or 0 is
    no pings.

    With `queue_maxsize` received messages, receiving is paused. ``0`` is no limit.

    Raises:
        OSError: could not connect to specified address
        ValueError: wrong address format

    """
    url = urllib.parse.urlparse(address)
    if not url.port:
        raise ValueError("Undefined port")
    ssl_ctx = _ssl_context(url.scheme, pem_file, ssl.PROTOCOL_TLS_CLIENT)

    def create_protocol() -> Link:
        return Link(_machine(ping_timeout), info=_addresses, send_queue_size=0)

    link = await net.create_connection(create_protocol, net.TcpAddress(url.hostname, url.port), {'ssl': ssl_ctx})  # type: ignore[arg-type]
    return Connection(link, sbs_repo, queue_maxsize)


async def listen(sbs_repo: typing.Any,
                 address: str,
                 connection_cb: aio.AsyncCallable[[Connection], None],
                 *,
                 pem_file: str | None = None,
                 ping_timeout: float | None = 20,
                 queue_maxsize: int = 0,
                 bind_connections: bool = True
                 ) -> Server:
    """Create listening server.

    `connection_cb` is called once for each connection. The other arguments are those of `connect`; the port may be 0.

    If SSL connection is used, `pem_file` is required.

    If `bind_connections` is ``True``, closing the server closes its connections.

    Raises:
        OSError: could not listen on specified address
        ValueError: wrong address format

    """
    url = urllib.parse.urlparse(address)
    if url.port is None:
        raise ValueError("Undefined port")
    ssl_ctx = _ssl_context(url.scheme, pem_file, ssl.PROTOCOL_TLS_SERVER)

    server = Server()

    def on_made(link: Link) -> None:
        conn = Connection(link, sbs_repo, queue_maxsize)
        server.async_group.spawn(aio.call, connection_cb, conn)

    def create_protocol() -> Link:
        # not before the handshake of TLS: one that fails is not told of, and would leave its group
        create_group = server.async_group.create_subgroup if bind_connections else None
        return Link(_machine(ping_timeout), info=_addresses, send_queue_size=0, on_made=on_made,
                    create_group=create_group)

    srv = await asyncio.get_running_loop().create_server(create_protocol, url.hostname, url.port, ssl=ssl_ctx,
                                                         start_serving=False)
    server._listen(srv, url.scheme)
    try:
        await srv.start_serving()
    except BaseException:
        await aio.uncancellable(server.async_close())
        raise
    return server


class Server(Resource):
    """Server

    For creating new server see `listen` function.

    When server is closed, all incomming connections are also closed, unless they are not bound to it.

    """

    def __init__(self) -> None:
        self._async_group = aio.Group()
        self._addresses: list[str] = []
        self._srv: typing.Any = None

    @property
    def async_group(self) -> aio.Group:
        """Async group"""
        return self._async_group

    @property
    def addresses(self) -> list[str]:
        """Listening addresses"""
        return self._addresses

    def _listen(self, srv: typing.Any, scheme: str) -> None:
        self._srv = srv
        self.async_group.spawn(aio.call_on_cancel, srv.close)
        self._addresses = [_address(socket.getsockname(), scheme) for socket in srv.sockets]


class Connection(MessageConnection[Msg]):
    """Single connection

    For creating new connection see `connect` function.

    """

    def __init__(self, link: Link, sbs_repo: typing.Any, queue_maxsize: int):
        self._sbs_repo = sbs_repo
        self._timeout_cbs: dict[_Name, tuple[Callable[[Conversation], None], Conversation]] = {}
        super().__init__(link, queue_maxsize, mlog)

    @property
    def local_address(self) -> str:
        """Local address"""
        address: str = self._link.info[0]
        return address

    @property
    def remote_address(self) -> str:
        """Remote address"""
        address: str = self._link.info[1]
        return address

    def send(self,
             msg_data: Data,
             *,
             conv: Conversation | None = None,
             last: bool = True,
             token: bool = True,
             timeout: float | None = None,
             timeout_cb: Callable[[Conversation], None] | None = None
             ) -> Conversation:
        """Send message

        If `conv` is ``None``, new conversation is created.

        After `timeout` seconds `timeout_cb` is called, unless another message of the conversation was sent or received before, or
        the connection was closed.

        Raises:
            ConnectionError

        """
        link = self._link
        if link.group.is_closing:
            raise ConnectionError()

        data = _encode(self._sbs_repo, msg_data.module, msg_data.type, msg_data.data)
        is_timed = bool(not last and timeout and timeout_cb)
        at = link.loop.time() + timeout if is_timed else None  # type: ignore[operator]
        name = self._machine.send(msg_data.type, data, _Name(conv.owner, conv.first_id) if conv else None,
                                  last, token, module=msg_data.module, timeout=at)
        link.wrote()
        self._timeout_cbs.pop(name, None)
        conv = conv or Conversation(self, True, name.first_id)
        if is_timed:
            self._timeout_cbs[name] = timeout_cb, conv  # type: ignore[assignment]
            link.arm()
        return conv

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        messages = []
        try:
            for one in incoming:
                if isinstance(one, _Name):
                    self._on_timeout(one)
                    continue
                self._timeout_cbs.pop(one.conv, None)
                module, kind, data = one.data
                messages.append(one._replace(data=Data(module, kind, _decode(self._sbs_repo, module, kind, data)),
                                             conv=Conversation(self, *one.conv)))
        except Exception as e:
            mlog.error("read loop error: %s", e, exc_info=e)
            self.close()
        super()._on_incoming(messages)

    def _on_timeout(self, name: _Name) -> None:
        cb, conv = self._timeout_cbs.pop(name, (None, None))
        if cb is None or conv is None or not self.is_open:
            return
        try:
            cb(conv)
        except Exception as e:
            # the loop's matter, as with any of its timers: the connection goes on
            self._link.loop.call_exception_handler({'message': f'Exception in timeout callback {cb!r}', 'exception': e})

    def _on_over(self, reason: str) -> None:
        self._timeout_cbs.clear()
        super()._on_over(reason)


def _machine(ping_timeout: float | None) -> _native.Chatter:
    now = asyncio.get_running_loop().time()
    return _native.Chatter((Msg, Data, _Name), now, timeout=ping_timeout or None, hat=True)


def _encode(sbs_repo: typing.Any, module: str | None, kind: str, data: typing.Any) -> typing.Any:
    # dialect `Hat` is of the time of three arguments, which our repository takes too
    return sbs_repo.encode(module, kind, data)


def _decode(sbs_repo: typing.Any, module: str | None, kind: str, data: bytes) -> typing.Any:
    return sbs_repo.decode(module, kind, data)


def _addresses(transport: asyncio.BaseTransport) -> tuple[str, str]:
    scheme = 'tcp+sbs' if transport.get_extra_info('sslcontext') is None else 'ssl+sbs'
    return (_address(transport.get_extra_info('sockname'), scheme),
            _address(transport.get_extra_info('peername'), scheme))


def _address(of: typing.Any, scheme: str) -> str:
    host, port = of[0], of[1]
    return f'{scheme}://[{host}]:{port}' if ':' in host else f'{scheme}://{host}:{port}'


def _ssl_context(scheme: str, pem_file: str | None, protocol: typing.Any) -> ssl.SSLContext | None:
    if scheme == 'tcp+sbs':
        return None
    if scheme != 'ssl+sbs':
        raise ValueError("Undefined protocol")
    ssl_ctx = ssl.SSLContext(protocol)
    ssl_ctx.check_hostname = False
    ssl_ctx.verify_mode = ssl.VerifyMode.CERT_NONE
    if pem_file:
        ssl_ctx.load_cert_chain(pem_file)
    return ssl_ctx
