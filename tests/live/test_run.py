import contextlib
import itertools
import math
import os
import re
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import mien
from mien.cli import main
from mien.core.errors import OutputError, SourceError
from mien.core.labels import EMOTIONS
from mien.engine.pipeline import FrameFaces
from mien.engine.settings import EngineSettings
from mien.live.display import has_display
from mien.live.recording import Recording
from mien.live.run import LiveOutputs, file_name, run_live
from mien.media.demo import demo_video, open_frames_or_demo
from mien.media.frames import Frame, open_frames
from mien.record.read import read_record
from mien.record.report import write_report
from mien.video.run import VideoOutputs, run_video


@pytest.fixture
def recognizer(tmp_path, brightness_network):
    artifact = brightness_network(tmp_path / "emotion.onnx")
    return mien.Recognizer(artifact, detector="haar")


class Screen:
    """Stands for OpenCV's window: time passes where it waits, and keys come when they are due."""

    def __init__(self):
        self.now_s = 0.0
        self.keys = []  # (when, character or code), the earliest first
        self.closes_s = math.inf
        self.shown = []  # (when, picture)
        self.ended_s = None

    def wait(self, milliseconds):
        self.now_s += milliseconds / 1000
        is_due = self.keys and self.now_s >= self.keys[0][0]
        if not is_due:
            return -1
        _, key = self.keys.pop(0)
        return ord(key) if isinstance(key, str) else key

    def show(self, _title, image_bgr):
        self.shown.append((self.now_s, image_bgr))

    def property(self, *_which):
        return float(self.now_s < self.closes_s)

    def end(self):
        self.ended_s = self.now_s


@pytest.fixture
def screen(monkeypatch):
    """Return the screen that windows appear on; its clock is everybody's."""
    screen = Screen()
    monkeypatch.setattr("mien.live.run.has_display", lambda: True)
    monkeypatch.setattr("time.monotonic", lambda: screen.now_s)
    for name, stand_in in {
        "namedWindow": lambda *_: None,
        "resizeWindow": lambda *_: None,
        "imshow": screen.show,
        "waitKey": screen.wait,
        "waitKeyEx": screen.wait,
        "getWindowProperty": screen.property,
        "destroyAllWindows": screen.end,
    }.items():
        monkeypatch.setattr(cv2, name, stand_in)
    return screen


@pytest.fixture
def in_empty_folder(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_without_a_window_the_annotated_video_is_written(
    recognizer, in_empty_folder, astronaut_bgr, write_video, capsys
):
    # Three seconds: a face, nobody, a face.
    nobody = np.full_like(astronaut_bgr, 90)
    pictures = [astronaut_bgr] * 4 + [nobody] * 4 + [astronaut_bgr] * 4
    source = write_video(in_empty_folder / "clip.mp4", pictures, fps=4)
    run_live(source, recognizer, window=False, say=print)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Reading video stream ..."
    assert re.fullmatch(
        r"00:00:00 : (Angry|Disgust|Fear|Happy|Sad|Surprise|Neutral) , \d+%", lines[2]
    )
    assert lines[3] == "00:00:01 : no face"
    assert lines[4].startswith("00:00:02 : ")
    assert len(lines) == 5
    with open_frames(in_empty_folder / "results" / "live" / "clip_annotated.mp4") as frames:
        written = [frame.image_bgr for frame in frames]
    assert len(written) == 12
    drawn = np.abs(written[0].astype(int) - astronaut_bgr).max(axis=2) > 80
    assert drawn[60:180, 150:300].any()


def test_a_record_is_not_lost_to_a_video_that_cannot_be_written(
    recognizer, in_empty_folder, astronaut_bgr, write_video
):
    source = write_video(in_empty_folder / "clip.mp4", [astronaut_bgr] * 3)
    Path("old.csv").write_text("what an earlier run wrote")
    Path("results").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        run_live(
            source,
            recognizer,
            window=False,
            say=print,
            outputs=LiveOutputs(csv=Path("old.csv")),
        )
    assert Path("old.csv").read_text() == "what an earlier run wrote"


def test_the_annotated_video_keeps_uneven_times(recognizer, in_empty_folder):
    av = pytest.importorskip("av", reason="needs mien[video]")
    times_ms = [*range(0, 600, 40), *range(2000, 2600, 40), *range(4000, 4600, 40)]
    with av.open(in_empty_folder / "uneven.mp4", "w") as file:
        video = file.add_stream("mpeg4", rate=25)
        video.height, video.width, video.pix_fmt = 120, 160, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        for ms in times_ms:
            grey = np.full((120, 160, 3), 60 * (1 + ms // 2000), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="bgr24")
            frame.pts, frame.time_base = ms, Fraction(1, 1000)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    run_live(in_empty_folder / "uneven.mp4", recognizer, window=False, say=print)
    with open_frames(in_empty_folder / "results" / "live" / "uneven_annotated.mp4") as frames:
        shown = [(frame.timestamp_ms, frame.image_bgr[-1, -1, 0]) for frame in frames]
        frame_ms = 1000 / frames.fps
    for level, begins_ms in ((120, 2000), (180, 4000)):
        first_ms = next(ms for ms, grey in shown if grey > level - 30)
        assert first_ms == pytest.approx(begins_ms, abs=frame_ms)
    assert shown[-1][0] == pytest.approx(times_ms[-1], abs=frame_ms)


def test_times_in_whole_milliseconds_lose_and_double_no_frame(recognizer, in_empty_folder):
    writer = cv2.VideoWriter(
        str(in_empty_folder / "even.mkv"), cv2.VideoWriter.fourcc(*"mp4v"), 30, (160, 120)
    )
    for number in range(20):
        writer.write(np.full((120, 160, 3), 200 * (number % 2), np.uint8))
    writer.release()
    run_live(in_empty_folder / "even.mkv", recognizer, window=False, say=print)
    with open_frames(in_empty_folder / "results" / "live" / "even_annotated.mp4") as frames:
        is_bright = [bool(frame.image_bgr[-1, -1, 0] > 100) for frame in frames]
    assert is_bright == [False, True] * 10


@pytest.mark.usefixtures("no_camera", "in_empty_folder")
def test_without_a_webcam_the_bundled_video_takes_over(recognizer, capsys, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(recognizer.classifier, "classify", interrupt)
    run_live(None, recognizer, window=False, say=print)
    assert capsys.readouterr().out.startswith("No webcam can be opened (none is there")
    opened, _ = open_frames_or_demo(None, print, rotate_degrees=90)
    with opened, open_frames(demo_video()) as upright:
        turned, plain = (next(iter(frames)).image_bgr for frames in (opened, upright))
    np.testing.assert_array_equal(turned, np.rot90(plain, -1))


@pytest.mark.usefixtures("no_camera")
@pytest.mark.parametrize(
    "words", [["0"], ["0", "--csv", "day.csv"], ["--csv", "day.csv"], ["--jsonl", "day.jsonl"]]
)
def test_the_bundled_video_is_not_recorded_as_a_camera(in_empty_folder, capsys, words):
    with pytest.raises(SystemExit, match="2"):
        main(["live", *words, "--no-window", "--detector", "haar"])
    assert "There is no camera 0" in capsys.readouterr().err
    assert not list(in_empty_folder.iterdir())


class Interrupted:
    """Stands for a camera at which the user presses Ctrl-C after a frame."""

    name, fps, frame_count, is_live = "camera 0", 25.0, None, True
    damaged_spots, frames_alike, first_ms = 0, 0, 0.0

    def __iter__(self):
        yield Frame(0, 0.0, np.full((120, 160, 3), 128, np.uint8))
        raise KeyboardInterrupt

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass


def test_streams_of_several_cameras_have_files_of_their_own():
    names = ["rtsp://10.0.0.1:554/live", "rtsp://10.0.0.2:554/live", "http://10.0.0.1/2/live"]
    assert list(map(file_name, names)) == [
        "10.0.0.1_554_live",
        "10.0.0.2_554_live",
        "10.0.0.1_2_live",
    ]
    assert file_name("my clip.mp4") == "my_clip"


def test_a_second_video_of_a_camera_leaves_the_first(recognizer, in_empty_folder, monkeypatch):
    monkeypatch.setattr("mien.media.frames.open_camera", lambda _index: Interrupted())
    monkeypatch.setattr("time.strftime", lambda *_: "at-this-very-second")
    for _ in range(3):
        run_live(0, recognizer, window=False, say=print)
    names = sorted(path.name for path in (in_empty_folder / "results" / "live").iterdir())
    begin = "camera_0_at-this-very-second"
    assert names == [f"{begin}{number}_annotated.mp4" for number in ("-2", "-3", "")]


def test_a_second_video_of_a_file_leaves_the_first(
    recognizer, in_empty_folder, astronaut_bgr, write_video, monkeypatch
):
    monkeypatch.setattr("time.strftime", lambda *_: "at-this-very-second")
    for folder in ("monday", "tuesday", "wednesday"):
        Path(folder).mkdir()
        source = write_video(in_empty_folder / folder / "clip.mp4", [astronaut_bgr])
        run_live(source, recognizer, window=False, say=print)
    assert {path.name for path in (in_empty_folder / "results" / "live").iterdir()} == {
        "clip_annotated.mp4",
        "clip_at-this-very-second_annotated.mp4",
        "clip_at-this-very-second-2_annotated.mp4",
    }


def test_a_video_that_is_written_at_the_same_time_is_left(
    recognizer, in_empty_folder, astronaut_bgr, write_video
):
    sources = []
    for folder, count in (("monday", 3), ("tuesday", 5)):
        Path(folder).mkdir()
        pictures = [astronaut_bgr] * count
        sources.append(write_video(in_empty_folder / folder / "clip.mp4", pictures))

    def begin_another(line):
        if line.startswith("Writing "):
            run_live(sources[1], recognizer, window=False, say=print)

    run_live(sources[0], recognizer, window=False, say=begin_another)
    assert frame_counts(in_empty_folder / "results" / "live") == [3, 5]


def test_recordings_of_one_second_side_by_side_are_files_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda *_: "at-this-very-second")
    grey = np.full((48, 64, 3), 128, np.uint8)
    with contextlib.ExitStack() as stack:
        for count in (5, 2):
            recording = stack.enter_context(
                Recording(tmp_path, "camera_0", 25.0, labels=EMOTIONS, smooth_ms=0.0, say=print)
            )
            recording.follow(is_wanted=True)
            for index in range(count):
                recording.write(FrameFaces(Frame(index, 40.0 * index, grey), (), 0.0), grey)
    assert frame_counts(tmp_path) == [2, 5]
    assert {path.stem for path in tmp_path.glob("*.csv")} == {
        path.stem for path in tmp_path.glob("*.mp4")
    }


def frame_counts(folder):
    """How many frames the videos of a folder have, the shortest first."""
    counts = []
    for path in folder.glob("*.mp4"):
        with open_frames(path) as frames:
            counts.append(len(list(frames)))
    return sorted(counts)


def test_recordings_begun_in_one_second_are_files_of_their_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("time.strftime", lambda *_: "at-this-very-second")
    with Recording(
        tmp_path, "camera_0", 25.0, labels=EMOTIONS, smooth_ms=0.0, say=print
    ) as recording:
        for count in (5, 2):
            recording.follow(is_wanted=True)
            for index in range(count):
                grey = np.full((48, 64, 3), 128, np.uint8)
                recording.write(FrameFaces(Frame(index, 40.0 * index, grey), (), 0.0), grey)
            recording.follow(is_wanted=False)
    assert len(list(tmp_path.glob("*.csv"))) == 2
    assert frame_counts(tmp_path) == [2, 5]
    assert capsys.readouterr().out.count("Wrote ") == 2


@pytest.mark.usefixtures("no_camera")
def test_another_camera_that_is_absent_is_an_error(recognizer):
    with pytest.raises(SourceError, match="camera 3"):
        run_live("3", recognizer, window=False, say=print)


def test_a_record_does_not_take_the_place_of_its_source(
    recognizer, in_empty_folder, astronaut_bgr, write_video
):
    source = write_video(in_empty_folder / "clip.mp4", [astronaut_bgr])
    before = source.read_bytes()
    with pytest.raises(OutputError, match="is an input and would be overwritten"):
        run_live("clip.mp4", recognizer, window=False, say=print, outputs=LiveOutputs(csv=source))
    assert source.read_bytes() == before


def test_an_output_does_not_take_the_place_of_a_picture_of_its_source(
    recognizer, in_empty_folder, astronaut_bgr
):
    picture = in_empty_folder / "a.png"
    cv2.imwrite(str(picture), astronaut_bgr)
    before = picture.read_bytes()
    refused = pytest.raises(OutputError, match=r"a\.png is an input and would be overwritten")
    with refused:
        run_live(".", recognizer, window=False, say=print, outputs=LiveOutputs(csv=picture))
    with refused:
        outputs = VideoOutputs(summary=picture)
        run_video(".", recognizer, outputs, EngineSettings(), say=print, remark=print)
    record = in_empty_folder / "record.csv"
    run_live(".", recognizer, window=False, say=print, outputs=LiveOutputs(csv=record))
    with refused:
        write_report(record, picture, faces_from=in_empty_folder)
    assert picture.read_bytes() == before


@pytest.mark.usefixtures("without_yunet")
def test_the_command_names_a_missing_file_in_one_line(capsys):
    with pytest.raises(SystemExit) as left:
        main(["live", "absent.mp4", "--offline", "--no-window"])
    assert left.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "Detector: haar\n"
    assert printed.err.startswith("Error: There is no file or folder absent.mp4")
    assert printed.err.count("\n") == 1


def test_ctrl_c_leaves_a_whole_video(
    recognizer, in_empty_folder, astronaut_bgr, write_video, capsys, monkeypatch
):
    source = write_video(in_empty_folder / "clip.mp4", [astronaut_bgr] * 6)
    classify, calls = recognizer.classifier.classify, itertools.count()

    def interrupt(faces_u8):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return classify(faces_u8)

    monkeypatch.setattr(recognizer.classifier, "classify", interrupt)
    run_live(source, recognizer, window=False, say=print)
    assert capsys.readouterr().out.splitlines()[-1] == "Stopped."
    with open_frames(in_empty_folder / "results" / "live" / "clip_annotated.mp4") as frames:
        assert len(list(frames)) == 2


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_stopped_service_leaves_whole_files(
    recognizer, in_empty_folder, astronaut_bgr, write_video, number
):
    source = write_video(in_empty_folder / "clip.mp4", [astronaut_bgr] * 6)
    program = (
        "import os, signal, sys\n"
        "from mien.cli import main\n"
        "from mien.media.sink import VideoSink\n"
        "signal.signal(signal.Signals[sys.argv[1]], signal.SIG_DFL)\n"  # nohup may have ignored it
        "write_at = VideoSink.write_at\n"
        "def stop_at_the_third(sink, image_bgr, timestamp_ms):\n"
        "    write_at(sink, image_bgr, timestamp_ms)\n"
        "    if timestamp_ms == 80:\n"
        "        os.kill(os.getpid(), signal.Signals[sys.argv[1]])\n"
        "VideoSink.write_at = stop_at_the_third\n"
        "main(sys.argv[2:])\n"
    )
    model = ["--model", str(recognizer.artifact.onnx_path), "--detector", "haar"]
    words = ["live", str(source), "--no-window", "--csv", "record.csv", *model]
    ended = subprocess.run(
        [sys.executable, "-c", program, number, *words], check=True, capture_output=True, text=True
    )
    assert ended.stdout.splitlines()[-1] == "Stopped."
    folder = in_empty_folder / "results" / "live"
    assert [path.name for path in folder.iterdir()] == ["clip_annotated.mp4"]
    with open_frames(folder / "clip_annotated.mp4") as frames:
        assert len(list(frames)) == 3
    assert {row.frame for row in read_record(in_empty_folder / "record.csv")} == {0, 1, 2}


def test_several_faces_are_printed_from_left_to_right(
    recognizer, in_empty_folder, astronaut_bgr, write_video, capsys
):
    face = astronaut_bgr[:300]
    one = np.full((300, 1200, 3), 128, np.uint8)
    one[:, 600:1112] = face
    two = one.copy()
    two[:, :512] = cv2.convertScaleAbs(face, beta=40)
    # The one on the right was there before.
    source = write_video(in_empty_folder / "two.mp4", [one] * 2 + [two] * 2, fps=2)
    run_live(source, recognizer, window=False, say=print)
    lines = [line.partition(" ,")[0] for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith("00:00:01 : ")] == [
        "00:00:01 : Surprise",
        "00:00:01 : Sad",
    ]


def test_a_display_is_one_that_answers(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":9876")
    assert not has_display()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("DISPLAY", f"127.0.0.1:{port - 6000}.0")
        assert has_display()


def test_opencv_without_windows_has_no_display(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert has_display()
    # As opencv-python-headless says it.
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "\n  GUI:                 NONE\n")
    assert not has_display()


def test_without_a_display_the_annotated_video_is_written(
    recognizer, in_empty_folder, astronaut_bgr, write_video, monkeypatch, capsys
):
    monkeypatch.setattr("mien.live.run.has_display", lambda: False)
    source = write_video(in_empty_folder / "clip.mp4", [astronaut_bgr] * 3)
    run_live(source, recognizer, say=print)
    assert "No display: there will be no window." in capsys.readouterr().out
    assert frame_counts(in_empty_folder / "results" / "live") == [3]


def test_blur_leaves_no_face_to_recognise(recognizer, in_empty_folder, astronaut_bgr, write_video):
    sharpness = []
    for name, blur in (("clear", False), ("blurred", True)):
        source = write_video(in_empty_folder / f"{name}.mp4", [astronaut_bgr] * 3)
        run_live(source, recognizer, window=False, say=print, outputs=LiveOutputs(blur=blur))
        with open_frames(Path(f"results/live/{name}_annotated.mp4")) as frames:
            *_, last = (frame.image_bgr for frame in frames)
        sharpness.append(cv2.Laplacian(last[80:160, 190:260], cv2.CV_64F).var())
    assert sharpness[1] < sharpness[0] / 10


# X11's, macOS' and Windows' codes of the arrows to the left and up: their low bytes say Q and R.
@pytest.mark.parametrize("arrows", [(0xFF51, 0xFF52), (0xF702, 0xF700), (0x250000, 0x260000)])
def test_arrows_neither_quit_nor_record(recognizer, in_empty_folder, screen, arrows):
    cv2.imwrite(str(in_empty_folder / "grey.png"), np.full((240, 320, 3), 128, np.uint8))
    numlock_q = 0x100000 | ord("q")
    screen.keys = [(1.0, arrows[0]), (2.0, arrows[1]), (10.0, numlock_q)]
    run_live(in_empty_folder / "grey.png", recognizer, say=print)
    assert screen.ended_s == pytest.approx(10, abs=0.1)
    assert not (in_empty_folder / "results").exists()


@pytest.mark.parametrize(("way", "fast"), [("q", False), ("\x1b", True), ("closed", False)])
def test_a_picture_stays_until_the_user_quits(recognizer, in_empty_folder, screen, way, fast):
    cv2.imwrite(str(in_empty_folder / "grey.png"), np.full((240, 320, 3), 128, np.uint8))
    screen.keys = [(5.0, "h")]
    if way == "closed":
        screen.closes_s = 10.0
    else:
        screen.keys.append((10.0, way))
    run_live(in_empty_folder / "grey.png", recognizer, say=print, fast=fast)
    assert screen.ended_s == pytest.approx(10, abs=0.1)
    # Its keys work as long as it is there.
    (_, before), *_, (_, after) = screen.shown
    assert (before != after).any()


def test_what_r_records_is_a_video_with_its_own_record(
    recognizer, in_empty_folder, screen, astronaut_bgr, write_video
):
    source = write_video(in_empty_folder / "clip.mp4", [astronaut_bgr] * 100)
    screen.keys = [(2.0, "r"), (3.0, "r"), (3.2, "q")]
    run_live(source, recognizer, say=print, outputs=LiveOutputs(csv=Path("all.csv"), raw=True))
    (video,) = (in_empty_folder / "results" / "live").glob("clip_*.mp4")
    record = video.with_suffix(".csv")
    rows = list(read_record(record))
    with open_frames(video) as frames:
        written = list(frames)
    assert len(written) == pytest.approx(25, abs=3)
    assert [row.frame for row in rows] == [frame.index for frame in written]
    found_ms = [row.timestamp_ms for row in rows]
    assert found_ms == pytest.approx([frame.timestamp_ms for frame in written])
    headers = [path.read_text().splitlines()[0] for path in (record, Path("all.csv"))]
    assert headers[0] == headers[1]
    assert "raw_happy" in headers[0]
    write_report(record, Path("page.html"), faces_from=video)
    assert "data:image/jpeg" in Path("page.html").read_text(encoding="utf-8")


def test_what_r_records_of_an_uneven_video_has_nothing_of_the_window(
    recognizer, in_empty_folder, screen, write_browser_video
):
    """Not even in the frames that fill a gap."""
    times_ms = [*range(0, 600, 40), *range(2000, 2600, 40)]
    source = write_browser_video(in_empty_folder / "clip.webm", times_ms)
    screen.keys = [(0.01, "h"), (0.1, "r")]
    run_live(source, recognizer, say=print)
    assert screen.shown[-1][1].std() > 10
    (video,) = (in_empty_folder / "results" / "live").glob("clip_*.mp4")
    with open_frames(video) as frames:
        spread = [frame.image_bgr.std() for frame in frames]
    assert len(spread) > len(times_ms)
    assert max(spread) < 3


@pytest.mark.parametrize("keys", ["r", "rr", " r", " rr"])
def test_a_picture_that_stays_is_recorded(recognizer, in_empty_folder, screen, astronaut_bgr, keys):
    cv2.imwrite(str(in_empty_folder / "photo.png"), astronaut_bgr)
    screen.keys = [(2.0 + number, key) for number, key in enumerate(keys)] + [(10.0, "q")]
    run_live(in_empty_folder / "photo.png", recognizer, say=print)
    (video,) = (in_empty_folder / "results" / "live").glob("photo_*.mp4")
    with open_frames(video) as frames:
        (written,) = [frame.image_bgr for frame in frames]
    box = np.abs(written.astype(int) - astronaut_bgr).max(axis=2) > 80
    assert box[60:180, 150:300].any()
    (row,) = read_record(video.with_suffix(".csv"))
    assert (row.frame, row.timestamp_ms) == (0, 0)


def test_a_recording_without_a_frame_leaves_no_file(tmp_path):
    with Recording(
        tmp_path, "camera_0", 25.0, labels=EMOTIONS, smooth_ms=0.0, say=print
    ) as recording:
        recording.follow(is_wanted=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_a_source_with_the_longest_name_is_written(
    recognizer, in_empty_folder, astronaut_bgr, write_video, letter
):
    longest = letter * ((255 - len(".mp4")) // len(letter.encode()))
    source = write_video(in_empty_folder / "clip.mp4", [astronaut_bgr] * 3)
    source = source.rename(in_empty_folder / f"{longest}.mp4")
    run_live(source, recognizer, window=False, say=print)
    assert frame_counts(in_empty_folder / "results" / "live") == [3]


def test_the_last_picture_of_a_folder_stays_as_long_as_the_others(
    recognizer, in_empty_folder, screen
):
    folder = in_empty_folder / "pictures"
    folder.mkdir()
    for level in (50, 100, 150):
        cv2.imwrite(str(folder / f"{level:03}.png"), np.full((240, 320, 3), level, np.uint8))
    run_live(folder, recognizer, say=print)
    began_s = {int(picture[-1, -1, 0]): when for when, picture in reversed(screen.shown)}
    assert sorted(began_s) == [50, 100, 150]
    assert began_s[150] - began_s[100] == pytest.approx(1, abs=0.1)
    assert screen.ended_s - began_s[150] == pytest.approx(1, abs=0.1)


def test_space_keeps_the_picture_that_is_seen(recognizer, in_empty_folder, screen):
    folder = in_empty_folder / "pictures"
    folder.mkdir()
    for level in (50, 100):
        cv2.imwrite(str(folder / f"{level:03}.png"), np.full((240, 320, 3), level, np.uint8))
    screen.keys = [(0.2, " "), (5.0, "q")]
    run_live(folder, recognizer, say=print)
    assert {int(picture[-1, -1, 0]) for _, picture in screen.shown} == {50}
    assert screen.ended_s == pytest.approx(5, abs=0.1)
