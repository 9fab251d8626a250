import itertools
import subprocess
import sys
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

import mien
from mien.core.errors import SettingError, SourceError
from mien.engine import reconnect
from mien.engine.pipeline import EmotionStream
from mien.engine.reconnect import LastingSource
from mien.engine.settings import EngineSettings
from mien.faces.detect import HaarDetector
from mien.faces.yunet import YuNetDetector
from mien.media.demo import demo_video
from mien.media.frames import Frame
from mien.recognizer import Recognizer


def engine_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("mien-")]


def test_every_frame_of_a_file_has_its_result_in_order(recognizer, listed_source, picture_of):
    source = listed_source([picture_of(x) for x in range(20, 220, 2)])
    results = list(EmotionStream(source, recognizer))
    assert [faces.frame.index for faces in results] == list(range(100))
    assert all(len(faces) == 1 for faces in results)
    assert {faces[0].track_id for faces in results} == {1}
    for index, faces in enumerate(results):
        assert abs(faces[0].box.x - (20 + 2 * index)) < 8
        assert faces[0].frame == index
        assert faces[0].timestamp_ms == faces.timestamp_ms == index * 40
    assert source.closed


def test_boxes_are_carried_between_detections_and_say_so(
    recognizer, square_detector, listed_source, picture_of
):
    pictures = [picture_of(x) for x in range(20, 120, 2)]
    results = list(EmotionStream(listed_source(pictures), recognizer))
    detected = [faces[0].detected for faces in results]
    assert detected[0]
    assert sum(detected) == square_detector.calls < len(pictures)
    # At 25 frames a second, every 150 ms at least means every third frame.
    assert all(any(detected[i : i + 3]) for i in range(len(detected) - 2))
    square_detector.calls = 0
    settings = EngineSettings(detect_every_ms=0)
    every = list(EmotionStream(listed_source(pictures), recognizer, settings))
    assert all(faces[0].detected for faces in every)
    assert square_detector.calls == len(pictures)


@pytest.mark.parametrize("detect_every_ms", [1000, 3000])
def test_faces_are_carried_for_as_long_as_no_detection_is_due(
    recognizer, square_detector, listed_source, picture_of, detect_every_ms
):
    pictures = [picture_of(20 + index) for index in range(200)]
    settings = EngineSettings(detect_every_ms=detect_every_ms)
    results = list(EmotionStream(listed_source(pictures), recognizer, settings))
    assert [[face.track_id for face in faces] for faces in results] == [[1]] * len(pictures)
    assert square_detector.calls <= 8000 / detect_every_ms + 1


def test_a_face_is_classified_afresh_every_100_ms_and_smoothed(
    recognizer, listed_source, picture_of
):
    pictures = [picture_of(60, 120 if index < 20 else 230) for index in range(50)]
    faces = [faces[0] for faces in EmotionStream(listed_source(pictures), recognizer)]
    fresh = [
        index for index in range(1, 50)
        if faces[index].raw_probabilities is not faces[index - 1].raw_probabilities
    ]  # fmt: skip
    assert max(np.diff(fresh)) * 40 <= 100
    before, after = faces[19], faces[49]
    assert before.emotion != after.emotion
    # Smoothed: the change comes later than in the raw probabilities, and it comes.
    raw_change = next(i for i in range(20, 50) if faces[i].raw_probabilities.argmax() != 3)
    change = next(i for i in range(20, 50) if faces[i].emotion == after.emotion)
    assert 20 <= raw_change < change < 40
    for face in faces:
        assert face.probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert face.confidence == pytest.approx(
            float(face.probabilities[mien.EMOTIONS.index(face.emotion)])
        )
    settings = EngineSettings(smooth_ms=0, classify_every_ms=0)
    for found in EmotionStream(listed_source(pictures[18:25]), recognizer, settings):
        np.testing.assert_array_equal(found[0].probabilities, found[0].raw_probabilities)


def test_leaving_the_loop_early_closes_everything(recognizer, listed_source, picture_of):
    source = listed_source([picture_of()] * 500)
    for faces in EmotionStream(source, recognizer):
        if faces.frame.index == 3:
            break
    assert source.closed
    assert not engine_threads()


def test_what_goes_wrong_in_a_thread_is_raised_in_the_loop(recognizer, listed_source, picture_of):
    broken = listed_source([picture_of()] * 5, error=SourceError("cut off"))
    seen = []
    frames = (faces.frame.index for faces in EmotionStream(broken, recognizer))
    with pytest.raises(SourceError, match="cut off"):
        seen.extend(frames)
    assert seen == list(range(5))
    assert broken.closed

    recognizer.detector.detect = lambda _: 1 / 0
    source = listed_source([picture_of()] * 50)
    with pytest.raises(ZeroDivisionError):
        list(EmotionStream(source, recognizer))
    assert source.closed
    assert not engine_threads()


@pytest.mark.parametrize(("part", "method"), [("detector", "detect"), ("classifier", "classify")])
def test_a_stop_iteration_is_an_error_and_not_the_end(
    recognizer, listed_source, picture_of, monkeypatch, part, method
):
    monkeypatch.setattr(getattr(recognizer, part), method, lambda *_: next(iter(())))
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(EmotionStream(listed_source([picture_of()] * 5), recognizer))
    assert not engine_threads()


def test_the_callers_own_error_closes_everything(recognizer, listed_source, picture_of):
    source = listed_source([picture_of()] * 500)

    def interrupted():
        with EmotionStream(source, recognizer) as stream:
            for _ in stream:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert source.closed
    assert not engine_threads()


def test_a_stream_that_is_never_read_closes_its_source(recognizer, listed_source, picture_of):
    source = listed_source([picture_of()])
    with EmotionStream(source, recognizer):
        pass
    assert source.closed


def test_a_camera_skips_the_frames_that_nobody_waits_for(recognizer, listed_source, picture_of):
    read_all = threading.Event()

    class Camera(listed_source):  # type: ignore[valid-type, misc]
        def __iter__(self):
            for index in range(300):
                yield Frame(index, index * 40.0, picture_of())
            read_all.set()
            yield Frame(300, 300 * 40.0, picture_of())

    camera = Camera([], is_live=True)
    seen = []
    for faces in EmotionStream(camera, recognizer):
        # A caller that is slower than the camera.
        assert read_all.wait(30)
        seen.append(faces.frame.index)
    assert seen == sorted(seen)
    assert len(seen) < 15
    assert seen[-1] == 300


def test_a_camera_shows_what_is_new_however_slow_the_caller_is(
    recognizer, square_detector, listed_source, picture_of
):
    sought, read_all = threading.Semaphore(0), threading.Event()
    detect = square_detector.detect

    def detect_and_tell(image_bgr):
        sought.release()
        return detect(image_bgr)

    class Camera(listed_source):  # type: ignore[valid-type, misc]
        def __iter__(self):
            for index in range(40):
                yield Frame(index, index * 40.0, picture_of())
                # No frame is dropped before its faces are detected.
                if not sought.acquire(timeout=10):
                    break
            read_all.set()

    square_detector.detect = detect_and_tell
    every_frame = EngineSettings(detect_every_ms=0, classify_every_ms=0)
    with EmotionStream(Camera([], is_live=True), recognizer, every_frame) as stream:
        results = iter(stream)
        next(results)
        assert read_all.wait(30)
        assert next(results).frame.index > 30


def test_python_exits_in_peace_while_a_stream_is_open():
    program = f"""
import mien
results = iter(mien.stream({str(demo_video())!r}, detector="haar"))
print(next(results).frame.index)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_a_detectors_own_threshold_holds_throughout_a_video(
    recognizer, yunet_file, astronaut_bgr, listed_source, monkeypatch, tmp_path
):
    face_bgr = astronaut_bgr[:256, 100:356]
    doubtful_bgr = cv2.GaussianBlur(face_bgr, (0, 0), 6)
    picture = np.hstack([face_bgr, doubtful_bgr])
    scores = sorted(face.score for face in YuNetDetector(yunet_file).detect(picture))
    assert len(scores) == 2
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(yunet_file.read_bytes())
    monkeypatch.delenv("MIEN_YUNET")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    strict = YuNetDetector(copy, score_threshold=sum(scores) / 2)
    strictly = Recognizer(recognizer.artifact, detector=strict, threads=1)
    results = list(EmotionStream(listed_source([picture] * 50), strictly))
    assert {len(faces) for faces in results} == {1}


def test_few_frames_are_alive_at_a_time(recognizer, listed_source, picture_of):
    alive = weakref.WeakSet()

    class Counted(listed_source):  # type: ignore[valid-type, misc]
        def __iter__(self):
            for index in range(200):
                frame = _Frame(index, index * 40.0, picture_of())
                alive.add(frame)
                yield frame

    most = 0
    for _ in EmotionStream(Counted([]), recognizer):
        most = max(most, len(alive))
    assert most <= 12


class _Frame:
    """A frame that can be referred to weakly."""

    def __init__(self, index, timestamp_ms, image_bgr):
        self.index, self.timestamp_ms, self.image_bgr = index, timestamp_ms, image_bgr


def test_a_camera_that_comes_back_goes_on(listed_source, picture_of):
    said = []
    attempts = iter([SourceError("not yet"), listed_source([picture_of()] * 3, is_live=True)])

    def open_again():
        source = next(attempts, None)
        if source is None or isinstance(source, SourceError):
            raise source or SourceError("gone")
        return source

    first = listed_source([picture_of()] * 4, is_live=True)
    source = LastingSource(first, open_again, said.append, backoff_s=(0.001, 0.001, 0.001))
    frames = []
    with pytest.raises(SourceError, match=r"broke off.* It did not come back within 0.003 s"):
        frames.extend(source)
    assert [frame.index for frame in frames] == list(range(7))
    times = [frame.timestamp_ms for frame in frames]
    assert times == sorted(times)
    assert times[4] > times[3]
    assert first.closed
    assert said == ["listed was lost; trying to open it again ..."] * 2


def test_the_time_that_a_camera_was_away_counts_from_its_last_frame(
    listed_source, picture_of, monkeypatch
):
    clock_s = 100.0

    class Camera(listed_source):  # type: ignore[valid-type, misc]
        def __iter__(self):
            nonlocal clock_s
            for frame in super().__iter__():
                clock_s += 0.04
                yield frame

    class Stalling(Camera):
        def __iter__(self):
            nonlocal clock_s
            yield from itertools.islice(super().__iter__(), 3)
            clock_s += 10  # the last read waits for so long in vain
            raise SourceError("no answer")

    monkeypatch.setattr(reconnect, "time", SimpleNamespace(monotonic=lambda: clock_s))
    again = [Camera([picture_of()] * 2, is_live=True)]

    def open_again():
        if not again:
            raise SourceError("gone")
        return again.pop()

    first = Stalling([picture_of()] * 9, is_live=True)
    source = LastingSource(first, open_again, backoff_s=(0.001,))
    times = []
    with pytest.raises(SourceError, match="did not come back"):
        times.extend(frame.timestamp_ms for frame in source)
    assert times == pytest.approx([0, 40, 80, 80 + 10_000 + 40, 80 + 10_000 + 80])


def test_waiting_for_a_camera_ends_when_it_is_closed(listed_source, picture_of):
    def open_again():
        raise SourceError("gone")

    lost = threading.Event()
    source = LastingSource(
        listed_source([picture_of()], is_live=True),
        open_again,
        lambda _: lost.set(),
        backoff_s=(1000.0,),
    )
    reader = threading.Thread(target=lambda: list(source))
    reader.start()
    assert lost.wait(30)
    source.close()
    reader.join(30)
    assert not reader.is_alive()


def test_leaving_a_stream_whose_camera_is_lost_waits_for_no_camera(
    listed_source, picture_of, recognizer
):
    opened, lost = [], threading.Event()

    def open_again():
        opened.append("again")
        raise SourceError("gone")

    camera = listed_source([picture_of()], is_live=True)
    source = LastingSource(camera, open_again, lambda _: lost.set(), backoff_s=(1000.0,))
    stream = EmotionStream(source, recognizer)
    for _ in stream:
        assert lost.wait(30)
        stream.close()
    assert not any(thread.name == "mien-reader" for thread in threading.enumerate())
    assert opened == []


def test_stream_reads_a_real_video(
    brightness_network, without_yunet, astronaut_bgr, write_video, tmp_path
):
    del without_yunet
    path = write_video(tmp_path / "clip.mp4", [astronaut_bgr[:300, 60:460]] * 10)
    artifact = brightness_network(tmp_path / "emotion.onnx")
    with mien.stream(path, artifact=artifact, detector="haar") as stream:
        assert stream.source.name == "clip.mp4"
        frames = list(stream)
        with pytest.raises(SourceError, match="can be iterated over once"):
            list(stream)
    assert len(frames) == 10
    assert all(len(faces) > 0 for faces in frames)
    assert all(isinstance(face, mien.FaceEmotion) for faces in frames for face in faces)
    assert frames[0].image_bgr.shape == (300, 400, 3)
    assert frames[0].latency_ms > 0
    with pytest.raises(SourceError, match=r"no file or folder nowhere\.mp4"):
        mien.stream("nowhere.mp4", artifact=artifact, detector="haar")
    with mien.stream(path, artifact=artifact, detector="haar", detect_size=320) as stream:
        assert isinstance(stream.recognizer.detector, HaarDetector)
        assert stream.recognizer.detector.longest_side == 320


def test_settings_of_another_type_are_named(brightness_network, tmp_path):
    artifact = brightness_network(tmp_path / "emotion.onnx")
    others: list[Any] = [{"smooth_ms": 0}, {}, mien.QualityGate()]
    for other in others:
        with pytest.raises(SettingError, match=r"as the settings; expected mien\.EngineSettings"):
            mien.stream(demo_video(), artifact=artifact, detector="haar", settings=other)
