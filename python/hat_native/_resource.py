"""`hat.aio.Resource`, with the types that some of its methods lack."""

import typing

from hat import aio


if typing.TYPE_CHECKING:

    class Resource(aio.Resource):
        """Resource with lifetime control based on `hat.aio.Group`."""

        async def __aenter__(self) -> typing.Self: ...

        async def __aexit__(self, *args: object) -> None: ...

        async def wait_closing(self) -> None:
            """Wait until closing is ``True``."""

        async def wait_closed(self) -> None:
            """Wait until closed is ``True``."""

        def close(self) -> None:
            """Close resource."""

        async def async_close(self) -> None:
            """Close resource and wait until closed is ``True``."""

else:
    Resource = aio.Resource
