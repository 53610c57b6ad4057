"""One connection to a client: closed if no request comes out of it. Knows no HTTP beyond where a request begins.

uvicorn waits for the head of a request for ever, and takes only so many connections: a few hundred that say nothing
would keep everybody out.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 30.0
"""How long a client may take to say what it wants, seconds; after an answer, uvicorn's keep-alive counts instead."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's connection that waits for the head of a request only so long."""

    _hurry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch(waits=True)

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait on if it is a part of a head."""
        super().data_received(data)
        self._watch(waits=self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._watch(waits=False)
        super().connection_lost(exc)

    def _watch(self, *, waits: bool) -> None:
        if waits and self._hurry is None:
            self._hurry = self.loop.call_later(HEAD_S, self.transport.close)
        elif not waits and self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None
