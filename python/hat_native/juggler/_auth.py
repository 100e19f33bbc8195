"""HTTP Basic Authentication with the users of a htpasswd file."""

from __future__ import annotations

import asyncio
import hmac
import logging
import pathlib
import typing

import aiohttp
import aiohttp.hdrs
import aiohttp.web


mlog: logging.Logger = logging.getLogger('hat.juggler.server')
"""Module logger"""


class BasicAuth:
    """A middleware that serves the users of `htpasswd_file` only, whose passwords are ``$apr1$``.

    The file is read once. A password is hashed once, as long as it stays the same.

    """

    __middleware_version__ = 1  # what aiohttp.web.middleware sets

    def __init__(self, htpasswd_file: pathlib.PurePath):
        self._hashes: dict[str, str] = {}
        self._passwords: dict[str, str] = {}
        for line in pathlib.Path(htpasswd_file).read_text('utf-8').splitlines():
            line = line.strip()
            if not line:
                continue
            user, password_hash = line.split(':', 1)
            if not password_hash.startswith('$apr1$'):
                raise Exception('unsupported password encoding')
            self._hashes[user] = password_hash

    async def __call__(self, request: aiohttp.web.Request, handler: typing.Any) -> typing.Any:
        if not await self._is_user(request.headers.get(aiohttp.hdrs.AUTHORIZATION)):
            raise aiohttp.web.HTTPUnauthorized(reason='Unauthorized',
                                               headers={aiohttp.hdrs.WWW_AUTHENTICATE: 'Basic realm=""'})
        return await handler(request)

    async def _is_user(self, header: str | None) -> bool:
        try:
            auth = aiohttp.BasicAuth.decode(auth_header=header or '')
        except ValueError:
            return False
        known = self._passwords.get(auth.login)
        if known is not None:
            return hmac.compare_digest(known.encode(), auth.password.encode())
        password_hash = self._hashes.get(auth.login)
        try:
            if password_hash is None or not await _verify(auth.password, password_hash):
                return False
        except Exception as e:
            # nobody is let in, and whoever runs the server should know that it is not the password
            mlog.error("password of a user can not be tested: %s", e, exc_info=e)
            return False
        self._passwords[auth.login] = auth.password
        return True


async def _verify(password: str, password_hash: str) -> bool:
    salt = password_hash[6:].split('$', 1)[0]
    process = await asyncio.create_subprocess_exec(
        'openssl', 'passwd', '-stdin', '-apr1', '-salt', salt,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    try:
        out, _ = await process.communicate(password.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode == 0 and hmac.compare_digest(out.strip(), password_hash.encode())
