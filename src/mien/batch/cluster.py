"""The workers of a batch as actors of Ray's core: started, given tasks, replaced when they die.

Not Ray Data: it writes blocks and not sources, so that a source can stand in two files of which one
is lost; and it starts a dead worker's block again for ever, poisonous source included. See
`docs/architecture.md`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from mien.batch.actor import Actor
from mien.batch.schedule import Task
from mien.batch.worker import PartReply, WorkerSetup
from mien.core.cores import usable_cores
from mien.core.errors import MissingExtraError, SettingError
from mien.core.session import runs_on_gpu
from mien.core.signals import signals_held_back
from mien.core.temporary import temporary_folder

STARTS = 3
"""So often each worker's process may end before it is ready, one time after another."""

PATIENCE_S = 60.0
"""After so long without a worker it is said that there is none."""

ANSWER_S = 10.0
"""So long a cluster may take to accept a connection."""

LONGEST_REASON = 600
"""So many characters of what Ray says of a worker's death stand in the tables."""

_STORE_BYTES = 100 * 2**20  # Ray's shared memory, and besides for each worker:
_STORE_BYTES_A_WORKER = 16 * 2**20
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class WorkerLostError(Exception):
    """A worker could not finish its task.

    Its text is Ray's.

    Attributes:
        is_to_blame: Whether the task may be the cause; False where the machine went away.
        cause: What was raised in the worker; None where it died.
    """

    def __init__(
        self, reason: str, *, is_to_blame: bool, cause: BaseException | None = None
    ) -> None:
        super().__init__(reason)
        self.is_to_blame = is_to_blame
        self.cause = cause


class ClusterLostError(Exception):
    """Ray's own process on this machine is gone, and all workers with it."""


class Cluster:
    """Ray, and the workers of this batch on it; a context manager.

    Args:
        address: `local`, `auto` or `ray://…`.
        actors: How many workers; None for one a core.
        setup: What they open.
        remark: Called with what is to be known meanwhile.

    Attributes:
        size: How many workers there are.

    Raises:
        SettingError: if the cluster cannot be joined, or no worker gets ready.
        MissingExtraError: if Ray is missing.
    """

    def __init__(
        self,
        address: str,
        actors: int | None,
        setup: WorkerSetup,
        remark: Callable[[str], None],
    ) -> None:
        self._remark = remark
        self.size = actors or usable_cores()
        self._ray = _import_ray(address)
        self._address = address
        self._actors = actors
        self._setup = setup
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            # Ray tells on standard output what becomes of its processes.
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            self._join(stack)
            if self._actors is None:
                self.size = max(int(self._ray.cluster_resources().get("CPU", 1)), 1)
                if self._address != "local":
                    self._remark(
                        f"The cluster has {self.size} cores now: so many workers; --actors says "
                        "how many where more machines are to come."
                    )
            self._class = self._ray.remote(
                num_cpus=1,
                num_gpus=int(runs_on_gpu(self._setup.provider)),
                max_restarts=0,
                max_task_retries=0,
            )(Actor)
            self._shared_setup = self._ray.put(self._setup)
            for _ in range(self.size):
                self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @property
    def has_idle_worker(self) -> bool:
        """Whether a worker is ready and has nothing to do."""
        return any(worker.is_idle for worker in self._workers)

    @property
    def is_busy(self) -> bool:
        """Whether a worker has something to do."""
        return any(worker.task is not None for worker in self._workers)

    def give(self, task: Task) -> None:
        """Give a task to a worker that is idle."""
        next(worker for worker in self._workers if worker.is_idle).give(task)

    def wait(self) -> tuple[_Worker, Task] | None:
        """Return a worker that has finished its task or died of it; None once one gets ready.

        Raises:
            SettingError: if workers do not start.
            ClusterLostError: if Ray is gone.
        """
        waited = {worker.future: worker for worker in self._workers if worker.future is not None}
        ready, _ = self._ray.wait(list(waited), timeout=PATIENCE_S)
        if not ready:
            if not self.is_busy:
                free = self._ray.available_resources()
                self._remark(
                    f"Waiting for a worker: the cluster has {free.get('CPU', 0):g} free cores and "
                    f"{free.get('GPU', 0):g} free GPUs."
                )
            return None
        worker = waited[ready[0]]
        if worker.task is not None:
            return worker, worker.task
        try:
            worker.become_ready()
            self._failed_starts = 0
        except WorkerLostError as lost:
            self._replace(worker)
            self._failed_starts += 1
            if self._failed_starts > STARTS * self.size:
                raise SettingError(f"No worker gets ready: {lost}") from None
        return None

    def take_reply(self, worker: _Worker) -> PartReply:
        """Return what a worker has made of its task, which it then has no more.

        Raises:
            WorkerLostError: if it died; another one is started in its place.
            ClusterLostError: if Ray is gone.
        """
        with self._replacing(worker):
            return worker.take_reply()

    def pieces(self, worker: _Worker, reply: PartReply) -> Iterator[bytes]:
        """The bytes of the part that a worker made; see `take_reply`."""
        with self._replacing(worker):
            yield from worker.pieces(reply)

    def _join(self, stack: contextlib.ExitStack) -> None:
        options: dict[str, Any] = {
            "address": self._address,
            "log_to_driver": False,
            "logging_level": logging.ERROR,
        }
        if self._address == "local":
            # What workers leave that are killed goes with the command's own folder.
            folder = stack.enter_context(temporary_folder())
            self._setup = replace(self._setup, folder=folder)
            ray_folder = stack.enter_context(temporary_folder(_short_folder()))
            options |= {
                "num_cpus": self.size,
                "object_store_memory": _STORE_BYTES + self.size * _STORE_BYTES_A_WORKER,
                "include_dashboard": False,
                "_temp_dir": str(ray_folder),
            }
        else:
            self._look_for_it()
        stack.callback(self._leave)  # Before the folder goes: Ray writes to it until it is stopped.
        for attempt in range(1, STARTS + 1):
            try:
                # Interrupted, it would leave processes that nobody stops, and crash at the exit.
                # And it puts a handler of its own in the place of SIGTERM's.
                with signals_held_back():
                    self._ray.init(**options)
                return
            # Ray raises a bare Exception where its processes take too long to start.
            except Exception as error:
                self._ray.shutdown()
                if self._address == "local" and attempt < STARTS:
                    continue
                raise SettingError(self._not_joined(error)) from None

    def _look_for_it(self) -> None:
        """Refuse an address at which nobody answers: Ray would try again for minutes."""
        address = self._address
        if address == "auto":
            address = os.environ.get("RAY_ADDRESS", "")
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if not port.isdecimal():
            return
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
        except (OSError, OverflowError) as error:
            raise SettingError(self._not_joined(error)) from None

    def _not_joined(self, error: Exception) -> str:
        if self._address == "local":
            return f"Ray does not start on this machine: {_shortened(error)}."
        return (
            f"The cluster {self._address} cannot be joined: {_shortened(error)}. Expected local, "
            "auto (on a machine of the cluster) or ray://HOST:10001; where it wants a token, set "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN."
        )

    def _leave(self) -> None:
        with signals_held_back():
            for worker in self._workers:
                worker.stop()
            self._ray.shutdown()

    def _start(self) -> None:
        self._workers.append(_Worker(self._ray, self._class.remote(), self._shared_setup))

    @contextlib.contextmanager
    def _replacing(self, worker: _Worker) -> Iterator[None]:
        """Start another worker in the place of one that is lost."""
        try:
            yield
        except WorkerLostError:
            self._replace(worker)
            raise

    def _replace(self, worker: _Worker) -> None:
        worker.stop()
        self._workers.remove(worker)
        if not any(node["Alive"] for node in self._ray.nodes()):
            raise ClusterLostError
        self._start()


class _Worker:
    """The driver's end of an actor: what it has to do, and what comes back."""

    def __init__(self, ray: Any, actor: Any, setup: Any) -> None:
        self._ray = ray
        self._actor = actor
        self._node_id: str | None = None
        self.task: Task | None = None
        self.future: Any = actor.prepare.remote(setup)

    @property
    def is_idle(self) -> bool:
        """Whether it is ready and has nothing to do."""
        return self.future is None

    def become_ready(self) -> None:
        """Take in that the actor is prepared.

        Raises:
            SettingError: if it cannot be, here or anywhere.
            WorkerLostError: if it died.
        """
        try:
            self._node_id = self._get(self.future)
        except WorkerLostError as lost:
            if lost.cause is None:
                raise
            raise SettingError(f"No worker gets ready: {lost.cause}") from None
        self.future = None

    def give(self, task: Task) -> None:
        """Let the actor do a task."""
        self.task = task
        self.future = self._actor.recognise.remote(task.sources)

    def take_reply(self) -> PartReply:
        """Return what the actor has made of its task."""
        reply: PartReply = self._get(self.future)
        self.task = self.future = None
        return reply

    def pieces(self, reply: PartReply) -> Iterator[bytes]:
        """The bytes of the part that the actor made last."""
        piece = reply.first_piece
        at = 0
        while piece:
            yield piece
            at += len(piece)
            piece = self._get(self._actor.piece.remote(at)) if at < reply.size_bytes else b""

    def stop(self) -> None:
        """End the actor."""
        with contextlib.suppress(Exception):  # It may be gone already, and Ray too.
            if self.is_idle:
                self._ray.get(self._actor.close.remote(), timeout=5)
            self._ray.kill(self._actor)

    def _get(self, future: Any) -> Any:
        try:
            return self._ray.get(future)
        except self._ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            told = _shortened(error) if cause is None else f"{type(cause).__name__}: {cause}"
            is_to_blame = self._is_node_alive()
            raise WorkerLostError(told, is_to_blame=is_to_blame, cause=cause) from None

    def _is_node_alive(self) -> bool:
        return any(node["Alive"] and node["NodeID"] == self._node_id for node in self._ray.nodes())


def _import_ray(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":
        # Nothing of it is for other machines, and it outlasts a network that comes and goes.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", "batch") from None
    return ray


def _short_folder() -> Path | None:
    """Where Ray's sockets go: their paths may not be long, as those of macOS' own folder are."""
    short = Path("/tmp")
    return short if short.is_dir() else None


def _shortened(error: Exception) -> str:
    """What Ray says, in a line."""
    text = " ".join(_COLOURS.sub("", str(error)).split())
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} …"
