"""A worker as Ray starts it. Nothing heavy is imported before the process is prepared for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mien.batch.sources import BatchSource
    from mien.batch.worker import PartReply, WorkerSetup

WORKER_ENVIRONMENT = {
    # Larger pictures are refused, so that a bomb of a few kilobytes takes no gigabytes a worker.
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(2**28),
}
"""What OpenCV reads when it is loaded."""


class Actor:
    """See `mien.batch.worker.BatchWorker`."""

    def prepare(self, setup: WorkerSetup) -> str:
        """Open what the setup says; return Ray's number of the machine.

        Raises:
            MienError: if something cannot be opened here.
        """
        os.environ |= WORKER_ENVIRONMENT
        import ray

        from mien.batch.worker import BatchWorker

        self._worker = BatchWorker(setup)
        return str(ray.get_runtime_context().get_node_id())

    def recognise(self, sources: Sequence[BatchSource]) -> PartReply:
        """See `BatchWorker.recognise`."""
        return self._worker.recognise(sources)

    def piece(self, offset: int) -> bytes:
        """See `BatchWorker.piece`."""
        return self._worker.piece(offset)

    def close(self) -> None:
        """See `BatchWorker.close`."""
        self._worker.close()
