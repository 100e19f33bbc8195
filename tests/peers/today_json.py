"""Layer ``json``: JSON Patch by hat-json.

* ``json.diff {src, dst}`` -> ``{"diff"}``
* ``json.patch {data, diff}`` -> ``{"data"}``

Whatever goes wrong is an error of kind ``value``.
"""

from hat import json

import failure


class Json:
    """Layer ``json``"""

    async def diff(self, p):
        return {'diff': json.diff(p['src'], p['dst'])}

    async def patch(self, p):
        try:
            return {'data': json.patch(p['data'], p['diff'])}

        except Exception as e:
            raise failure.Failure('value', f'{type(e).__name__}: {e}') from e
