"""Who a request comes from, whether it still waits, and what one client may have at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from mien.serve.http.problems import Problem

_Result = TypeVar("_Result")

_CLIENTS_REMEMBERED = 10_000


def client_of(scope: Scope) -> str:
    """Return the client's address; of IPv6 the network, as one client has all of it."""
    host = scope["client"][0] if scope.get("client") else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return address.exploded[:19]
    return str(host)


async def while_there(request: Request, work: Awaitable[_Result]) -> _Result:
    """Wait for `work` as long as the client waits, too.

    Args:
        request: One whose body has come in.
        work: What its answer needs; cancelled if the client leaves.

    Raises:
        ClientDisconnect: if it left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_until_left(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class RateLimit:
    """A token bucket for each client: it holds a minute's requests, and fills steadily.

    Args:
        per_minute: Requests a minute.
    """

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        # Client: tokens left, and when that was.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, client: str) -> None:
        """Take one token of the client's.

        Raises:
            Problem: `too-many-requests` if none is left.
        """
        now = time.monotonic()
        left, then = self._buckets.pop(client, (self._capacity, now))
        left = min(left + (now - then) * self._per_second, self._capacity)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _CLIENTS_REMEMBERED:
            self._buckets.popitem(last=False)
        if not allowed:
            raise Problem(
                "too-many-requests",
                f"At most {self._capacity:.0f} requests a minute are taken from one client.",
                retry_after_s=(1 - left) / self._per_second,
            )


class ConcurrencyLimit:
    """Places for what lasts: so many in all, and fewer for one client, so that others find some.

    Args:
        what: What takes a place, in the plural: `uploads`.
        in_all: How many there are.
        per_client: How many of them one client may have.
    """

    def __init__(self, what: str, in_all: int, per_client: int) -> None:
        self._what = what
        self._in_all = in_all
        self._per_client = per_client
        self._taken: Counter[str] = Counter()
        self._crowd = _Crowd()

    def check(self, client: str) -> None:
        """See whether there is a place for a client.

        Raises:
            Problem: `too-many-requests` if the client has all that it may have, `busy` if there is
                none left.
        """
        if self._taken[client] >= self._per_client:
            raise Problem(
                "too-many-requests",
                f"{self._per_client} {self._what} of yours are under way, as many as one client "
                "may have at once.",
                retry_after_s=self._crowd.refuse(),
            )
        if self._taken.total() >= self._in_all:
            raise Problem(
                "busy",
                f"{self._in_all} {self._what} are under way, as many as are taken at once.",
                retry_after_s=self._crowd.refuse(),
            )

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Have a place for as long as the block lasts; see `check`.

        Raises:
            Problem: if there is none.
        """
        self.check(client)
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]
            self._crowd.finish()


class _Crowd:
    """Says after how long those who are sent away should come back, so that not all come at once.

    If ten are sent away for each that is served, a refused client waits ten seconds: then about as
    many come in a second as are served in one.
    """

    _LONGEST_S = 30.0

    def __init__(self) -> None:
        self._second = 0
        self._refused = self._finished = 0
        self._wait_s = 1.0

    def refuse(self) -> float:
        """Note that a client was sent away; return how many seconds it should wait."""
        self._turn()
        self._refused += 1
        return self._wait_s

    def finish(self) -> None:
        """Note that a client was served."""
        self._turn()
        self._finished += 1

    def _turn(self) -> None:
        second = int(time.monotonic())
        if second != self._second:
            ratio = self._refused / max(self._finished, 1)
            self._wait_s = min(max(ratio, 1.0), self._LONGEST_S)
            self._second, self._refused, self._finished = second, 0, 0
