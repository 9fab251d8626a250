"""Watch `mien video` through two hours of video: memory, open files, and what a kill leaves.

    python benchmarks/long_video.py clip.mp4 [--hours 2] [--detector auto]

The clip, an H.264 file such as `scenes.py` writes, is repeated until it lasts that long, without
encoding it again. The first run goes to its end; a second one is ended with SIGKILL after a minute.
Needs Linux, whose /proc tells of other processes, and `mien[video]`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from inputs import existing

from mien.record.read import read_record

SAMPLE_S = 0.5
KILL_AFTER_S = 60.0
TENTHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=existing)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--detector", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "long.mp4"
        frames = repeat(options.clip, video, options.hours * 3600)
        print(f"{options.hours:g} hours of {options.clip.name}: {frames:,} frames")
        watch(video, options.detector)
        kill(video, options.detector)


def repeat(clip: Path, video: Path, seconds: float) -> int:
    """Write the clip again and again into one file; return how many frames that makes."""
    import av

    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        rate, time_base = stream.average_rate, stream.time_base
        if rate is None or time_base is None:
            sys.exit(f"{clip} does not say its frame rate: expected a file as scenes.py writes.")
        packets = [
            (bytes(p), p.pts or 0, p.dts or 0, p.is_keyframe)
            for p in source.demux(stream)
            if p.size
        ]
        length = int(len(packets) / rate / time_base)
        rounds = max(round(seconds * rate / len(packets)), 1)
        with av.open(str(video), "w") as target:
            copy = target.add_stream_from_template(stream)
            for number in range(rounds):
                for content, pts, dts, is_keyframe in packets:
                    packet = av.Packet(content)
                    packet.pts, packet.dts = pts + number * length, dts + number * length
                    packet.time_base, packet.stream = time_base, copy
                    packet.is_keyframe = is_keyframe
                    target.mux(packet)
    return rounds * len(packets)


def watch(video: Path, detector: str) -> None:
    """Run it to the end; print memory and open files over time."""
    with run(video, detector) as process:
        samples = np.array(list(sample(process)))
        last_words = process.stdout.read().splitlines()[1] if process.stdout else ""
    print(f"exit code {process.returncode}; {last_words}")
    print("part of the run   memory MB   open files")
    for number, tenth in enumerate(np.array_split(samples, TENTHS)):
        memory_mb, files = tenth.max(axis=0)
        part = f"{number / TENTHS:7.0%} to {(number + 1) / TENTHS:4.0%}"
        print(f"{part} {memory_mb:11.1f} {files:12.0f}")
    after_warming = samples[len(samples) // TENTHS :]
    memory_mb, files = np.ptp(after_warming, axis=0)
    print(f"after the first tenth, memory varies by {memory_mb:.1f} MB, open files by {files:.0f}")
    check(video, "whole run")


def kill(video: Path, detector: str) -> None:
    with run(video, detector) as process:
        end = time.monotonic() + KILL_AFTER_S
        while time.monotonic() < end and process.poll() is None:
            time.sleep(SAMPLE_S)
        process.kill()
    print(f"killed after {KILL_AFTER_S:.0f} s: exit code {process.returncode}")
    check(video, "after the kill")


def run(video: Path, detector: str) -> subprocess.Popen[str]:
    records = [f"--{kind}={video.with_suffix('.' + kind)}" for kind in ("csv", "jsonl")]
    command = [sys.executable, "-m", "mien", "video", str(video), *records, "--detector", detector]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ
    )


def sample(process: subprocess.Popen[str]) -> Iterator[tuple[float, int]]:
    """Resident memory in MB and the number of open files, again and again until it ends."""
    folder = Path("/proc") / str(process.pid)
    while process.poll() is None:
        try:
            pages = int((folder / "statm").read_text().split()[1])
            yield pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(list((folder / "fd").iterdir()))
        except (OSError, IndexError):  # it ended meanwhile
            return
        time.sleep(SAMPLE_S)


def check(video: Path, when: str) -> None:
    """Read both records as `mien report` does; an unreadable row would raise here."""
    for kind in (".csv", ".jsonl"):
        path = video.with_suffix(kind)
        rows = 0
        last: deque[Any] = deque(maxlen=1)
        for row in read_record(path):
            rows += 1
            last.append(row)
        print(
            f"{when}, {kind[1:]}: {rows:,} rows can be read, up to frame {last[0].frame:,} "
            f"({last[0].timestamp_ms / 60_000:.1f} minutes)"
        )


if __name__ == "__main__":
    main()
