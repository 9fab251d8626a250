"""`mien serve` as a process of its own: started, stopped, killed, with several workers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and files without a name")


class Server:
    """A server in a process of its own, which keeps its state in `folder`."""

    def __init__(self, folder, *options):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.folder = folder
        words = ["serve", "--port", str(self.port), "--offline", "--detector", "haar"]
        words += ["--threads", "1", "--state", str(folder / "state.db"), *options]
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mien", *words],
                env=os.environ | {"TMPDIR": str(temporary)},
                stderr=log,
                stdout=log,
                start_new_session=True,
            )
        self._wait_until_ready()

    def ask(self, path, method="GET", body=None, headers=None):
        """Return status, headers and body of an answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, headers or {}, method=method
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def upload(self, video):
        boundary = uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n'
        body = head.encode() + b"\r\n" + video + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        status, _, answer = self.ask("/v1/videos", "POST", body, kind)
        assert status == 202, answer
        return json.loads(answer)["id"]

    def job(self, job):
        return json.loads(self.ask(f"/v1/videos/{job}")[2])

    def wait_for(self, job, *states):
        for _ in range(1200):
            status = self.job(job)
            if status["state"] in states:
                return status
            time.sleep(0.05)
        pytest.fail(f"the job is still {status}")

    def stop(self):
        """Tell it to stop; return its exit code and what it logged."""
        self.process.terminate()
        return self.process.wait(60), self.log.read_text()

    def kill(self):
        """Kill it and its workers as the machine would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def _wait_until_ready(self):
        for _ in range(1200):
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.ask("/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        pytest.fail("the server did not become ready")


@pytest.fixture
def start(tmp_path):
    servers = []

    def start(*options):
        servers.append(Server(tmp_path, *options))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.kill()


def test_told_to_stop_it_finishes_and_logs_no_secret(start, video_of):
    server = start()
    job = server.upload(video_of(10))
    server.wait_for(job, "running", "done")
    code, log = server.stop()
    assert code == 0
    assert "POST /v1/videos 202" in log
    assert "Traceback" not in log
    assert job not in log
    again = start()
    assert again.job(job)["state"] == "done"
    assert again.ask(f"/v1/videos/{job}/result")[0] == 200


def test_killed_it_leaves_no_video_and_the_next_one_tells(start, video_of, tmp_path):
    server = start()
    job = server.upload(video_of(2000))
    server.wait_for(job, "running")
    assert open_videos(server.process.pid)
    server.kill()
    left = [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()]
    assert left == []
    again = start()
    assert again.wait_for(job, "failed")["problem"]["type"] == "urn:mien:problem:job-interrupted"


def open_videos(pid):
    """What a process has open that is no longer in any folder."""
    folder = Path(f"/proc/{pid}/fd")
    if not folder.is_dir():
        pytest.skip("needs /proc")
    return [link for link in folder.iterdir() if "(deleted)" in str(link.readlink())]


def test_two_workers_see_the_same_jobs_and_count_together(start, video_of):
    server = start("--workers", "2")
    job = server.upload(video_of(5))
    # Each request may reach the other worker.
    server.wait_for(job, "done")
    assert {server.job(job)["state"] for _ in range(20)} == {"done"}
    text = server.ask("/metrics")[2].decode()
    counted = [line for line in text.splitlines() if 'route="/v1/videos",status="202"' in line]
    assert any(line.startswith("mien_request_seconds_count") for line in counted)
    assert server.stop()[0] == 0
