"""A request's body within its limits."""

from __future__ import annotations

import asyncio
import contextlib
import time

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from mien.serve.http.problems import Problem

_LINGER_S = 10.0


class LimitedBody:
    """A request's `receive` that ends with a problem when the body is too big or too slow.

    Most clients read an answer only when they have sent everything, and a connection that is closed
    before takes the answer along. So what still comes after an early answer is taken in and thrown
    away for a while.

    Args:
        receive: The request's.
        most_bytes: How many bytes it may have.
        seconds: Time in which it must have come in, besides that of its bytes.
        bytes_per_s: How fast these must come: what has come so extends the time.
    """

    def __init__(
        self, receive: Receive, most_bytes: int, seconds: float, bytes_per_s: float
    ) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._bytes_per_s = bytes_per_s
        self._begun_s = time.monotonic()
        self._bytes = 0
        self._complete = False

    def check_declared(self, headers: Headers) -> None:
        """Refuse a body that is declared to be too big.

        Raises:
            Problem: `too-large`.
        """
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._most_bytes:
            raise _too_large(int(declared), self._most_bytes)

    def answer_with(self, send: Send) -> Send:
        """Return the `send` that ends an answer when the body has come, or has had its time."""

        async def send_and_linger(message: Message) -> None:
            ends = message["type"] == "http.response.body" and not message.get("more_body", False)
            if ends and not self._complete:
                await send({**message, "more_body": True})
                await self._linger()
                message = {"type": "http.response.body"}
            await send(message)

        return send_and_linger

    async def _linger(self) -> None:
        seconds = min(_LINGER_S, self._seconds_left())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                while not self._complete:
                    message = await self._receive()
                    self._complete = not message.get("more_body", False)

    def _seconds_left(self) -> float:
        may_take_s = self._seconds + self._bytes / self._bytes_per_s
        return self._begun_s + may_take_s - time.monotonic()

    async def __call__(self) -> Message:
        """Receive the next message, as an application's `receive` does.

        Raises:
            Problem: `too-large` or `upload-too-slow`.
        """
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(max(self._seconds_left(), 0)):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                "upload-too-slow",
                f"{self._bytes:,} bytes came in {time.monotonic() - self._begun_s:.0f} s; expected "
                f"the whole upload within {self._seconds:g} s, or {self._bytes_per_s:,.0f} bytes a "
                "second.",
            ) from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._bytes > self._most_bytes:
                raise _too_large(self._bytes, self._most_bytes)
        return message


def _too_large(found: int, most: int) -> Problem:
    return Problem("too-large", f"The request has {found:,} bytes or more; at most {most:,} here.")
