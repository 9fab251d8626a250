"""`mien batch` on a real Ray: rows, resumption, what goes wrong."""

import contextlib
import itertools
import math
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

# Ray would put a token into the home folder. It looks when it is imported, and its processes later.
os.environ["RAY_AUTH_MODE"] = "disabled"
ray = pytest.importorskip("ray", reason="needs mien[batch]")
pytest.importorskip("pyarrow", reason="needs mien[batch]")

from mien.batch import cluster as ray_cluster
from mien.batch.actor import Actor as RealActor
from mien.batch.pictures import PictureOutputs, run_pictures
from mien.batch.run import BatchOptions, run_batch
from mien.batch.worker import BatchWorker
from mien.core.errors import OutputError, SettingError, SourceError
from mien.core.labels import EMOTIONS
from mien.core.temporary import temporary_folder
from mien.engine.settings import EngineSettings
from mien.faces.gate import QualityGate
from mien.recognizer import Recognizer
from mien.record.parquet import parquet_rows
from mien.record.recognise import recognise_video
from mien.record.table import columns_of
from mien.record.write import TableWriter

PAGE = Path(__file__).parents[2] / "docs" / "batch.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, astronaut_bgr):
    """Pictures and videos with and without faces, and files that are none."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "more").mkdir()
    face = np.ascontiguousarray(astronaut_bgr[:300, 60:400])
    for number in range(6):
        cv2.imwrite(str(folder / f"{number}.png"), np.roll(face, 5 * number, axis=1))
    cv2.imwrite(str(folder / "more" / "nobody.png"), np.zeros((60, 60, 3), np.uint8))
    (folder / "bad.jpg").write_bytes(b"no picture")
    (folder / "empty.mp4").write_bytes(b"")
    for name, count in (("a.mp4", 12), ("more/b.mp4", 20)):
        video = cv2.VideoWriter(
            str(folder / name), cv2.VideoWriter.fourcc(*"mp4v"), 25, face.shape[1::-1]
        )
        for number in range(count):
            video.write(np.roll(face, number, axis=1))
        video.release()
    return folder


def command(*words):
    base = [sys.executable, "-m", "mien", "batch", "--detector", "haar", "--actors", "2"]
    return [*base, *map(str, words)]


def run(*words):
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=300, check=False)


def batch(folder, out, address, say=print):
    """Run a batch in this process, on a Ray that is there already."""
    return run_batch(
        [str(folder)],
        out,
        Recognizer(detector="haar", threads=1),
        EngineSettings(),
        BatchOptions(address=address, actors=2),
        say=say,
        remark=print,
    )


def rows_of(out):
    return sorted(
        (row for part in out.glob("faces/*/*.parquet") for row in parquet_rows(part)),
        key=lambda row: (row["source"], row["frame"], row["track_id"]),
    )


def stop_ray(process, reader):
    """End `ray start --block` and, where it has left some, its processes.

    A signal to all of them at once would end the cluster's head first, for which the others wait
    half a minute.
    """
    process.terminate()
    process.wait(60)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if reader is not None:
        reader.join(60)
    process.stdout.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Ray of this test's own, with two cores; returns the environment that `auto` finds it in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="mien-ray-", dir="/tmp")  # a socket's path may not be long
    words = f"start --head --block --port {port} --num-cpus 2 --temp-dir {folder}"
    words += " --include-dashboard false --object-store-memory 120000000 --disable-usage-stats"
    process = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", *words.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"--address='([^']+)'", line):
            break
    else:
        pytest.fail("".join(said))
    reader = threading.Thread(target=process.stdout.read, daemon=True)
    reader.start()
    yield os.environ | {"RAY_ADDRESS": found[1], "RAY_USAGE_STATS_ENABLED": "0"}
    stop_ray(process, reader)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    """The folder of a batch that nobody disturbs, on a Ray that it starts by itself."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    ended = run(folder, "--out", out, "--summary")
    assert ended.returncode == 3, ended.stderr
    assert "11 sources: 9 done, 2 could not be read" in ended.stdout
    return out


def children_of(pid, words):
    """The processes below one whose command line holds some words."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found += [int(path.name)] if words in line else []
                found += children_of(int(path.name), words)
    return found


def run_and_kill(words, what, *, parts, out, wait_s=0.0):
    """Start a batch and kill something of it once so many parts are there; wait for its end."""
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while process.poll() is None:
        if len(list(out.glob("faces/*/*"))) >= parts:
            victims = [process.pid] if what == "driver" else children_of(process.pid, what)
            if victims:
                time.sleep(wait_s)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victims[0], signal.SIGKILL)
                break
        time.sleep(0.02)
    else:
        pytest.fail(f"It ended before anything of it was killed: {process.stdout.read()}")
    said = process.communicate(timeout=200)[0]
    return process.returncode, said


def test_rows_are_those_of_the_single_commands(folder, undisturbed, tmp_path):
    rows = rows_of(undisturbed)
    recognizer = Recognizer(detector="haar", threads=1)
    table = tmp_path / "table.parquet"
    outputs = PictureOutputs(parquet=table)
    with pytest.raises(SourceError, match="1 of 8"):
        run_pictures([folder], recognizer, outputs, QualityGate(), say=print, remark=print)
    for row in parquet_rows(table):
        (same,) = (each for each in rows if each["source"] == row["path"])
        shared = row.keys() & same.keys() - {"frame", "timestamp_ms", "track_id"}
        assert {key: row[key] for key in shared} == {key: same[key] for key in shared}
    for name in ("a.mp4", "more/b.mp4"):
        found = [row for row in rows if row["source"] == str(folder / name)]
        record = tmp_path / "record.parquet"
        with TableWriter(columns_of(EMOTIONS, raw=False), parquet=record) as writer:
            writer.append(list(recognise_video(folder / name, recognizer)))
        expected = list(parquet_rows(record))
        assert expected
        assert [{key: row[key] for key in expected[0]} for row in found] == expected
    sources = {row["source"]: row for row in parquet_rows(undisturbed / "sources.parquet")}
    assert len(sources) == 11
    failed = {name for name, row in sources.items() if row["state"] == "failed"}
    assert failed == {str(folder / "bad.jpg"), str(folder / "empty.mp4")}
    assert "not a picture" in sources[str(folder / "bad.jpg")]["error"]
    videos = list(parquet_rows(undisturbed / "summary.parquet"))
    assert {row["source"]: row["people"] for row in videos} == {
        str(folder / "a.mp4"): 1,
        str(folder / "empty.mp4"): 0,
        str(folder / "more" / "b.mp4"): 1,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("what", "parts"),
    [
        ("ray::Actor", 1),
        ("driver", 2),
        # Ray takes 15 s and more to find out.
        pytest.param("raylet/raylet", 1, marks=pytest.mark.slow),
    ],
)
def test_killed_and_started_again_it_has_the_rows_of_an_undisturbed_run(
    folder, undisturbed, tmp_path, what, parts
):
    out = tmp_path / "out"
    words = (folder, "--out", out)
    code, said = run_and_kill(words, what, parts=parts, out=out)
    if what == "driver":
        assert code == -signal.SIGKILL
        assert 0 < len(rows_of(out)) < len(rows_of(undisturbed))
        code = run(*words).returncode
    assert code == 3, said
    assert rows_of(out) == rows_of(undisturbed)
    states = [row["state"] for row in parquet_rows(out / "sources.parquet")]
    assert sorted(states) == ["done"] * 9 + ["failed"] * 2


def test_what_kills_its_worker_twice_is_set_aside_and_the_rest_is_done(
    folder, undisturbed, cluster, tmp_path, monkeypatch
):
    class Actor(RealActor):
        def recognise(self, sources):
            if any(source.name.endswith(("3.png", "a.mp4")) for source in sources):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().recognise(sources)

    monkeypatch.setattr(ray_cluster, "Actor", Actor)
    out = tmp_path / "out"
    outcome = batch(folder, out, cluster["RAY_ADDRESS"])
    assert (outcome.done, outcome.failed, outcome.set_aside) == (7, 2, 2)
    expected = [
        row for row in rows_of(undisturbed) if not row["source"].endswith(("3.png", "a.mp4"))
    ]
    assert [row for row in rows_of(out) if "set aside" not in (row["error"] or "")] == expected
    states = {row["source"]: row for row in parquet_rows(out / "sources.parquet")}
    assert states[str(folder / "3.png")]["state"] == "set aside"
    assert "2 workers died of it" in states[str(folder / "3.png")]["error"]
    monkeypatch.undo()
    outcome = batch(folder, out, cluster["RAY_ADDRESS"])
    assert (outcome.done, outcome.failed, outcome.set_aside) == (9, 2, 0)
    assert rows_of(out) == rows_of(undisturbed)


class ClusterHere:
    """A cluster of one worker in this process, without Ray.

    Args:
        failures: What becomes of each task in turn: None, or what is raised in its place.
    """

    size = 1

    def __init__(self, failures, setup):
        self._failures = failures
        self._worker = BatchWorker(setup)
        self._task = None

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._worker.close()

    @property
    def has_idle_worker(self):
        return self._task is None

    @property
    def is_busy(self):
        return self._task is not None

    def give(self, task):
        self._task = task

    def wait(self):
        return self._worker, self._task

    def take_reply(self, worker):
        task, self._task = self._task, None
        if failure := self._failures.pop(0):
            raise failure
        return worker.recognise(task.sources)

    def pieces(self, _worker, reply):
        return [reply.first_piece]


def let_fail(monkeypatch, *failures):
    """Let the tasks of batches fail as told, one after another; return those that are to come."""
    coming = list(failures)
    monkeypatch.setattr(
        "mien.batch.run.Cluster",
        lambda _address, _actors, setup, _remark: ClusterHere(coming, setup),
    )
    return coming


RAY_STOPS = ray_cluster.ClusterLostError()
WORKER_DIES = ray_cluster.WorkerLostError("It died.", is_to_blame=True)


def test_what_was_set_aside_before_is_tried_again_though_ray_stops_on_the_way(
    folder, tmp_path, monkeypatch
):
    picture, out = folder / "3.png", tmp_path / "out"
    let_fail(monkeypatch, WORKER_DIES, WORKER_DIES)
    assert batch(picture, out, "local").set_aside == 1
    let_fail(monkeypatch, RAY_STOPS, None)
    outcome = batch(picture, out, "local")
    assert (outcome.done, outcome.set_aside) == (1, 0)


def test_what_is_set_aside_is_not_tried_again_after_ray_has_stopped(folder, tmp_path, monkeypatch):
    pair, out = folder / "[34].png", tmp_path / "out"
    # Each picture kills a worker, then one of them another; the other one goes on on the next Ray.
    coming = let_fail(monkeypatch, WORKER_DIES, WORKER_DIES, WORKER_DIES, RAY_STOPS, None, None)
    outcome = batch(pair, out, "local")
    assert (outcome.done, outcome.set_aside, len(coming)) == (1, 1, 1)


def test_where_the_disk_is_full_the_first_failure_is_told(folder, tmp_path, monkeypatch, full_disk):
    """Not that of the tables, which are written at the end."""
    with contextlib.ExitStack() as stack:

        def fail(*_):
            stack.enter_context(full_disk(10))
            raise OutputError("No part can be written any further.")

        monkeypatch.setattr("mien.batch.run._recognise", fail)
        with pytest.raises(OutputError, match="No part can be written any further"):
            batch(folder, tmp_path / "out", "local")


def test_the_last_line_tells_of_a_damaged_video_that_is_done(
    tmp_path, monkeypatch, write_jpeg_video
):
    def recognise_here(missing, folder, setup, *_):
        worker = BatchWorker(setup)
        reply = worker.recognise(missing)
        folder.write_part(reply.results, reply.size_bytes, [reply.first_piece])
        worker.close()

    monkeypatch.setattr("mien.batch.run._recognise", recognise_here)
    damaged = write_jpeg_video(tmp_path / "damaged.avi", damaged=(4,))
    said = []
    outcome = batch(damaged, tmp_path / "out", "local", say=said.append)
    assert (outcome.done, outcome.incomplete, outcome.is_whole) == (1, 1, True)
    assert said[-1].startswith("1 source: 1 done, 1 of them incomplete; 0 faces. ")


@pytest.mark.parametrize("every_ms", [-1.0, math.inf, math.nan])
def test_a_time_between_frames_that_cannot_be_is_refused(folder, tmp_path, every_ms):
    options = BatchOptions(every_ms=every_ms)
    recognizer = Recognizer(detector="haar", threads=1)
    with pytest.raises(SettingError, match=r"expected 0 or more milliseconds, and a finite"):
        run_batch(
            [str(folder)],
            tmp_path / "out",
            recognizer,
            EngineSettings(),
            options,
            say=print,
            remark=print,
        )
    assert not (tmp_path / "out").exists()


def test_a_worker_that_does_not_start_is_told_and_not_the_fault_of_a_source(
    folder, cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr("mien.batch.run.version", lambda _: "0.0")
    with pytest.raises(SettingError, match=r"No worker gets ready.*install one version"):
        batch(folder, tmp_path / "out", cluster["RAY_ADDRESS"])
    assert rows_of(tmp_path / "out") == []


def test_the_command_joins_a_cluster(folder, undisturbed, cluster, tmp_path):
    out = tmp_path / "out"
    ended = subprocess.run(
        command(folder / "*.png", "--out", out, "--address", "auto"),
        env=cluster,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "6 sources: 6 done; 6 faces" in ended.stdout
    names = {row["source"] for row in rows_of(out)}
    assert rows_of(out) == [row for row in rows_of(undisturbed) if row["source"] in names]


def test_ctrl_c_waits_until_ray_has_started_and_ray_is_stopped(folder, tmp_path, monkeypatch):
    done = []

    def start(**_):
        signal.raise_signal(signal.SIGINT)
        done.append("started")

    # Set here, it is not set for the clusters of other tests.
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setattr("ray.init", start)
    monkeypatch.setattr("ray.shutdown", lambda: done.append("stopped"))
    with pytest.raises(KeyboardInterrupt):
        batch(folder, tmp_path / "out", "local")
    assert done == ["started", "stopped"]


@pytest.fixture
def long_video(tmp_path, astronaut_bgr):
    """The address of a video that takes some seconds."""
    path = tmp_path / "long.mp4"
    face = np.ascontiguousarray(astronaut_bgr[:300, 60:400])
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, face.shape[1::-1])
    for number in range(400):
        video.write(np.roll(face, number, axis=1))
    video.release()
    return path.as_uri()


def start_in(temporary, *words):
    """Start a batch whose temporary files go to a folder of their own."""
    temporary.mkdir()
    return subprocess.Popen(
        command(*words),
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_copy(process, temporary):
    """Wait until a worker has begun to copy a video to its temporary folder."""
    while process.poll() is None and not list(temporary.rglob("source/*")):
        time.sleep(0.02)


def wait_for_ray(process):
    """Wait until a batch has started Ray, and return the folder of Ray's files."""
    while process.poll() is None and not (raylets := children_of(process.pid, "raylet/raylet")):
        time.sleep(0.02)
    line = Path(f"/proc/{raylets[0]}/cmdline").read_text(encoding="utf-8")
    return Path(re.search(r"/tmp/mien-temp-\w+", line)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_what_ray_leaves_of_a_killed_command_is_removed_by_the_next_one(long_video, tmp_path):
    process = start_in(tmp_path / "temporary", long_video, "--out", tmp_path / "out")
    ray_folder = wait_for_ray(process)
    process.kill()
    process.communicate(timeout=200)
    assert ray_folder.exists()
    for _ in range(100):
        with temporary_folder(Path("/tmp")):
            if not ray_folder.exists():
                break
        time.sleep(0.1)  # Ray's processes end by themselves, and may write until then.
    assert not ray_folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ctrl_c_leaves_no_copy_of_a_video(long_video, tmp_path):
    temporary = tmp_path / "temporary"
    process = start_in(temporary, long_video, "--out", tmp_path / "out")
    wait_for_copy(process, temporary)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 130, said
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_killed_worker_leaves_no_copy_of_a_video(long_video, tmp_path):
    temporary = tmp_path / "temporary"
    process = start_in(temporary, long_video, "--out", tmp_path / "out")
    wait_for_copy(process, temporary)
    (victim,) = children_of(process.pid, "ray::Actor.recognise")
    os.kill(victim, signal.SIGKILL)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 0, said
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("wait_s", [0.0, 0.3, 0.6, 0.9, 1.2])
def test_ctrl_c_while_ray_starts_ends_as_ever_and_leaves_nothing(long_video, tmp_path, wait_s):
    temporary = tmp_path / "temporary"
    process = start_in(temporary, long_video, "--out", tmp_path / "out")
    ray_folder = wait_for_ray(process)
    time.sleep(wait_s)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 130, said
    assert list(temporary.iterdir()) == []
    assert not ray_folder.exists()


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_said_at_once(folder, tmp_path, monkeypatch, scheme):
    def try_for_minutes(**_):
        pytest.fail("Ray was asked, which tries again for minutes.")

    monkeypatch.setattr("ray.init", try_for_minutes)
    with pytest.raises(SettingError, match=r"127\.0\.0\.1:1 cannot be joined: .*refused"):
        batch(folder, tmp_path / "out", f"{scheme}127.0.0.1:1")


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, {"picture", "video", "happy"}), (1, {"a.mp4"}), (2, {"a.mp4", "happy"})],
)
def test_the_lines_of_the_page_open_the_data_set(
    undisturbed, tmp_path, monkeypatch, number, expected, capsys
):
    for package in ("pandas", "polars", "duckdb"):
        pytest.importorskip(package, reason="needs mien[dev]")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 3
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "batch").symlink_to(undisturbed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLARS_FMT_STR_LEN", "1000")  # Else it cuts the name of a source.
    exec(blocks[number], {})
    said = capsys.readouterr().out
    assert expected <= set(re.split(r"[^a-z.0-9]", said))


def test_the_page_s_cluster_is_one_by_the_schema_of_ray():
    import json

    import jsonschema
    import yaml

    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    first, _ = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    jsonschema.validate(yaml.safe_load(first), json.loads(schema.read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("what", ["ray::Actor", "driver", "raylet/raylet"])
def test_killed_at_any_moment_it_loses_and_doubles_nothing(
    folder, undisturbed, tmp_path, what, seed
):
    out = tmp_path / "out"
    words = (folder, "--out", out)
    moment = random.Random(f"{what} {seed}")
    parts = moment.randint(0, len(list(undisturbed.glob("faces/*/*"))) - 1)
    code, said = run_and_kill(words, what, parts=parts, out=out, wait_s=moment.uniform(0, 1))
    if code < 0:
        ended = run(*words)
        code, said = ended.returncode, ended.stderr
    assert code == 3, said
    assert rows_of(out) == rows_of(undisturbed)


@pytest.fixture
def two_machines():
    """Two network namespaces with a Ray node of one core each, joined by a virtual cable."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs network namespaces, and so the superuser of a Linux")
    names = ("mien-one", "mien-two")
    folders, processes, readers = [], [], []

    def say(words):
        return subprocess.run(words.split(), check=True, capture_output=True, text=True).stdout

    try:
        for name in names:
            say(f"ip netns add {name}")
            say(f"ip netns exec {name} ip link set lo up")
        say("ip link add mien-one-end netns mien-one type veth peer mien-two-end netns mien-two")
        for number, name in enumerate(names, start=1):
            say(f"ip netns exec {name} ip addr add 10.77.19.{number}/24 dev {name}-end")
            say(f"ip netns exec {name} ip link set {name}-end up")
        for number, name in enumerate(names, start=1):
            folders.append(tempfile.mkdtemp(prefix="mien-ray-", dir="/tmp"))
            words = ["ip", "netns", "exec", name, sys.executable, "-m", "ray.scripts.scripts"]
            words += ["start", "--block", "--num-cpus", "1", "--disable-usage-stats"]
            words += ["--node-ip-address", f"10.77.19.{number}"]
            words += ["--object-store-memory", "120000000"]
            if number == 1:
                words += ["--head", "--port", "6399", "--temp-dir", folders[-1]]
                words += ["--include-dashboard", "false"]
            else:
                words += ["--address", "10.77.19.1:6399"]
            process = subprocess.Popen(
                words,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            processes.append(process)
            said = []
            for line in process.stdout:
                said.append(line)
                if "Ray runtime started" in line:
                    break
            else:
                pytest.fail("".join(said))
            readers.append(threading.Thread(target=process.stdout.read, daemon=True))
            readers[-1].start()
        yield processes
    finally:
        # The one with the cluster's head, which is the first, ends last.
        for process, reader in reversed([*itertools.zip_longest(processes, readers)]):
            stop_ray(process, reader)
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        for each in folders:
            shutil.rmtree(each, ignore_errors=True)


@pytest.mark.slow
def test_two_machines_share_the_work_and_one_goes_away(folder, undisturbed, two_machines, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        ["ip", "netns", "exec", "mien-one", *command(folder, "--out", out, "--address", "auto")],
        env=os.environ | {"RAY_ADDRESS": "10.77.19.1:6399"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    working = [set(), set()]
    while process.poll() is None:
        for number, node in enumerate(two_machines):
            working[number].update(children_of(node.pid, "ray::Actor.recognise"))
        if all(working):
            (raylet, *_) = children_of(two_machines[1].pid, "raylet/raylet")
            os.kill(raylet, signal.SIGKILL)
            break
        time.sleep(0.005)
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 3, said
    assert all(working), "one machine did all of the work"
    assert rows_of(out) == rows_of(undisturbed)
