"""How `mien batch` compares with `mien image` and `mien video`, and whether its rows are theirs.

Makes pictures and videos of one photograph (scikit-image's astronaut, NASA, public domain), moved,
brightened and of several sizes, runs the commands one after another, and prints

- how long each took, from start to end, and the ratios;
- the part of that time in which the workers recognised, which says what is lost to starting and to
  waiting for the driver;
- faces, pictures and frames for each second that a worker's core computed;
- the memory of a worker after a fifth of the run and at its end;
- whether the rows are the same.

    python benchmarks/batch.py --pictures 5000 --videos 40
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.data import astronaut

from mien.record.parquet import parquet_rows

CPU_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass
class Workers:
    """What the workers' processes took, by their number: read in /proc while they run.

    Attributes:
        cpu_s: Seconds of computing time.
        memory_mb: Resident memory, every two seconds.
    """

    cpu_s: dict[int, float] = field(default_factory=dict)
    memory_mb: dict[int, list[float]] = field(default_factory=dict)

    def look(self) -> None:
        """Read once what is there."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError, ValueError):
                if not (process / "cmdline").read_bytes().startswith(b"ray::Actor"):
                    continue
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                pid = int(process.name)
                self.cpu_s[pid] = (int(fields[11]) + int(fields[12])) * CPU_TICK_S
                self.memory_mb.setdefault(pid, []).append(int(fields[21]) * PAGE_MB)


def make_inputs(folder: Path, pictures: int, videos: int) -> None:
    """Write the pictures and videos; every tenth picture shows nobody."""
    random = np.random.default_rng(19)
    photograph = np.ascontiguousarray(astronaut()[..., ::-1])
    for number in range(pictures):
        image = varied(photograph, random, int(random.integers(320, 900)))
        if number % 10 == 0:
            image = random.integers(0, 255, image.shape).astype(np.uint8)
        path = folder / "pictures" / f"{number // 500:03}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    (folder / "videos").mkdir()
    for number in range(videos):
        video = cv2.VideoWriter(
            str(folder / "videos" / f"{number:03}.mp4"),
            cv2.VideoWriter.fourcc(*"mp4v"),
            25,
            (640, 640),
        )
        for _ in range(50 + 5 * (number % 11)):
            video.write(cv2.resize(varied(photograph, random, 640), (640, 640)))
        video.release()


def varied(photograph: Any, random: np.random.Generator, side: int) -> Any:
    """Return the photograph moved, turned a little, brightened and resized."""
    move = cv2.getRotationMatrix2D((224, 115), float(random.uniform(-8, 8)), 1.0)
    move = move + np.array([[0, 0, random.uniform(-30, 30)], [0, 0, random.uniform(-30, 30)]])
    moved = cv2.warpAffine(photograph, move, (512, 512), borderMode=cv2.BORDER_REFLECT)
    bright = np.clip(moved * random.uniform(0.6, 1.3), 0, 255).astype(np.uint8)
    return cv2.resize(bright, (side, side))


def timed(*words: str) -> float:
    """Run a command of mien; return the seconds from start to end."""
    started_s = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "mien", *words], check=True, stdout=subprocess.DEVNULL, stderr=None
    )
    return time.monotonic() - started_s


def run_batch(folder: Path, out: Path, actors: int) -> tuple[float, Workers]:
    """Run a batch and watch its workers."""
    workers = Workers()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(2):
            workers.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        seconds = timed("batch", str(folder), "--out", str(out), "--actors", str(actors))
    finally:
        ended.set()
        thread.join()
    return seconds, workers


def tell_batch(actors: int, seconds: float, workers: Workers, out: Path) -> None:
    """Print what a batch took."""
    sources = list(parquet_rows(out / "sources.parquet"))
    busy = sum(row["seconds"] for row in sources) / (actors * seconds)
    cpu_s = sum(workers.cpu_s.values())
    faces = sum(row["faces"] for row in sources)
    frames = sum(row["frames"] for row in sources)
    print(
        f"batch, {actors} worker{'s' * (actors > 1)}: {seconds:.1f} s; the workers recognised in "
        f"{busy:.0%} of it; {frames / cpu_s:.1f} frames and pictures, {faces / cpu_s:.1f} faces a "
        "core-second"
    )
    for memory_mb in workers.memory_mb.values():
        fifth = memory_mb[len(memory_mb) // 5]
        print(
            f"  a worker's memory: {fifth:.0f} MB after a fifth, {memory_mb[-1]:.0f} MB at the end"
        )


def rows_by_source(paths: list[Path], name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of Parquet files by what stands in a column."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        for row in parquet_rows(path):
            found.setdefault(row.pop(name), []).append(row)
    return found


def differing(single: list[dict[str, Any]], batch: list[dict[str, Any]]) -> bool:
    """Whether rows differ in a column that both tables have and mean the same by."""
    if len(single) != len(batch):
        return True
    for one, other in zip(single, batch, strict=True):
        # The number of a picture among the others is nothing that a batch could know.
        shared = (one.keys() & other.keys()) - {"frame" if "error" in one else ""}
        if any(one[key] != other[key] for key in shared):
            return True
    return False


def main() -> None:
    """Make the inputs, run the commands and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--videos", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mien-batch-") as name:
        folder, work = Path(name) / "in", Path(name)
        make_inputs(folder, asked.pictures, asked.videos)
        two_s, two = run_batch(folder, work / "two", 2)
        image_s = timed(
            "image", str(folder / "pictures"), "--parquet", str(work / "pictures.parquet")
        )
        video_s = 0.0
        videos = sorted((folder / "videos").iterdir())
        for video in videos:
            record = work / "records" / f"{video.stem}.parquet"
            video_s += timed("video", str(video), "--parquet", str(record))
        one_s, one = run_batch(folder, work / "one", 1)
        tell_batch(2, two_s, two, work / "two")
        tell_batch(1, one_s, one, work / "one")
        print(f"mien image: {image_s:.1f} s; mien video, {len(videos)} times: {video_s:.1f} s")
        print(f"two workers are {one_s / two_s:.2f} times one")
        print(f"two workers are {(image_s + video_s) / two_s:.2f} times the single commands")
        single = rows_by_source([work / "pictures.parquet"], "path")
        for video in videos:
            rows = list(parquet_rows(work / "records" / f"{video.stem}.parquet"))
            if rows:
                single[str(video)] = rows
        batch = rows_by_source(sorted((work / "two").glob("faces/*/*")), "source")
        wrong = [
            source
            for source in single.keys() | batch.keys()
            if differing(single.get(source, []), batch.get(source, []))
        ]
        count = sum(map(len, batch.values()))
        print(
            f"{count:,} rows; {len(wrong)} sources have other rows: {', '.join(wrong[:3]) or '-'}"
        )


if __name__ == "__main__":
    main()
