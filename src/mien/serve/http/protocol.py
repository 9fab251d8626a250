"""uvicorn's protocols with limits that no application can set.

Of what they parse before it hears of anything; and of how long a client may leave unread what it is
sent: until the transport has room again, all that an application sends waits, with the place of its
request or stream.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from mien.serve.settings import Limits

log = logging.getLogger("mien.serve")

MOST_PIECES = 4000
"""Chunks, headers and requests in what is read at once, up to 256 kB: each calls Python once."""

MOST_HEAD_BYTES = 64_000
"""Bytes on end that are no body: the head of a request, what stands between chunks, trailers."""


MOST_FRAMES = 500
"""WebSocket frames in what is read at once: of pictures, there are a few."""

_WEBSOCKET_PIECE_BYTES = 4096
_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1.
_PONG = b"\x8a"  # the first byte of a pong in one frame


class TooMuchError(Exception):
    """Ends the parsing; the client gets 400."""


class _WriteTimeout(asyncio.Protocol):
    """Ends a connection whose client does not take what waits for it.

    It is mixed into a protocol of uvicorn.

    Args:
        arguments: As uvicorn gives them.
        limits: `answer_seconds` and `upload_rate` say how long it waits.
        options: As uvicorn gives them.
    """

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport

    def pause_writing(self) -> None:
        """Note that what is sent waits for the client."""
        super().pause_writing()
        waiting_bytes = self.transport.get_write_buffer_size()
        longest_s = self._limits.answer_seconds + waiting_bytes / self._limits.upload_rate
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(longest_s, self._give_up, longest_s)

    def resume_writing(self) -> None:
        """Note that the client has taken nearly all."""
        self._wait_no_more()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nobody is there any more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self, waited_s: float) -> None:
        log.info("A connection is ended: its client left an answer unread for %.1f s", waited_s)
        # Only closed, it would be kept open until the client has taken all.
        self.transport.abort()


class BoundedProtocol(_WriteTimeout, HttpToolsProtocol):
    """HTTP/1.1 parsed in C (httptools), whose callers cannot stop the event loop for long.

    uvicorn's other parser, h11, takes half a minute for a body of a few megabytes in chunks of one
    byte, in which nobody else is served; this one would take in headers without end.
    """

    _pieces = 0
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._pieces = 0
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._count()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        self._count()
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Note a piece of a body."""
        self._count()
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request has come as a whole."""
        self._head_bytes = 0
        super().on_message_complete()

    def _count(self) -> None:
        self._pieces += 1
        if self._pieces > MOST_PIECES:
            raise TooMuchError


class BoundedWebSocket(_WriteTimeout, WebSocketsSansIOProtocol):
    """WebSockets whose clients cannot stop the event loop for long with very small frames."""

    _frames = 0
    _late_pong = b""

    def data_received(self, data: bytes) -> None:
        """Parse what has come, bit by bit."""
        self._frames = 0
        for start in range(0, len(data), _WEBSOCKET_PIECE_BYTES):
            super().data_received(data[start : start + _WEBSOCKET_PIECE_BYTES])
            if self.transport.is_closing():
                return
            if self._frames > MOST_FRAMES:
                self.conn.fail(_POLICY_VIOLATION, "Too many small frames at once")
                self.handle_parser_exception()
                return

    def handle_cont(self, event: Frame) -> None:
        """Note a part of a message."""
        self._frames += 1
        super().handle_cont(event)

    def handle_text(self, event: Frame) -> None:
        """Note a text."""
        self._frames += 1
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Note a binary message."""
        self._frames += 1
        super().handle_bytes(event)

    def handle_ping(self) -> None:
        """Note a ping; answer it, or where the answer would wait with many others, the last one.

        One pong may stand for all before it (RFC 6455, 5.5.3).
        """
        self._frames += 1
        answers = self.conn.data_to_send()
        if self.writable.is_set() or any(frame[:1] != _PONG for frame in answers):
            self.transport.write(b"".join(answers))
        elif answers:
            self._late_pong = answers[-1]

    def resume_writing(self) -> None:
        """Note that the client has taken nearly all, and answer its last ping."""
        super().resume_writing()
        pong, self._late_pong = self._late_pong, b""
        if pong and not self.transport.is_closing():
            self.transport.write(pong)

    def handle_pong(self, event: Frame) -> None:
        """Note a pong."""
        self._frames += 1
        super().handle_pong(event)
