"""Layer ``mms``: MMS with its session, presentation and ACSE, by hat-drivers.

* ``mms.listen {addr}`` -> ``{obj, addresses}``: a server with canned answers
* ``mms.connect {addr, local_tsel, remote_tsel}`` -> ``{obj, info}``: a client
  whose association is established
* ``mms.status {obj}``, ``mms.identify {obj}``, ``mms.get_name_list {obj}``,
  ``mms.write {obj, data(b64)}``, ``mms.read {obj}``: requests of a client, and
  the server's answer as JSON; what is read is what was last written
"""

import asyncio
import base64

from hat.drivers import mms
from hat.drivers import net

from today_chatter import address
import lines


NAMES: list[str] = [f'item{i:05}' for i in range(2000)]
"""Names of the server: together many times longer than a TPDU"""

_VARIABLE = [mms.NameVariableSpecification(mms.VmdSpecificObjectName('value'))]


class Mms:
    """Layer ``mms``"""

    def __init__(self, session: lines.Lines):
        self._session = session

    async def listen(self, p):
        handle = asyncio.get_running_loop().create_future()

        async def on_connection(conn):
            self._session.accept(await handle, conn, _info_to_json(conn.info))

        server = await mms.listen(on_connection, address(p), _Answers())
        handle.set_result(self._session.add(server))

        return {'obj': handle.result(),
                **net.server_info_to_json(server.info)}

    async def connect(self, p):
        tsels = {name: p[name]
                 for name in ('local_tsel', 'remote_tsel')
                 if p.get(name) is not None}
        conn = await mms.connect(address(p), **tsels)

        return {'obj': self._session.add(conn),
                'info': _info_to_json(conn.info)}

    async def status(self, p):
        res = await self._request(p, mms.StatusRequest())

        return res._asdict()

    async def identify(self, p):
        res = await self._request(p, mms.IdentifyRequest())

        return {'vendor': res.vendor,
                'model': res.model,
                'revision': res.revision}

    async def get_name_list(self, p):
        res = await self._request(p, mms.GetNameListRequest(
            object_class=mms.ObjectClass.NAMED_VARIABLE,
            object_scope=mms.VmdSpecificObjectScope(),
            continue_after=None))

        return {'identifiers': list(res.identifiers),
                'more_follows': res.more_follows}

    async def write(self, p):
        data = base64.b64decode(p['data'], validate=True)
        res = await self._request(p, mms.WriteRequest(
            specification=_VARIABLE,
            data=[mms.OctetStringData(data)]))

        return {'results': [i and i.name for i in res.results]}

    async def read(self, p):
        res = await self._request(p, mms.ReadRequest(_VARIABLE))
        data, = res.results

        return {'data': base64.b64encode(data.value).decode()}

    async def _request(self, p, req):
        return await self._session.get(p['obj']).send_confirmed(req)


class _Answers:
    """Canned answers of a server, and the one variable that it has"""

    def __init__(self):
        self._value = mms.OctetStringData(b'')

    def __call__(self, conn, req):
        if isinstance(req, mms.StatusRequest):
            return mms.StatusResponse(logical=0, physical=2)

        if isinstance(req, mms.IdentifyRequest):
            return mms.IdentifyResponse(vendor='hat', model='canned',
                                        revision='1', syntaxes=None)

        if isinstance(req, mms.GetNameListRequest):
            return mms.GetNameListResponse(identifiers=NAMES,
                                           more_follows=False)

        if isinstance(req, mms.WriteRequest):
            self._value, = req.data
            return mms.WriteResponse(results=[None])

        if isinstance(req, mms.ReadRequest):
            return mms.ReadResponse(results=[self._value])

        return mms.ServiceError.OTHER


def _info_to_json(info):
    return {'local_tsel': info.local_tsel,
            'remote_tsel': info.remote_tsel}
