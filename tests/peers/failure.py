"""Exceptions as the line protocol's errors"""

import asyncio
import logging
import typing

from hat import aio
from hat.aio.group import GroupClosedError


mlog: logging.Logger = logging.getLogger(__name__)
"""Module logger"""


class Failure(Exception):
    """Reason for an `err` answer of the given kind"""

    def __init__(self, kind: str, msg: str, data: typing.Any = None):
        super().__init__(msg)
        self.kind = kind
        self.data = data


def to_json(e: BaseException) -> dict[str, typing.Any]:
    """Error as `ERR` of the line protocol"""
    return {'kind': _kind(e),
            'msg': str(e) or type(e).__name__,
            'data': e.data if isinstance(e, Failure) else None}


def _kind(e):
    if isinstance(e, Failure):
        return e.kind

    # the operating system's time limit (it has errno) is a lost connection
    if isinstance(e, TimeoutError) and e.errno is None:
        return 'timeout'

    if isinstance(e, (OSError, GroupClosedError, aio.QueueClosedError,
                      asyncio.CancelledError)):
        return 'connection'

    if isinstance(e, (ValueError, TypeError, LookupError, ArithmeticError)):
        return 'value'

    mlog.error('request error: %s', e, exc_info=e)
    return 'other'
