import contextlib
import itertools
import json
import re
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

import mien
from mien.cli import main
from mien.core.errors import ModelError, OutputError, SourceError
from mien.core.temporal import bundled_temporal, load_temporal
from mien.engine.settings import EngineSettings
from mien.media.demo import demo_video
from mien.media.frames import Frame, FrameSource, open_frames
from mien.recognizer import Recognizer
from mien.record.read import read_record
from mien.record.report import write_report
from mien.record.summary import Summary
from mien.video import run
from mien.video.run import VideoOutputs
from mien.video.sound import SoundVideoSink


def remark(line):
    print(line, file=sys.stderr)


run_video = partial(run.run_video, say=print, remark=remark)

FRAMES = 20


@pytest.fixture
def recognizer(brightness_network, without_yunet, tmp_path):
    del without_yunet
    return Recognizer(brightness_network(tmp_path / "emotion.onnx"), detector="haar", threads=1)


@pytest.fixture
def clip(tmp_path, astronaut_bgr, write_video):
    """A face that moves to the right, 3 pixels a frame."""
    pictures = [np.roll(astronaut_bgr[:240, 60:400], 3 * i, axis=1) for i in range(FRAMES)]
    return write_video(tmp_path / "clip.mp4", pictures)


def frames_of(path):
    with open_frames(path) as frames:
        return list(frames)


def test_every_frame_has_its_rows_and_its_picture(recognizer, clip, tmp_path, capsys):
    outputs = VideoOutputs(
        video=tmp_path / "out.mp4",
        csv=tmp_path / "r.csv",
        jsonl=tmp_path / "r.jsonl",
        summary=tmp_path / "summary.json",
        raw=True,
    )
    summary = run_video(clip, recognizer, outputs, EngineSettings())
    rows = list(read_record(outputs.csv))
    assert [row.frame for row in rows] == [row.frame for row in read_record(outputs.jsonl)]
    assert {row.frame for row in rows} == set(range(FRAMES))
    assert summary.rows == len(rows)
    assert any(not row.detected for row in rows)
    assert len(frames_of(outputs.video)) == FRAMES
    printed = capsys.readouterr().out
    assert f"{FRAMES} frames" in printed
    assert "Person 1: " in printed
    document = json.loads(outputs.summary.read_text())
    assert document == summary.document()
    assert printed.splitlines()[-1].startswith(f"The whole clip: {document['emotion']}, ")


@pytest.mark.parametrize("detector", ["yunet", "haar"])
def test_the_bundled_video_shows_one_person(detector, yunet_file, capsys):
    """Who leaves across the frame's edge and comes back is nobody else."""
    del yunet_file
    with pytest.raises(SystemExit) as ended:
        main(["video", str(demo_video()), "--detector", detector])
    assert not ended.value.code
    assert ", 1 person in " in capsys.readouterr().out


def test_a_face_that_comes_in_is_blurred_from_the_first_frame_on(yunet_file, tmp_path):
    """Whoever may be one of those who left is not shown otherwise before that is known."""
    del yunet_file
    counts = []
    for blur in ([], ["--blur"]):
        record = tmp_path / "record.csv"
        out = ["--out", str(tmp_path / "blurred.mp4")] if blur else []
        with pytest.raises(SystemExit) as ended:
            main(["video", str(demo_video()), "--csv", str(record), *out, *blur])
        assert not ended.value.code
        counts.append(len(list(read_record(record))))
    assert counts[1] > counts[0]


def test_the_networks_over_time_answer_for_the_whole_is_that_of_record_summary_and_report(
    clip, without_yunet, tmp_path, capsys
):
    del without_yunet
    network = load_temporal(bundled_temporal())
    files = {name: tmp_path / f"r.{name}" for name in ("csv", "jsonl", "parquet")}
    summaries = [tmp_path / f"{name}.json" for name in ("video", "report")]
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    words = ["video", str(clip), "--temporal", "shipped", "--detector", "haar", *options]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--raw", "--summary", str(summaries[0])])
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].endswith(f"by the temporal network {network.sha256[:12]}")
    records = [list(read_record(path)) for path in files.values()]
    last = {face.track_id: face for face in records[0]}
    document = json.loads(summaries[0].read_text())
    assert document["networks_over_time"] == [network.sha256]
    assert document["persons"]
    for person in document["persons"]:
        whole = last[person["track_id"]].whole_probabilities
        assert list(person["probabilities"].values()) == pytest.approx(whole, abs=1e-3)
    for record in records:
        assert {face.temporal_sha256 for face in record} == {network.sha256}
        assert record[-1].whole_probabilities == pytest.approx(
            records[0][-1].whole_probabilities, abs=1e-5
        )
    assert "whole_happy" in mien.to_dataframe(records[0]).columns
    with pytest.raises(SystemExit) as ended:
        main(["report", str(files["csv"]), "--summary", str(summaries[1])])
    assert not ended.value.code
    assert json.loads(summaries[1].read_text())["probabilities"] == pytest.approx(
        document["probabilities"], abs=1e-3
    )
    page = files["csv"].with_suffix(".html").read_text(encoding="utf-8")
    assert f"Temporal network</dt><dd>{network.sha256[:12]}" in page


def test_a_network_over_time_and_smoothing_exclude_each_other(clip, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["video", str(clip), "--temporal", "shipped", "--smooth", "50"])
    assert "choose --temporal or --smooth" in capsys.readouterr().err


def test_nothing_is_written_unless_asked_for(recognizer, clip, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    run_video(clip, recognizer, VideoOutputs(), EngineSettings())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_video_without_faces_is_told_in_one_line(recognizer, tmp_path, write_video, capsys):
    clip = write_video(tmp_path / "empty.mp4", [np.zeros((120, 160, 3), np.uint8)] * 3)
    run_video(clip, recognizer, VideoOutputs(), EngineSettings())
    printed = capsys.readouterr().out
    assert printed.startswith("3 frames, 0 faces, 0 people in ")
    assert printed.count("\n") == 1


def test_the_sound_and_the_times_of_the_source_are_kept(recognizer, astronaut_bgr, tmp_path):
    av = pytest.importorskip("av", reason="needs mien[video]")
    source = tmp_path / "uneven.mp4"
    times_ms = [0, 40, 80, 200, 240, 280, 500, 540, 580, 620]
    write_with_sound(av, source, [astronaut_bgr[:240, 60:401]] * len(times_ms), times_ms)
    run_video(source, recognizer, VideoOutputs(video=tmp_path / "out.mp4"), EngineSettings())
    with av.open(tmp_path / "out.mp4") as result:
        assert result.streams.video[0].codec_context.name == "h264"
        seconds = [float(frame.time) for frame in result.decode(video=0)]
    np.testing.assert_allclose(np.array(seconds) * 1000, times_ms, atol=2)
    with av.open(tmp_path / "out.mp4") as result:
        samples = np.concatenate([f.to_ndarray().ravel() for f in result.decode(audio=0)])
    assert np.abs(samples[2000:20000]).max() > 0.3


@pytest.mark.parametrize("rate_hz", [37_800, 192_000], ids=["not of AAC", "above AAC's"])
def test_sound_of_a_rate_that_aac_does_not_know_is_resampled(astronaut_bgr, tmp_path, rate_hz):
    av = pytest.importorskip("av", reason="needs mien[video]")
    source, times_ms = tmp_path / "odd.mkv", range(0, 1000, 40)
    pictures = [astronaut_bgr[:64, :64]] * len(times_ms)
    write_with_sound(av, source, pictures, times_ms, codec="pcm_s16le", rate_hz=rate_hz)
    with SoundVideoSink(tmp_path / "out.mp4", source, fps=25, remark=remark) as sink:
        for picture, ms in zip(pictures, times_ms, strict=True):
            sink.write_at(picture, ms)
    with av.open(tmp_path / "out.mp4") as result:
        result_hz = result.streams.audio[0].codec_context.sample_rate
        samples = np.concatenate([frame.to_ndarray()[0] for frame in result.decode(audio=0)])
    assert len(samples) / result_hz == pytest.approx(0.96, abs=0.05)
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * result_hz / len(samples) == pytest.approx(440, abs=3)


def test_ctrl_c_while_the_video_is_finished_waits_for_it(astronaut_bgr, tmp_path, monkeypatch):
    av = pytest.importorskip("av", reason="needs mien[video]")
    finish = SoundVideoSink._finish

    def interrupted_finish(sink, output):
        signal.raise_signal(signal.SIGINT)
        finish(sink, output)

    def write():
        with SoundVideoSink(tmp_path / "out.mp4", None, fps=25, remark=remark) as sink:
            sink.write_at(astronaut_bgr[:64, :64], 0)

    monkeypatch.setattr(SoundVideoSink, "_finish", interrupted_finish)
    with pytest.raises(KeyboardInterrupt):
        write()
    with av.open(tmp_path / "out.mp4") as result:
        assert len(list(result.decode(video=0))) == 1


def test_ctrl_c_while_a_frame_is_encoded_spoils_no_other(tmp_path, monkeypatch):
    av = pytest.importorskip("av", reason="needs mien[video]")
    noise = np.random.default_rng(0).integers(0, 255, (8, 12, 3), np.uint8).repeat(16, 0)
    still = np.ascontiguousarray(noise.repeat(16, 1))
    pictures = [np.roll(still, (5 * number, 9 * number), (0, 1)) for number in range(100)]

    class InterruptedEncoder:
        """Stands for an encoder during whose work somebody presses Ctrl-C."""

        def __init__(self, encoder):
            self._encoder = encoder
            self.width, self.height = encoder.width, encoder.height

        def encode(self, frame):
            packets = self._encoder.encode(frame)
            if frame is not None and frame.pts == 80 * 3_600:
                signal.raise_signal(signal.SIGINT)
            return packets

    def write():
        with SoundVideoSink(tmp_path / "out.mp4", None, fps=25, remark=remark) as sink:
            for number, picture in enumerate(pictures):
                sink.write_at(picture, 40 * number)
                if number == 0:
                    monkeypatch.setattr(sink, "_video", InterruptedEncoder(sink._video))

    with pytest.raises(KeyboardInterrupt):
        write()
    with av.open(tmp_path / "out.mp4") as result:
        seen = [frame.to_ndarray(format="bgr24") for frame in result.decode(video=0)]
    assert len(seen) == 81
    for picture, kept in zip(pictures, seen, strict=False):
        assert np.abs(picture.astype(int) - kept).mean() < 40


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_what_a_killed_process_wrote_of_a_camera_can_be_played(tmp_path):
    av = pytest.importorskip("av", reason="needs mien[video]")
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from mien.video.sound import SoundVideoSink\n"
        "noise = np.random.default_rng(0).integers(0, 255, (250, 48, 64, 3), np.uint8)\n"
        "with SoundVideoSink(Path('out.mp4'), None, 25, print) as sink:\n"
        "    for number, picture in enumerate(noise):\n"
        "        sink.write_at(picture, 40 * number)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("out.unfinished.")
    seconds: list[float] = []
    # The last frame may be there in part.
    with av.open(left) as file, contextlib.suppress(av.InvalidDataError):
        seconds.extend(frame.time for frame in file.decode(video=0))
    assert seconds[0] == 0
    assert seconds[-1] > 5


def test_mp3_is_kept_as_it_is(astronaut_bgr, tmp_path):
    av = pytest.importorskip("av", reason="needs mien[video]")
    source, times_ms = tmp_path / "mp3.mkv", range(0, 1000, 40)
    pictures = [astronaut_bgr[:64, :64]] * len(times_ms)
    write_with_sound(av, source, pictures, times_ms, codec="libmp3lame")
    with SoundVideoSink(tmp_path / "out.mp4", source, fps=25, remark=remark) as sink:
        for picture, ms in zip(pictures, times_ms, strict=True):
            sink.write_at(picture, ms)
    with av.open(source) as before, av.open(tmp_path / "out.mp4") as after:
        sounds = [[bytes(packet) for packet in sound_of(file)] for file in (before, after)]
    assert sounds[0][:20] == sounds[1][:20]


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_picture_and_sound_are_together_where_the_sound_begins_first(tmp_path, capsys, suffix):
    av = pytest.importorskip("av", reason="needs mien[video]")
    source = tmp_path / f"late.{suffix}"
    # The picture begins at 2 s and is bright from 3 s on, when the tone begins.
    write_flash_and_tone(av, source, picture_s=2.0, flash_s=3.0)
    with (
        open_frames(source) as frames,
        SoundVideoSink(tmp_path / "out.mp4", source, frames.fps, remark) as sink,
    ):
        bright_ms = None
        for frame in frames:
            if bright_ms is None and frame.image_bgr.mean() > 128:
                bright_ms = frame.timestamp_ms
            sink.write_at(frame.image_bgr, frame.timestamp_ms)
    assert bright_ms == pytest.approx(1000, abs=1)  # Time 0 is the first picture.
    assert flash_and_tone_of(av, tmp_path / "out.mp4") == pytest.approx((1.0, 1.0), abs=0.03)
    assert re.search(r"first 2\.\d s of the sound of .*late\.", capsys.readouterr().err)


def test_picture_and_sound_are_together_in_a_recording_that_was_cut(tmp_path):
    """Whose first pictures cannot be decoded: what they build on was cut off."""
    av = pytest.importorskip("av", reason="needs mien[video]")
    write_flash_and_tone(av, tmp_path / "whole.ts", picture_s=0.0, flash_s=3.0)
    with av.open(tmp_path / "whole.ts") as whole, av.open(tmp_path / "cut.ts", "w") as cut:
        streams = [cut.add_stream_from_template(stream) for stream in whole.streams]
        for packet in whole.demux():
            if packet.size and packet.pts * packet.time_base > 1.4 + 0.4:
                packet.stream = streams[packet.stream.index]
                cut.mux(packet)
    with (
        open_frames(tmp_path / "cut.ts") as frames,
        SoundVideoSink(
            tmp_path / "out.mp4",
            tmp_path / "cut.ts",
            frames.fps,
            remark,
            first_ms=lambda: frames.first_ms,
        ) as sink,
    ):
        for frame in frames:
            sink.write_at(frame.image_bgr, frame.timestamp_ms)
        assert frames.first_ms > 400
    flash_s, tone_s = flash_and_tone_of(av, tmp_path / "out.mp4")
    assert flash_s < 2.6
    assert tone_s == pytest.approx(flash_s, abs=0.05)


def test_a_video_that_cannot_be_finished_leaves_the_old_file(astronaut_bgr, tmp_path):
    pytest.importorskip("av", reason="needs mien[video]")
    old, source = tmp_path / "out.mp4", tmp_path / "source.mp4"
    old.write_bytes(b"what an earlier run wrote")
    source.write_bytes(b"not a video")
    with (
        pytest.raises(SourceError, match=r"sound of .*source\.mp4 cannot be read"),
        SoundVideoSink(old, source, fps=25, remark=remark) as sink,
    ):
        sink.write_at(astronaut_bgr, 0)
    assert old.read_bytes() == b"what an earlier run wrote"
    assert sorted(tmp_path.iterdir()) == [old, source]


@pytest.mark.parametrize("most_bytes", [0, 20_000, 70_000])
def test_a_full_disk_is_told_and_leaves_the_old_video(clip, tmp_path, full_disk, most_bytes):
    pytest.importorskip("av", reason="needs mien[video]")
    old = tmp_path / "old.mp4"
    old.write_bytes(b"what an earlier run wrote")

    def write_noise():
        random = np.random.default_rng(0)
        with SoundVideoSink(old, clip, fps=25, remark=remark) as sink:
            for number in range(80):
                sink.write_at(random.integers(0, 255, (48, 64, 3), np.uint8), 40 * number)

    with (
        pytest.raises(OutputError, match=r"old\.mp4 cannot be written: File too large"),
        full_disk(most_bytes),
    ):
        write_noise()
    assert old.read_bytes() == b"what an earlier run wrote"
    assert sorted(tmp_path.glob("*.mp4")) == [clip, old]


def test_sound_that_breaks_off_is_said_and_the_video_goes_on(astronaut_bgr, tmp_path, capsys):
    av = pytest.importorskip("av", reason="needs mien[video]")
    source, times_ms = tmp_path / "whole.mkv", range(0, 1000, 40)
    pictures = [astronaut_bgr[:64, :64]] * len(times_ms)
    write_with_sound(av, source, pictures, times_ms, codec="mp2")
    damaged = damage_sound(av, source, tmp_path / "damaged.mkv")
    with SoundVideoSink(tmp_path / "out.mp4", damaged, fps=25, remark=remark) as sink:
        for picture, ms in zip(pictures, times_ms, strict=True):
            sink.write_at(picture, ms)
    assert len(frames_of(tmp_path / "out.mp4")) == len(pictures)
    assert "breaks off" in capsys.readouterr().err


def test_sound_whose_times_begin_anew_breaks_off_and_the_video_goes_on(tmp_path, capsys):
    """As in two recordings of a broadcast that were put together."""
    av = pytest.importorskip("av", reason="needs mien[video]")
    write_flash_and_tone(av, tmp_path / "one.ts", picture_s=0.0, flash_s=1.0)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(2 * (tmp_path / "one.ts").read_bytes())
    assert copy_with_sound(twice, tmp_path / "out.mp4") == 2 * 5 * 25
    assert len(frames_of(tmp_path / "out.mp4")) == 2 * 5 * 25
    assert flash_and_tone_of(av, tmp_path / "out.mp4") == pytest.approx((1.0, 1.0), abs=0.03)
    said = capsys.readouterr().err
    assert "The sound of " in said
    assert "twice.ts breaks off (its times start again)" in said


def test_sound_that_becomes_stereo_on_the_way_is_kept(tmp_path, capsys):
    av = pytest.importorskip("av", reason="needs mien[video]")
    pictures, times_ms = [np.zeros((48, 64, 3), np.uint8)] * 50, range(0, 2000, 40)
    parts = []
    for number, layout in enumerate(["mono", "stereo", "mono"]):
        part = tmp_path / f"{number}.ts"
        times = {"codec": "mp2", "layout": layout, "first_s": 2 * number}
        write_with_sound(av, part, pictures, times_ms, **times)
        parts.append(part.read_bytes())
    (tmp_path / "changes.ts").write_bytes(b"".join(parts))
    assert copy_with_sound(tmp_path / "changes.ts", tmp_path / "out.mp4") == 150
    assert seconds_of_tone(av, tmp_path / "out.mp4") == pytest.approx(6, abs=0.2)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("rate_hz", [8_000, 11_025])
def test_mp3_of_a_rate_that_mp4_files_do_not_take_is_heard(tmp_path, rate_hz):
    av = pytest.importorskip("av", reason="needs mien[video]")
    pictures, times_ms = [np.zeros((48, 64, 3), np.uint8)] * 50, range(0, 2000, 40)
    source = tmp_path / "phone.avi"
    write_with_sound(av, source, pictures, times_ms, codec="libmp3lame", rate_hz=rate_hz)
    assert copy_with_sound(source, tmp_path / "out.mp4") == 50
    assert seconds_of_tone(av, tmp_path / "out.mp4") == pytest.approx(2, abs=0.2)


def test_sound_of_a_codec_that_nobody_knows_is_left_out_and_said(tmp_path, capsys):
    av = pytest.importorskip("av", reason="needs mien[video]")
    source = tmp_path / "new.mp4"
    pictures, times_ms = [np.zeros((48, 64, 3), np.uint8)] * 5, range(0, 200, 40)
    write_with_sound(av, source, pictures, times_ms)
    before, _, after = source.read_bytes().rpartition(b"mp4a")
    source.write_bytes(before + b"xxxx" + after.replace(b"esds", b"xxxx"))
    assert copy_with_sound(source, tmp_path / "out.mp4") == 5
    with av.open(tmp_path / "out.mp4") as result:
        assert not result.streams.audio
    assert "new.mp4 is of an unknown kind" in capsys.readouterr().err


def test_damaged_packets_of_sound_are_left_out(tmp_path):
    """AAC as broadcasts have it: an MP4 file takes no packet of it whose header is damaged."""
    av = pytest.importorskip("av", reason="needs mien[video]")
    write_flash_and_tone(av, tmp_path / "whole.ts", picture_s=0.0, flash_s=1.0)
    recording = bytearray((tmp_path / "whole.ts").read_bytes())
    for place in np.random.default_rng(3).integers(len(recording) // 10, len(recording), 400):
        recording[place] ^= 0xFF
    (tmp_path / "damaged.ts").write_bytes(recording)
    picture = np.zeros((48, 64, 3), np.uint8)
    with SoundVideoSink(tmp_path / "out.mp4", tmp_path / "damaged.ts", 25, remark) as sink:
        for ms in range(0, 5000, 40):
            sink.write_at(picture, ms)
    assert len(frames_of(tmp_path / "out.mp4")) == 125
    with av.open(tmp_path / "out.mp4") as result:
        assert len(sound_of(result)) > 20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no colon in a name")
def test_the_sound_of_a_file_with_a_time_in_its_name_is_kept(recognizer, tmp_path, monkeypatch):
    av = pytest.importorskip("av", reason="needs mien[video]")
    monkeypatch.chdir(tmp_path)
    source, annotated = Path("2024-11-26T12:30:00.mp4"), Path("12:30:00.mp4")
    pictures = [np.zeros((120, 160, 3), np.uint8)] * 5
    write_with_sound(av, source.absolute(), pictures, range(0, 200, 40))
    run_video(source, recognizer, VideoOutputs(video=annotated), EngineSettings())
    with av.open(annotated.absolute()) as result:
        assert len(result.streams.audio) == 1


def test_without_pyav_the_video_has_no_sound_and_that_is_said(
    recognizer, clip, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(run, "has_pyav", lambda: False)
    run_video(clip, recognizer, VideoOutputs(video=tmp_path / "out.mp4"), EngineSettings())
    assert len(frames_of(tmp_path / "out.mp4")) == FRAMES
    assert "pip install 'mien[video]'" in capsys.readouterr().err


def test_blur_makes_faces_unrecognisable(recognizer, clip, tmp_path):
    outputs = VideoOutputs(video=tmp_path / "out.mp4", csv=tmp_path / "r.csv", blur=True)
    run_video(clip, recognizer, outputs, EngineSettings(detect_every_ms=0))
    rows = {row.frame: row for row in read_record(outputs.csv) if row.box.width > 60}
    for frame in frames_of(outputs.video)[::5]:
        box = rows[frame.index].box
        face = frame.image_bgr[int(box.y) + 10 : int(box.bottom) - 10,
                               int(box.x) + 10 : int(box.right) - 10]  # fmt: skip
        assert cv2.Laplacian(face, cv2.CV_64F).var() < 60


def test_a_video_that_breaks_off_leaves_a_whole_record(recognizer, clip, tmp_path):
    broken = tmp_path / "broken.avi"
    writer = cv2.VideoWriter(str(broken), cv2.VideoWriter.fourcc(*"MJPG"), 25, (340, 240))
    for frame in itertools.chain.from_iterable([frames_of(clip)] * 5):
        writer.write(frame.image_bgr)
    writer.release()
    content = broken.read_bytes()
    index_at = content.rfind(b"idx1")
    broken.write_bytes(content[: index_at // 2])
    outputs = VideoOutputs(video=tmp_path / "out.mp4", csv=tmp_path / "r.csv")
    with pytest.raises(SourceError, match="breaks off"):
        run_video(broken, recognizer, outputs, EngineSettings())
    rows = list(read_record(outputs.csv))
    assert rows[-1].frame == len(frames_of(outputs.video)) - 1 > 20


def test_a_damaged_spot_is_warned_of_after_the_rest_was_read(
    recognizer, tmp_path, write_jpeg_video, capsys
):
    damaged = write_jpeg_video(tmp_path / "damaged.avi", damaged=(4,))
    run_video(damaged, recognizer, VideoOutputs(), EngineSettings())
    printed = capsys.readouterr()
    assert printed.out.startswith("49 frames, ")
    assert "damaged.avi is damaged in 1 place, " in printed.err


def test_a_wrong_name_for_the_annotated_video_is_refused(recognizer, clip):
    with pytest.raises(OutputError, match=r"ends in \.mp4"):
        run_video(clip, recognizer, VideoOutputs(video=clip.with_suffix(".avi")), EngineSettings())
    with pytest.raises(SourceError, match="There is no file"):
        run_video(clip.with_name("none.mp4"), recognizer, VideoOutputs(), EngineSettings())


@pytest.mark.parametrize("format", ["video", "csv", "jsonl", "parquet"])
def test_no_output_takes_the_place_of_the_video(recognizer, clip, format):
    before = clip.read_bytes()
    outputs = VideoOutputs(**{format: clip.parent / "records" / ".." / clip.name})
    with pytest.raises(OutputError, match="is an input and would be overwritten"):
        run_video(clip, recognizer, outputs, EngineSettings())
    assert clip.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/fd/0").exists(), reason="needs /dev/fd")
@pytest.mark.parametrize("words", [["URL"], ["-"]], ids=["file://", "standard input"])
def test_no_output_takes_the_place_of_a_video_under_another_name(clip, words):
    before = clip.read_bytes()
    words = [clip.as_uri() if word == "URL" else word for word in words]
    for option in ("--out", "--csv"):
        with clip.open("rb") as file:
            ended = subprocess.run(
                [sys.executable, "-m", "mien", "video", *words, option, str(clip)],
                stdin=file,
                capture_output=True,
                text=True,
                check=False,
            )
        assert ended.returncode == 2
        assert "is an input and would be overwritten" in ended.stderr
        assert clip.read_bytes() == before


def test_the_address_of_a_file_is_that_file(recognizer, clip, tmp_path):
    path = tmp_path / "a film.mp4"
    path.write_bytes(clip.read_bytes())
    assert "%20" in path.as_uri()
    summary = run_video(path.as_uri(), recognizer, VideoOutputs(), EngineSettings())
    assert summary.rows == run_video(clip, recognizer, VideoOutputs(), EngineSettings()).rows


@pytest.mark.parametrize("format", ["video", "summary"])
def test_a_record_is_not_lost_to_another_output_that_cannot_be(recognizer, clip, tmp_path, format):
    record = tmp_path / "old.csv"
    record.write_text("what an earlier run wrote")
    (tmp_path / "file").touch()
    outputs = VideoOutputs(csv=record, **{format: tmp_path / "file" / "out.mp4"})
    with pytest.raises(OutputError, match=r"out\.mp4 cannot be written"):
        run_video(clip, recognizer, outputs, EngineSettings())
    assert record.read_text() == "what an earlier run wrote"


def test_what_was_seen_is_summed_up_where_the_user_ends_it(recognizer, clip, tmp_path, capsys):
    def interrupt(frames, _of):
        if frames == 5:
            raise KeyboardInterrupt

    outputs = VideoOutputs(csv=tmp_path / "r.csv", summary=tmp_path / "s.json")
    with pytest.raises(KeyboardInterrupt):
        run_video(clip, recognizer, outputs, EngineSettings(), on_frame=interrupt)
    assert capsys.readouterr().out.startswith("5 frames, 5 faces")
    assert json.loads(outputs.summary.read_text())["persons"]


def test_one_file_for_two_outputs_is_refused(recognizer, clip, tmp_path):
    same = tmp_path / "same.csv"
    with pytest.raises(OutputError, match="two outputs"):
        run_video(clip, recognizer, VideoOutputs(csv=same, jsonl=same), EngineSettings())
    assert not same.exists()


@pytest.mark.parametrize("format", ["video", "csv", "jsonl", "parquet"])
def test_a_folder_for_an_output_is_refused_at_once(recognizer, clip, tmp_path, format):
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=r"folder\.mp4 is a folder: name a file"):
        run_video(clip, recognizer, VideoOutputs(**{format: folder}), EngineSettings())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_standard_output_holds_the_table_alone(clip, without_yunet, capfd, format):
    del without_yunet
    with pytest.raises(SystemExit) as ended:
        main(["video", str(clip), f"--{format}", "-", "--detector", "haar"])
    table, messages = capfd.readouterr()
    assert ended.value.code is None
    lines = table.splitlines()
    if format == "csv":
        assert lines.pop(0).startswith("frame,timestamp_ms,")
        assert {line.split(",")[0] for line in lines} == set(map(str, range(FRAMES)))
    else:
        assert {json.loads(line)["frame"] for line in lines} == set(range(FRAMES))
    assert "Detector: haar" in messages
    assert f"{FRAMES} frames, " in messages


def test_standard_output_holds_the_summary_alone(clip, without_yunet, capfd):
    del without_yunet
    with pytest.raises(SystemExit) as ended:
        main(["video", str(clip), "--summary", "-", "--detector", "haar"])
    summary, messages = capfd.readouterr()
    assert ended.value.code is None
    assert json.loads(summary)["frames_with_a_face"] == FRAMES
    assert f"{FRAMES} frames, " in messages
    assert not Path("-").exists()


def test_a_reader_that_has_had_enough_ends_it_quietly(clip, tmp_path):
    program = "import sys; from mien.cli import main; main(sys.argv[1:])"
    words = ["video", str(clip), "--csv", "-", "--jsonl", str(tmp_path / "r.jsonl")]
    command = [sys.executable, "-c", program, *words, "--detector", "haar"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        process.stdout.close()
        messages = process.stderr.read()
    assert process.returncode == 1
    assert messages == "Detector: haar\n"


def test_a_video_at_an_address_and_one_in_a_pipe(
    recognizer, clip, serve_http, standard_input, tmp_path, capsys
):
    address = serve_http(clip.read_bytes(), "video/mp4", "clip.mp4", has_length=True)
    outputs = VideoOutputs(csv=tmp_path / "web.csv", video=tmp_path / "out.mp4")
    run_video(address, recognizer, outputs, EngineSettings())
    rows = list(read_record(outputs.csv))
    assert {row.frame for row in rows} == set(range(FRAMES))
    assert len(frames_of(outputs.video)) == FRAMES
    av = pytest.importorskip("av", reason="needs mien[video]")
    with av.open(clip) as file, av.open(tmp_path / "clip.mkv", "w") as copy:
        stream = copy.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    with standard_input((tmp_path / "clip.mkv").read_bytes()):
        run_video("-", recognizer, VideoOutputs(csv=tmp_path / "pipe.csv"), EngineSettings())
    piped = list(read_record(tmp_path / "pipe.csv"))
    assert [(row.frame, row.emotion) for row in piped] == [(row.frame, row.emotion) for row in rows]
    assert capsys.readouterr().out.count(f"{FRAMES} frames, ") == 2


@pytest.mark.parametrize("camera", [0, "0"])
def test_the_annotated_video_of_a_camera_lasts_as_long_as_the_camera(
    recognizer, astronaut_bgr, tmp_path, monkeypatch, capsys, camera
):
    pytest.importorskip("av", reason="needs mien[video]")
    times_ms = [0, 200, 400, 4400, 4600]

    class Camera(FrameSource):
        name, fps, frame_count, is_live = "camera", 25.0, None, True

        def __iter__(self):
            for index, ms in enumerate(times_ms):
                yield Frame(index, ms, astronaut_bgr[:240, 60:400].copy())
                taken.acquire(timeout=30)
            raise KeyboardInterrupt

    taken = threading.Semaphore(0)
    monkeypatch.setattr(run, "open_frames", lambda _, **__: Camera())
    monkeypatch.setattr(run, "_annotate", lambda *_, **__: taken.release())
    outputs = VideoOutputs(video=tmp_path / "out.mp4", csv=tmp_path / "r.csv")
    run_video(camera, recognizer, outputs, EngineSettings())
    kept = frames_of(outputs.video)
    assert [frame.timestamp_ms for frame in kept] == pytest.approx(times_ms, abs=1)
    assert {row.timestamp_ms for row in read_record(outputs.csv)} == set(times_ms)
    said = capsys.readouterr()
    assert "5 frames, " in said.out
    assert "without sound" not in said.err


def test_a_slow_engine_counts_the_time_between_the_frames_that_it_looked_at(
    recognizer, tmp_path, astronaut_bgr, monkeypatch
):
    """A camera's other frames were passed over; the record's report has the same time."""

    class Camera(FrameSource):
        name, fps, frame_count, is_live = "camera", 30.0, None, True

        def __iter__(self):
            for number in range(12):
                yield Frame(24 * number, 800.0 * number, astronaut_bgr[:240, 60:400].copy())
                taken.acquire(timeout=30)
            raise KeyboardInterrupt

    taken = threading.Semaphore(0)
    monkeypatch.setattr(run, "open_frames", lambda _, **__: Camera())
    outputs = VideoOutputs(csv=tmp_path / "r.csv")
    summary = run_video(
        0, recognizer, outputs, EngineSettings(), on_frame=lambda *_: taken.release()
    )
    assert summary.people[1].seen_ms == pytest.approx(11 * 800, rel=0.1)
    of_record = write_report(outputs.csv, tmp_path / "r.html")
    assert isinstance(of_record, Summary)
    assert of_record.seen_ms == pytest.approx(summary.seen_ms, rel=0.02)


def test_a_folder_with_a_bad_picture_goes_on(recognizer, tmp_path, astronaut_bgr, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, height in (("a.png", 240), ("c.png", 300)):
        cv2.imwrite(str(folder / name), astronaut_bgr[:height, 60:400])
    (folder / "b.png").write_bytes(b"not a picture")
    outputs = VideoOutputs(video=tmp_path / "out.mp4", csv=tmp_path / "r.csv")
    with pytest.raises(SourceError, match=r"1 of 3 pictures of pictures could not be read.*b\.png"):
        run_video(folder, recognizer, outputs, EngineSettings())
    assert {row.frame for row in read_record(outputs.csv)} == {0, 2}
    assert {frame.image_bgr.shape for frame in frames_of(outputs.video)} == {(240, 340, 3)}
    assert capsys.readouterr().out.startswith("2 frames, ")


def copy_with_sound(source, out):
    """Write a video's frames, with its sound, anew; return how many there were."""
    with (
        open_frames(source) as frames,
        SoundVideoSink(out, source, frames.fps, remark, lambda: frames.first_ms) as sink,
    ):
        for frame in frames:
            sink.write_at(frame.image_bgr, frame.timestamp_ms)
    return frame.index + 1


def sound_of(file):
    """The packets of an opened video's sound."""
    return [packet for packet in file.demux(audio=0) if packet.size]


def seconds_of_tone(av, path):
    """How long something is heard."""
    with av.open(path) as file:
        return sum(
            frame.samples / frame.sample_rate
            for frame in file.decode(audio=0)
            if np.abs(frame.to_ndarray()).max() > 0.1
        )


def write_with_sound(
    av, path, pictures, times_ms, *, codec="aac", rate_hz=44_100, layout="mono", first_s=0
):
    """Write a video whose frames come at given times, with a tone of 440 Hz.

    The times of both begin at `first_s`, a whole number.
    """
    with av.open(path, "w") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.height, video.width = pictures[0].shape[0], pictures[0].shape[1] // 2 * 2
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = output.add_stream(codec, rate=rate_hz, layout=layout)
        for picture, ms in zip(pictures, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(picture[:, : video.width]), format="bgr24"
            )
            frame.pts, frame.time_base = ms + 1000 * first_s, Fraction(1, 1000)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        count = rate_hz * times_ms[-1] // 1000
        tone = 0.8 * np.sin(np.arange(count) * 2 * np.pi * 440 / rate_hz).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        if first_s:
            frame.pts, frame.time_base = rate_hz * first_s, Fraction(1, rate_hz)
        output.mux(sound.encode(frame))
        output.mux(sound.encode(None))


def write_flash_and_tone(av, path, *, picture_s, flash_s):
    """Write 5 s of sound, and pictures from `picture_s` on; a tone and white begin at `flash_s`."""
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate=25, options={"tune": "zerolatency"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("aac", rate=44_100, layout="mono")
        seconds = np.arange(5 * 44_100) / 44_100
        tone = np.where(seconds >= flash_s, 0.8 * np.sin(2 * np.pi * 880 * seconds), 0)
        heard = av.AudioFrame.from_ndarray(
            tone[None].astype(np.float32), format="fltp", layout="mono"
        )
        heard.sample_rate, heard.pts, heard.time_base = 44_100, 0, Fraction(1, 44_100)
        output.mux([*sound.encode(heard), *sound.encode(None)])
        for number in range(round(picture_s * 25), 5 * 25):
            grey = np.full((48, 64, 3), 255 if number >= flash_s * 25 else 0, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))


def flash_and_tone_of(av, path):
    """When the picture gets white and when the tone begins, in seconds."""
    with av.open(path) as file:
        white = [
            frame.time
            for frame in file.decode(video=0)
            if frame.to_ndarray(format="gray").mean() > 128
        ]
    with av.open(path) as file:
        loud = [
            frame.time + int(np.abs(frame.to_ndarray()[0]).argmax()) / frame.sample_rate
            for frame in file.decode(audio=0)
            if np.abs(frame.to_ndarray()).max() > 0.4
        ]
    return white[0], loud[0]


def damage_sound(av, path, damaged_path):
    """Write the video again with sound that is none after its first tenth of a second."""
    with av.open(path) as whole, av.open(damaged_path, "w") as damaged:
        streams = [damaged.add_stream_from_template(stream) for stream in whole.streams]
        for packet in whole.demux():
            if packet.dts is None:
                continue
            copy, time = packet, packet.pts * packet.time_base
            if packet.stream.type == "audio" and time > Fraction(1, 10):
                copy = av.Packet(b"no sound" * 20)
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.stream = streams[packet.stream.index]
            damaged.mux(copy)
    return damaged_path


def test_a_record_is_not_lost_to_settings_that_cannot_be(recognizer, clip, tmp_path):
    record = tmp_path / "r.csv"
    record.write_text("what an earlier run wrote")
    settings = EngineSettings(temporal=tmp_path / "absent.onnx", smooth_ms=0)
    with pytest.raises(ModelError):
        run_video(clip, recognizer, VideoOutputs(csv=record), settings)
    assert record.read_text() == "what an earlier run wrote"


def test_where_the_disk_is_full_the_first_failure_and_the_damage_are_told(
    recognizer, tmp_path, write_jpeg_video, full_disk, capsys
):
    damaged = write_jpeg_video(tmp_path / "damaged.avi", damaged=(4,))
    outputs = VideoOutputs(video=tmp_path / "out.mp4", summary=tmp_path / "s.json")
    with full_disk(100), pytest.raises(OutputError, match=r"out\.mp4 cannot be written"):
        run_video(damaged, recognizer, outputs, EngineSettings())
    printed = capsys.readouterr()
    assert "49 frames" in printed.out
    assert "damaged.avi is damaged in 1 place, " in printed.err
    assert not outputs.summary.exists()


def test_what_was_seen_is_summed_up_where_the_video_finds_the_disk_full(
    recognizer, clip, tmp_path, full_disk, capsys
):
    pytest.importorskip("av", reason="needs mien[video]")
    outputs = VideoOutputs(video=tmp_path / "out.mp4", summary=tmp_path / "s.json")
    with full_disk(4_000), pytest.raises(OutputError, match=r"out\.mp4 cannot be written"):
        run_video(clip, recognizer, outputs, EngineSettings())
    assert f"{FRAMES} frames" in capsys.readouterr().out
    assert json.loads(outputs.summary.read_text())
    assert not outputs.video.exists()
