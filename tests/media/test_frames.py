import itertools
import os
import signal
import struct
import subprocess
import sys
import wave
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from mien.core.errors import SettingError, SourceError
from mien.engine.reconnect import LastingSource
from mien.media import capture
from mien.media.demo import demo_video
from mien.media.frames import camera_index, damage_of, open_frames
from mien.media.interlaced import InterlacedVideo
from mien.media.web_file import is_web_file


@pytest.fixture
def jpegs():
    """Return the function that encodes so many pictures."""
    random = np.random.default_rng(0)

    def encode(count):
        # FFmpeg would not know a stream by its first bytes if they were few.
        pictures = random.integers(0, 255, (count, 48, 64, 3), dtype=np.uint8)
        return [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]

    return encode


def write_times(path, times_ms):
    """Write a video whose frames have given times, in milliseconds."""
    av = pytest.importorskip("av", reason="needs mien[video]")
    with av.open(path, "w") as file:
        video = file.add_stream("libx264", rate=25, options={"tune": "zerolatency"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        for picture, ms in zip(grey_pictures(len(times_ms)), times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = ms, Fraction(1, 1000)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))


def write_film(
    path, pictures, *, codec="libx264", sound_s=0.0, pixel_shape=None, container=None, **options
):
    """Write pictures, 25 a second, as PyAV's options say, with so many seconds of silence."""
    av = pytest.importorskip("av", reason="needs mien[video]")
    with av.open(path, "w", options=container or {"movflags": "+faststart"}) as file:
        video = file.add_stream(codec, rate=25, options=options)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        if pixel_shape is not None:
            video.codec_context.sample_aspect_ratio = pixel_shape
        sound = file.add_stream("aac", rate=44_100, layout="mono") if sound_s else None
        for picture in pictures:
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        file.mux(video.encode(None))
        if sound is not None:
            silence = np.zeros((1, round(sound_s * 44_100)), np.float32)
            heard = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            heard.sample_rate = 44_100
            file.mux(sound.encode(heard))
            file.mux(sound.encode(None))
    return path


CLOCKWISE = (0, 1, -1, 0)
INTERLACED = {"x264-params": "interlaced=1"}


def turn(path, a, b, c, d):
    """Let an MP4 file say that its point (x, y) is to be shown at (ax + cy, bx + dy)."""
    content = bytearray(path.read_bytes())
    # The track header's matrix, 40 bytes after its version.
    matrix = content.index(b"tkhd") + 4 + 40
    values = (a, b, 0, c, d, 0, 0, 0, 0x4000)
    content[matrix : matrix + 36] = struct.pack(">9i", *(value << 16 for value in values))
    path.write_bytes(content)


def spoil(path, first, count):
    """Overwrite so many bytes of a file, from the `first` on, with zeros."""
    content = bytearray(path.read_bytes())
    content[first : first + count] = bytes(count)
    path.write_bytes(content)


def multipart(jpegs):
    """The body of an answer that replaces one picture by the next, as network cameras send it."""
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return b"".join(head % len(jpeg) + jpeg + b"\r\n" for jpeg in jpegs)


def grey_pictures(count, height=48, width=64):
    return [np.full((height, width, 3), 20 * index % 256, np.uint8) for index in range(count)]


def test_a_video_file_gives_every_frame_with_its_time(tmp_path, write_video):
    path = write_video(tmp_path / "clip.mp4", grey_pictures(10), fps=5)
    with open_frames(path) as frames:
        assert (frames.name, frames.fps, frames.frame_count) == ("clip.mp4", 5, 10)
        assert not frames.is_live
        found = list(frames)
    assert [frame.index for frame in found] == list(range(10))
    assert [frame.timestamp_ms for frame in found] == pytest.approx(np.arange(10) * 200)
    greys = [float(frame.image_bgr.mean()) for frame in found]
    assert greys == pytest.approx([20 * index for index in range(10)], abs=6)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no colon in a name")
def test_a_time_in_a_file_name_is_no_address(tmp_path, write_video, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_video(Path("2024-11-26T12:30:00.mp4"), grey_pictures(3))
    with open_frames(path) as frames:
        assert frames.name == path.name
        assert len(list(frames)) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such name")
def test_a_name_that_begins_with_a_tilde_is_that_file(tmp_path, write_video, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(Path("clip.mp4"), grey_pictures(3)).rename("~clip.mp4")
    with open_frames("~clip.mp4") as frames:
        assert len(list(frames)) == 3


def test_a_name_that_opencv_cannot_open_is_refused(tmp_path, write_video):
    whole = write_video(tmp_path / "clip.mp4", grey_pictures(3))
    odd = whole.rename(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    with pytest.raises(SourceError, match=r"not UTF-8.* rename it"):
        open_frames(odd)
    with pytest.raises(SourceError, match=r"not UTF-8.* rename it"):
        write_video(odd, grey_pictures(3))
    assert list(tmp_path.iterdir()) == [odd]


def test_an_address_that_opencv_cannot_open_is_refused():
    with pytest.raises(SourceError, match=r"address 'http://localhost/\\udce9.mp4' is not UTF-8"):
        open_frames("http://localhost/\udce9.mp4")


def test_rotation_metadata_turns_the_frames(tmp_path, write_video):
    pictures = [np.zeros((48, 64, 3), np.uint8) for _ in range(3)]
    for picture in pictures:
        picture[:, 32:] = 255
    path = write_video(tmp_path / "phone.mp4", pictures)
    turn(path, *CLOCKWISE)
    with open_frames(path) as frames:
        image = next(iter(frames)).image_bgr
    assert image.shape == (64, 48, 3)
    assert image[:20].mean() < 60
    assert image[-20:].mean() > 195


@pytest.mark.parametrize("kind", [{}, INTERLACED], ids=["progressive", "interlaced"])
@pytest.mark.parametrize(
    ("matrix", "quarters"),
    [
        pytest.param((-1, 0, 0, 1), [[100, 40], [220, 160]], id="left for right"),
        pytest.param((1, 0, 0, -1), [[160, 220], [40, 100]], id="upside down"),
        pytest.param((0, 1, 1, 0), [[40, 160], [100, 220]], id="transposed"),
        pytest.param((0, -1, -1, 0), [[220, 100], [160, 40]], id="transposed the other way"),
    ],
)
def test_a_file_that_says_so_is_mirrored(tmp_path, matrix, quarters, kind):
    stored = np.array([[40, 100], [160, 220]], np.uint8).repeat(32, 0).repeat(32, 1)
    path = write_film(tmp_path / "selfie.mp4", [cv2.merge([stored] * 3)] * 5, **kind)
    turn(path, *matrix)
    for degrees in (0, 90):
        with open_frames(path, rotate_degrees=degrees) as frames:
            found = [frame.image_bgr[16::32, 16::32, 1] for frame in frames]
        expected = np.rot90(quarters, -degrees // 90)
        assert len(found) == 5
        assert np.allclose(found, expected, atol=6)


@pytest.mark.parametrize(
    ("pixel_shape", "turned", "size", "column"),
    [
        pytest.param("4/3", False, (48, 85), 10, id="wide"),
        pytest.param("8/9", False, (54, 64), 8, id="narrow"),
        pytest.param("4/3", True, (85, 48), 10, id="wide, on its side"),
        pytest.param("8/9", True, (64, 54), 8, id="narrow, on its side"),
        pytest.param("1/1", False, (48, 64), 8, id="square"),
        pytest.param("20/1", False, (48, 64), 8, id="absurd"),
    ],
)
def test_pixels_that_are_not_square_are_made_so(tmp_path, pixel_shape, turned, size, column):
    pictures = [np.zeros((48, 64, 3), np.uint8) for _ in range(3)]
    for picture in pictures:
        picture[:, :8] = 255  # bright on the left; above, when it is turned
    path = write_film(tmp_path / "tape.mp4", pictures, pixel_shape=Fraction(pixel_shape))
    if turned:
        turn(path, *CLOCKWISE)
    with open_frames(path) as frames:
        found = [frame.image_bgr for frame in frames]
    assert [image.shape for image in found] == [(*size, 3)] * 3
    upright = found[0].swapaxes(0, 1) if turned else found[0]
    assert upright[:, : column - 3].mean() > 215
    assert upright[:, column + 4 :].mean() < 40


@pytest.mark.parametrize("threads", [None, 1])
@pytest.mark.parametrize(
    ("name", "codec", "options", "size"),
    [
        ("tape.mp4", "libx264", INTERLACED, (48, 64)),
        ("camcorder.dv", "dvvideo", {}, (576, 768)),
        ("camcorder.avi", "dvvideo", {}, (576, 768)),
        ("television.ts", "mpeg2video", {"flags": "+ildct+ilme"}, (576, 720)),
    ],
)
def test_an_interlaced_file_gives_every_frame_with_its_time(
    tmp_path, name, codec, options, size, threads
):
    stored = (576, 720) if codec == "dvvideo" else size  # its pixels are wider than high
    path = write_film(tmp_path / name, grey_pictures(30, *stored), codec=codec, **options)
    with open_frames(path, decoder_threads=threads) as frames:
        found = list(frames)
    assert [frame.image_bgr.shape for frame in found] == [(*size, 3)] * 30
    greys = [float(frame.image_bgr.mean()) for frame in found]
    assert np.allclose(greys, [20 * index % 256 for index in range(30)], atol=6)
    assert [frame.timestamp_ms for frame in found] == pytest.approx([40 * i for i in range(30)])
    assert frames.fps == 25
    assert damage_of(frames) is None


def write_turning_film(path, pictures, first):
    """Write a transport stream whose frames are interlaced from the one with number `first` on."""
    av = pytest.importorskip("av", reason="needs mien[video]")
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for part, options in ((range(first), {}), (range(first, len(pictures)), INTERLACED)):
            encoder = av.CodecContext.create("libx264", "w")
            encoder.height, encoder.width, encoder.pix_fmt = 48, 64, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
            encoder.options = {"bf": "0", **options}
            for index in part:
                frame = av.VideoFrame.from_ndarray(pictures[index], format="bgr24")
                frame.pts = index
                for packet in encoder.encode(frame.reformat(format="yuv420p")):
                    packet.stream = stream
                    file.mux(packet)
            for packet in encoder.encode(None):
                packet.stream = stream
                file.mux(packet)
    return path


@pytest.mark.parametrize(
    ("first", "still"),
    [(30, (10, 14)), (90, (10, 14)), (30, (0, 30)), (90, (70, 90)), (90, (80, 95)), (1, (0, 1))],
    ids=["soon", "later", "behind a leader", "behind a still", "within a still", "second frame"],
)
def test_a_recording_that_turns_interlaced_is_read_to_its_end(tmp_path, first, still):
    """As television does, where a film gives way to a studio."""
    pictures = grey_pictures(first + 30)
    pictures[slice(*still)] = [pictures[still[0]]] * (still[1] - still[0])
    write_turning_film(tmp_path / "film.ts", pictures, first)
    with open_frames(tmp_path / "film.ts") as frames:
        found = list(frames)
    greys = [float(frame.image_bgr.mean()) for frame in found]
    assert np.allclose(greys, [float(picture.mean()) for picture in pictures], atol=6)
    times = [frame.timestamp_ms for frame in found]
    assert times == pytest.approx([40 * i for i in range(first + 30)], abs=1)
    assert damage_of(frames) is None


def test_slides_are_asked_about_some_times_and_read_as_they_are(tmp_path, monkeypatch):
    pytest.importorskip("av", reason="needs mien[video]")
    asked = []
    answer = InterlacedVideo.kinds

    def count(video, from_ms):
        asked.append(from_ms)
        return answer(video, from_ms)

    monkeypatch.setattr(InterlacedVideo, "kinds", count)
    pictures = [picture for picture in grey_pictures(20) for _ in range(5)]
    path = write_film(tmp_path / "slides.mp4", pictures, bf="0", crf="1")
    with open_frames(path) as frames:
        greys = [float(frame.image_bgr.mean()) for frame in frames]
    assert np.allclose(greys, [float(picture.mean()) for picture in pictures], atol=6)
    assert 1 <= len(asked) <= 8


def test_a_video_in_fragments_with_longer_sound_is_whole(tmp_path):
    pytest.importorskip("av", reason="needs mien[video]")
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    path = write_film(tmp_path / "a.mp4", grey_pictures(50), sound_s=6.0, container=flags, g="10")
    with open_frames(path) as frames:
        assert sum(1 for _ in frames) == 50
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"mdat") + 10])
    with (
        pytest.raises(SourceError, match=r"a\.mp4 breaks off .* bytes are missing at its end"),
        open_frames(path) as frames,
    ):
        for _ in frames:
            pass


def test_a_box_of_a_length_that_no_file_has_is_no_traceback(tmp_path):
    pytest.importorskip("av", reason="needs mien[video]")
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    path = write_film(tmp_path / "a.mp4", grey_pictures(20), container=flags)
    with path.open("ab") as file:
        file.write(struct.pack(">I4sQ", 1, b"free", 2**64 - 1))
    with open_frames(path) as frames:
        assert sum(1 for _ in frames) == 20


def test_a_recording_that_was_cut_begins_at_0_with_the_first_picture(tmp_path):
    av = pytest.importorskip("av", reason="needs mien[video]")
    pictures = grey_pictures(60)
    write_film(tmp_path / "whole.ts", pictures, g="25", bf="0", sc_threshold="0")
    with av.open(tmp_path / "whole.ts") as whole, av.open(tmp_path / "cut.ts", "w") as cut:
        stream = cut.add_stream_from_template(whole.streams.video[0])
        for index, packet in enumerate(whole.demux(video=0)):
            if index >= 10 and packet.size:  # within the first group of pictures
                packet.stream = stream
                cut.mux(packet)
    with open_frames(tmp_path / "cut.ts") as frames:
        found = list(frames)
    greys = [float(frame.image_bgr.mean()) for frame in found]
    assert np.allclose(greys, [float(picture.mean()) for picture in pictures[25:]], atol=6)
    assert [frame.timestamp_ms for frame in found] == pytest.approx([40 * i for i in range(35)])
    assert frames.first_ms == pytest.approx(600)


def test_the_two_fields_of_a_frame_become_one_picture_without_a_comb(tmp_path):
    pictures = []
    for index in range(10):
        picture = np.zeros((96, 128, 3), np.uint8)
        for field in (0, 1):  # each a moment of its own, in which the bar has moved on
            left = 8 * index + 4 * field
            picture[field::2, left : left + 32] = 255
        pictures.append(picture)
    path = write_film(tmp_path / "tape.mp4", pictures, **INTERLACED, crf="1")
    with open_frames(path) as frames:
        combs = [np.abs(np.diff(frame.image_bgr[..., 0].astype(int), axis=0)) for frame in frames]
    stored = np.abs(np.diff(pictures[5][..., 0].astype(int), axis=0))
    assert len(combs) == 10
    assert max(comb.mean() for comb in combs) < stored.mean() / 4


def test_a_recording_whose_clock_begins_anew_once_it_is_interlaced_is_read_whole(tmp_path):
    film = write_turning_film(tmp_path / "film.ts", grey_pictures(60), 30)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(2 * film.read_bytes())
    with open_frames(twice) as frames:
        times_ms = [frame.timestamp_ms for frame in frames]
    assert len(times_ms) == 120
    assert times_ms == sorted(set(times_ms))


def test_an_interlaced_file_that_is_closed_gives_no_further_frames(tmp_path):
    path = write_film(tmp_path / "tape.mp4", grey_pictures(30), **INTERLACED)
    with open_frames(path) as opened:
        frames = iter(opened)
        for _ in range(5):
            next(frames)
        opened.close()
        assert not list(frames)


@pytest.fixture
def noise():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (576, 720, 3), np.uint8) for _ in range(30)]


def test_an_interlaced_file_that_is_damaged_goes_on_behind_and_says_so(tmp_path, noise):
    path = write_film(tmp_path / "tape.mp4", noise, **INTERLACED, g="1", bf="0")
    spoil(path, path.stat().st_size // 2, 400_000)
    with open_frames(path) as frames:
        count = sum(1 for _ in frames)
    assert 20 <= count < 30
    assert "tape.mp4 is damaged in 1 place" in (damage_of(frames) or "")


def test_a_tape_with_a_frame_of_another_kind_is_read_to_its_end(tmp_path, noise):
    """FFmpeg takes a frame whose head is lost for one of 480 lines."""
    path = write_film(tmp_path / "tape.avi", noise, codec="dvvideo")
    frame_bytes = 144_000
    first = path.read_bytes().index(b"movi") + 12  # of a frame; each has a head of 8 bytes
    spoil(path, first + 10 * (frame_bytes + 8), frame_bytes)
    with open_frames(path) as frames:
        found = list(frames)
    assert len(found) == 30
    assert [frame.timestamp_ms for frame in found] == pytest.approx([40 * i for i in range(30)])
    assert found[0].image_bgr.shape == found[-1].image_bgr.shape == (576, 768, 3)


def test_an_interlaced_file_is_turned_as_it_says(tmp_path):
    pictures = grey_pictures(5)
    for picture in pictures:
        picture[:] = 0
        picture[:, :16] = 255  # bright on the left; above, when it is turned
    path = write_film(tmp_path / "tape.mp4", pictures, **INTERLACED)
    turn(path, *CLOCKWISE)
    with open_frames(path) as frames:
        found = [frame.image_bgr for frame in frames]
    assert [image.shape for image in found] == [(64, 48, 3)] * 5
    assert found[0][:12].mean() > 215
    assert found[0][20:].mean() < 40


def test_an_interlaced_file_is_found_by_a_name_that_looks_like_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "tape.mp4", grey_pictures(30), **INTERLACED).rename("12:30:00.mp4")
    with open_frames("12:30:00.mp4") as frames:
        greys = [float(frame.image_bgr.mean()) for frame in frames]
    assert np.allclose(greys, [20 * index % 256 for index in range(30)], atol=6)


def test_with_pyav_a_still_is_not_taken_for_interlaced(tmp_path):
    still = write_film(tmp_path / "still.mp4", grey_pictures(1) * 30)
    with open_frames(still) as frames:
        assert sum(1 for _ in frames) == 30
    assert damage_of(frames) is None


def test_without_pyav_an_interlaced_file_is_told(tmp_path, monkeypatch):
    path = write_film(tmp_path / "tape.mp4", grey_pictures(30), **INTERLACED)
    monkeypatch.setitem(sys.modules, "av", None)
    with open_frames(path) as frames:
        greys = [float(frame.image_bgr.mean()) for frame in frames]
    # An OpenCV that reads it needs no remark.
    read = np.allclose(greys, [20 * index % 256 for index in range(30)], atol=6)
    told = "All 30 frames of tape.mp4 are one and the same picture" in (damage_of(frames) or "")
    assert read != told


def test_an_interlaced_stream_is_told(tmp_path, serve_http):
    """No file, which PyAV could read as well."""
    path = write_film(tmp_path / "tape.ts", grey_pictures(30), **INTERLACED)
    address = serve_http(path.read_bytes(), "video/mp2t")
    source = open_frames(address)
    source.is_live = True  # As one whose length nobody knows.
    greys = []
    with (
        pytest.raises(SourceError, match="stopped giving frames"),
        LastingSource(source, lambda: open_frames(address), backoff_s=()) as frames,
    ):
        greys.extend(float(frame.image_bgr.mean()) for frame in frames)
    read = np.allclose(greys, [20 * index % 256 for index in range(30)], atol=6)
    assert read or "Save it to a file, which mien reads." in (damage_of(frames) or "")


def test_a_video_that_moves_is_not_called_a_still(tmp_path, write_video, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    still = write_video(tmp_path / "still.mp4", grey_pictures(1) * 30)
    moves = write_video(tmp_path / "moves.mp4", [*grey_pictures(1) * 30, *grey_pictures(2)])
    for path, is_told in ((still, True), (moves, False)):
        with open_frames(path) as frames:
            for frame in frames:
                frame.image_bgr[:] = frame.index  # as what draws into frames does
        assert (damage_of(frames) is not None) == is_told


@pytest.fixture
def thread_count():
    """Return the function that counts the threads of this process."""
    folder = Path("/proc/self/task")
    if not folder.is_dir():
        pytest.skip("needs /proc to count threads")
    return lambda: sum(1 for _ in folder.iterdir())


@pytest.mark.parametrize("name", ["clip.mp4", "browser.webm", "tape.mp4"])
def test_a_decoder_of_one_thread_starts_no_other(tmp_path, write_browser_video, thread_count, name):
    path = demo_video()
    if name == "browser.webm":  # opened twice, to measure its rate
        path = write_browser_video(tmp_path / name, range(0, 2000, 33))
    elif name == "tape.mp4":
        path = write_film(tmp_path / name, grey_pictures(30, 480, 640), **INTERLACED)
    before = thread_count()
    with open_frames(path, decoder_threads=1) as frames:
        for frame in frames:
            assert thread_count() <= before
            if frame.index == 20:
                break


def test_a_decoder_of_one_thread_reads_a_pipe(standard_input, thread_count):
    with standard_input(demo_video().read_bytes()):
        before = thread_count()
        with open_frames("-", decoder_threads=1) as frames:
            next(iter(frames))
            assert thread_count() <= before


def test_no_threads_to_decode_by_are_refused():
    with pytest.raises(SettingError, match="Found 0 threads"):
        open_frames(demo_video(), decoder_threads=0)
    no_counts: list[Any] = [1.5, "2", True]
    for threads in no_counts:
        with pytest.raises(SettingError, match="expected a whole number from 1"):
            open_frames(demo_video(), decoder_threads=threads)
    with pytest.raises(SourceError, match=r"file://\[x is no address"):
        open_frames("file://[x")


def test_frames_are_turned_as_asked(tmp_path, write_video):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 32:] = 255  # bright on the right
    write_video(tmp_path / "clip.mp4", [picture] * 2)
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "a.png"), picture)
    for source in (tmp_path / "clip.mp4", tmp_path / "pictures"):
        for degrees, bright in ((90, np.s_[40:, :]), (180, np.s_[:, :24]), (270, np.s_[:24, :])):
            with open_frames(source, rotate_degrees=degrees) as frames:
                image = next(iter(frames)).image_bgr
            assert image.shape[:2] == ((48, 64) if degrees == 180 else (64, 48))
            assert image[bright].mean() > 195
            assert image.mean() < 150
    with pytest.raises(SettingError, match=r"Found 45 degrees.* 0, 90, 180 or 270"):
        open_frames(tmp_path / "clip.mp4", rotate_degrees=45)


def test_a_moving_gif_is_a_video(tmp_path):
    animation = cv2.Animation()
    animation.frames = grey_pictures(4)
    animation.durations = [100] * 4
    cv2.imwriteanimation(str(tmp_path / "moves.gif"), animation)
    with open_frames(tmp_path / "moves.gif") as frames:
        assert [frame.timestamp_ms for frame in frames] == pytest.approx([0, 100, 200, 300])
    with open_frames(tmp_path) as frames:
        assert len(list(frames)) == 1


@pytest.mark.parametrize("name", ["moves.webp", "moves.avif"])
def test_an_animated_picture_is_read_whole(tmp_path, name):
    animation = cv2.Animation()
    colours = [(40 * index, 100, 200) for index in range(5)]
    animation.frames = [np.full((48, 64, 3), colour, np.uint8) for colour in colours]
    animation.durations = [100, 100, 300, 100, 100]
    cv2.imwriteanimation(str(tmp_path / name), animation)
    with open_frames(tmp_path / name) as frames:
        assert (frames.name, frames.frame_count) == (name, 5)
        found = list(frames)
    assert [frame.timestamp_ms for frame in found] == pytest.approx([0, 100, 200, 500, 600])
    assert np.allclose([frame.image_bgr[24, 32] for frame in found], colours, atol=6)
    assert frames.fps == pytest.approx(5 / 0.7)
    with open_frames(tmp_path) as frames:
        assert len(list(frames)) == 1


def test_an_animated_picture_that_is_cut_off_is_told(tmp_path):
    animation = cv2.Animation()
    animation.frames = grey_pictures(4)
    animation.durations = [100] * 4
    path = tmp_path / "moves.webp"
    cv2.imwriteanimation(str(path), animation)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceError, match=r"animated picture .*moves.webp is damaged"):
        open_frames(path)


def test_a_folder_gives_its_pictures_by_name(tmp_path):
    for name, grey in (("b.png", 20), ("a.JPG", 10), ("c.bmp", 30)):
        cv2.imwrite(str(tmp_path / name), np.full((5, 6, 3), grey, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "._a.JPG").write_bytes(b"what macOS leaves")
    (tmp_path / "folder.jpg").mkdir()
    with open_frames(tmp_path) as frames:
        assert frames.frame_count == 3
        assert [path.name for path in frames.passed_over] == ["notes.txt"]
        found = [(frame.timestamp_ms, int(frame.image_bgr.mean())) for frame in frames]
    assert found == [(0, 10), (1000, 20), (2000, 30)]


def test_a_picture_is_a_source_of_one_frame(tmp_path):
    # OpenCV alone would take the digits for a pattern and read the others too.
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"photo{number}.png"), np.full((5, 6), number, np.uint8))
    with open_frames(tmp_path / "photo1.png") as frames:
        assert [int(frame.image_bgr.max()) for frame in frames] == [1]


@pytest.mark.parametrize(
    ("source", "index"),
    [(None, 0), (0, 0), ("2", 2), ("/dev/video1", 1), ("clip.mp4", None), ("http://x/0", None)],
)
def test_what_names_a_camera(source, index):
    assert camera_index(source) == index


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such links")
def test_a_link_to_a_camera_is_that_camera(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    link = tmp_path / "usb-Some_Camera-index0"
    link.symlink_to("/dev/video4021")
    for source in (str(link), link, f"~/{link.name}"):
        assert camera_index(source) == 4021
        with pytest.raises(SourceError, match="There is no camera 4021, another") as raised:
            open_frames(source)
        assert "For the file" not in str(raised.value)
    other = tmp_path / "link.mp4"
    other.symlink_to(tmp_path / "clip.mp4")
    assert camera_index(other) is None


def test_numbered_pictures_of_a_folder_are_a_film(tmp_path):
    for number in range(12):
        picture = np.full((5, 6, 3), 10 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), picture)
    with open_frames(tmp_path) as frames:
        assert [frame.image_bgr[0, 0, 0] for frame in frames] == list(range(0, 120, 10))


def test_a_folder_that_is_called_as_a_camera_is_numbered_is_a_folder(tmp_path, monkeypatch):
    (tmp_path / "2024").mkdir()
    cv2.imwrite(str(tmp_path / "2024" / "a.png"), np.zeros((5, 6, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    for source in ("./2024", Path("2024")):
        with open_frames(source) as frames:
            assert (frames.name, len(list(frames))) == ("2024", 1)
    assert camera_index("2024") == 2024
    with pytest.raises(SourceError, match=r"no camera 2024.* write \./2024"):
        open_frames("2024")
    with pytest.raises(SourceError, match="There is no file or folder 2025"):
        open_frames(Path("2025"))


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_a_video_comes_through_a_pipe(tmp_path, standard_input, suffix):
    path = tmp_path / f"clip.{suffix}"
    write_times(path, [0, 100, 200, 500, 540])
    with standard_input(path.read_bytes()), open_frames("-") as frames:
        assert (frames.name, frames.frame_count, frames.is_live) == ("standard input", None, False)
        assert [frame.timestamp_ms for frame in frames] == pytest.approx([0, 100, 200, 500, 540])


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("stopping", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_that_nothing_more_comes_through_can_be_left(stopping):
    command = [sys.executable, "-m", "mien", "video", "-", "--detector", "haar"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as process:
        # More than a pipe holds, so that it is being read behind this line, and no video yet.
        process.stdin.write(bytes(200_000))
        process.send_signal(stopping)
        try:
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()


def test_a_file_on_standard_input_is_read_as_a_file(tmp_path, write_video):
    path = write_video(tmp_path / "clip.mp4", grey_pictures(5))
    before = os.dup(0)
    with path.open("rb") as file:
        os.dup2(file.fileno(), 0)
    try:
        with open_frames("-") as frames:
            assert frames.frame_count == len(list(frames)) == 5
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_a_pipe_that_holds_no_video_is_told(standard_input, tmp_path, write_video):
    # Too large for FFmpeg to have it all in its buffer.
    noise = np.random.default_rng(0).integers(0, 255, (20, 240, 320, 3), dtype=np.uint8)
    index_last = write_video(tmp_path / "clip.mp4", noise).read_bytes()
    for content in (b"", b"text" * 1000, index_last):
        with (
            standard_input(content),
            pytest.raises(SourceError, match=r"standard input holds no video.*\+faststart"),
            open_frames("-") as frames,
        ):
            list(frames)


def test_pictures_of_a_folder_that_cannot_be_read_are_passed_over_and_named(tmp_path):
    for name in ("a.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((5, 6, 3), np.uint8))
    (tmp_path / "b.png").write_bytes(b"not a picture")
    (tmp_path / "d.png").touch()
    found = []
    with (
        pytest.raises(SourceError, match=r"2 of 4 .* the others were used.*b\.png.*d\.png"),
        open_frames(tmp_path) as frames,
    ):
        found.extend((frame.index, frame.timestamp_ms) for frame in frames)
    assert found == [(0, 0), (2, 2000)]


def write_sound(path):
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(16000))


@pytest.mark.parametrize(
    ("name", "prepare"),
    [
        pytest.param("absent.mp4", Path.absolute, id="missing"),
        pytest.param("zero.mp4", Path.touch, id="zero bytes"),
        pytest.param("text.mp4", lambda path: path.write_text("hello"), id="text"),
        pytest.param("sound.wav", write_sound, id="sound only"),
        pytest.param("empty", Path.mkdir, id="folder without pictures"),
        pytest.param("x" * 300, lambda _path: None, id="name too long"),
    ],
)
def test_what_holds_no_video_is_said_in_one_line(tmp_path, capfd, name, prepare):
    prepare(tmp_path / name)
    with pytest.raises(SourceError, match=name) as raised:
        open_frames(tmp_path / name)
    assert "\n" not in str(raised.value)
    # Nothing of OpenCV's or FFmpeg's own beside our line.
    assert capfd.readouterr().err == ""


def test_a_file_cut_before_its_index_is_refused(tmp_path, write_video):
    path = write_video(tmp_path / "cut.mp4", grey_pictures(20))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"cut\.mp4 holds no video"):
        open_frames(path)


def test_a_damaged_spot_costs_no_more_than_its_own_frames(tmp_path, write_jpeg_video):
    lost = (*range(10, 30), 40)
    path = write_jpeg_video(tmp_path / "damaged.avi", damaged=lost)
    with open_frames(path) as frames:
        found = list(frames)
    assert frames.damaged_spots == 2
    assert [frame.index for frame in found] == list(range(29))
    kept_ms = [40 * number for number in range(50) if number not in lost]
    assert [frame.timestamp_ms for frame in found] == pytest.approx(kept_ms)


def test_a_truncated_file_gives_what_it_has_and_then_says_so(tmp_path, write_jpeg_video):
    path = write_jpeg_video(tmp_path / "truncated.avi")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = []
    with (
        pytest.raises(SourceError, match=r"breaks off after frame \d+ of 50"),
        open_frames(path) as frames,
    ):
        found.extend(frames)
    assert 15 < len(found) < 35


@pytest.fixture
def ticking(tmp_path):
    """An AVI file of 40 frames at uneven times: it counts the ticks of its clock, 1000 a second."""
    random = np.random.default_rng(0)
    times_ms = np.cumsum([0, *random.choice([20, 40, 90, 250], 39)]).tolist()
    path = tmp_path / "phone.avi"
    write_times(path, times_ms)
    return path, times_ms


def test_an_avi_file_that_counts_ticks_is_whole(ticking):
    path, times_ms = ticking
    with open_frames(path) as frames:
        length_ms = frames.frame_count * 1000 / frames.fps
        assert len(list(frames)) == 40
    assert length_ms == pytest.approx(times_ms[-1], rel=0.05)


def test_an_avi_file_that_counts_ticks_and_lacks_its_end_is_told(ticking):
    path, _ = ticking
    os.truncate(path, path.read_bytes().index(b"idx1") // 2)
    with pytest.raises(SourceError, match=r"breaks off after frame"), open_frames(path) as frames:
        list(frames)


@pytest.mark.parametrize("name", ["cut.mkv", "cut.webm"])
def test_a_truncated_matroska_file_gives_what_it_has_and_then_says_so(tmp_path, name):
    codec = "libvpx" if name.endswith("webm") else "libx264"
    path = write_film(tmp_path / name, grey_pictures(50, 120, 160), codec=codec)
    with open_frames(path) as frames:
        assert len(list(frames)) == 50
    size_bytes = path.stat().st_size
    os.truncate(path, size_bytes // 2)
    missing = f"{size_bytes - size_bytes // 2:,} bytes are missing"
    found = []
    with (
        pytest.raises(SourceError, match=rf"{name} breaks off after frame \d+ .*{missing}"),
        open_frames(path) as frames,
    ):
        found.extend(frames)
    assert 10 < len(found) < 45


def test_a_matroska_file_that_leaves_its_length_open_is_not_called_truncated(tmp_path):
    path = write_film(tmp_path / "live.mkv", grey_pictures(50))
    content = bytearray(path.read_bytes())
    length = content.index(bytes.fromhex("18538067")) + 4
    content[length : length + 8] = b"\1" + b"\xff" * 7
    path.write_bytes(content[: len(content) * 3 // 4])
    with open_frames(path) as frames:
        assert len(list(frames)) > 20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that is open")
def test_a_file_that_is_removed_while_it_is_read_is_read_to_its_end(tmp_path):
    path = write_film(tmp_path / "gone.mkv", grey_pictures(10))
    with open_frames(path) as frames:
        coming = iter(frames)
        next(coming)
        path.unlink()
        assert len(list(coming)) == 9


@pytest.fixture
def trimmed(tmp_path, write_video):
    """A whole file of 60 frames that shows 20 of them, as a trim without loss leaves it."""
    path = write_video(tmp_path / "trimmed.mp4", grey_pictures(60))
    trim(path)
    return path


def trim(path):
    """Let an MP4 file show 20 frames of 40 ms, from its 30th on."""
    content = bytearray(path.read_bytes())
    # Of the one edit, after its version and number: duration in ms, start in 1/12,800 s.
    struct.pack_into(">Ii", content, content.index(b"elst") + 12, 20 * 40, 30 * 512)
    path.write_bytes(content)


def test_a_trimmed_file_is_whole(trimmed):
    with open_frames(trimmed) as frames:
        assert frames.frame_count == 60
        found = [float(frame.image_bgr.mean()) for frame in frames]
    assert found == pytest.approx([20 * index % 256 for index in range(30, 50)], abs=6)


def test_a_trimmed_file_without_its_end_is_told(trimmed):
    content = trimmed.read_bytes()
    frames_at, index_at = content.index(b"mdat") + 4, content.index(b"moov") - 4
    kept = frames_at + (index_at - frames_at) * 35 // 60
    trimmed.write_bytes(content[:kept] + bytes(index_at - kept) + content[index_at:])
    with pytest.raises(SourceError, match=r"breaks off"), open_frames(trimmed) as frames:
        list(frames)


def test_the_rate_of_a_browsers_recording_is_measured(tmp_path, write_browser_video):
    # A rate of about 30, unevenly, with a pause.
    times_ms = np.cumsum([0, *[28, 33, 34, 38] * 3, 900, *[38, 33, 28, 34] * 8])
    path = write_browser_video(tmp_path / "browser.webm", times_ms.tolist())
    with open_frames(path) as frames:
        assert frames.fps == pytest.approx(30, rel=0.03)
        assert frames.frame_count == pytest.approx(times_ms[-1] * 30 / 1000, rel=0.05)
        assert [frame.timestamp_ms for frame in frames] == pytest.approx(times_ms)


@pytest.mark.parametrize("fps", [240, 0.5])
def test_an_unusual_rate_is_kept(tmp_path, write_video, fps):
    path = write_video(tmp_path / "clip.mp4", grey_pictures(20), fps=fps)
    with open_frames(path) as frames:
        assert frames.fps == pytest.approx(fps, rel=0.01)
        assert frames.frame_count == 20


def clock_of(steps_ms):
    """A `time` whose monotonic clock moves on by each of the steps from one frame to the next."""
    ticks = itertools.accumulate(itertools.chain(steps_ms, itertools.repeat(0)))
    return SimpleNamespace(monotonic=lambda: next(ticks) / 1000)


@pytest.mark.parametrize(
    "steps_ms",
    [
        pytest.param([200] * 12, id="5 a second"),
        pytest.param([20] * 12, id="50 a second"),
        pytest.param([100] * 6 + [4000] + [100] * 5, id="stalls"),
    ],
)
@pytest.mark.parametrize("is_multipart", [True, False], ids=["multipart", "bare JPEGs"])
def test_a_network_camera_without_timestamps_follows_the_clock(
    serve_http, jpegs, monkeypatch, steps_ms, is_multipart
):
    address = serve_http(
        multipart(jpegs(12)) if is_multipart else b"".join(jpegs(12)),
        "multipart/x-mixed-replace; boundary=frame" if is_multipart else "video/x-motion-jpeg",
        "camera.mjpeg",
    )
    monkeypatch.setattr(capture, "time", clock_of(steps_ms))
    found = []
    with (
        pytest.raises(SourceError, match="stopped giving frames after 12"),
        open_frames(address) as frames,
    ):
        found.extend(frame.timestamp_ms for frame in frames)
    assert np.diff(found) == pytest.approx(steps_ms[1:])


def test_a_recording_at_an_address_ends_though_it_states_no_length(
    serve_http, tmp_path, write_browser_video
):
    path = write_browser_video(tmp_path / "browser.webm", range(0, 1000, 50))
    address = serve_http(path.read_bytes(), "video/webm", has_length=True)
    with open_frames(address) as frames, open_frames(path) as of_file:
        assert not frames.is_live
        assert [frame.timestamp_ms for frame in frames] == [f.timestamp_ms for f in of_file]


def test_a_picture_at_an_address_is_one_frame(serve_http, jpegs):
    with open_frames(serve_http(jpegs(1)[0], "image/jpeg", "photo.jpg", has_length=True)) as frames:
        assert len(list(frames)) == 1


def test_a_playlist_is_no_file_that_ends(serve_http):
    playlist = serve_http(b"#EXTM3U\n", "application/vnd.apple.mpegurl", has_length=True)
    assert not is_web_file(playlist, 5)
    assert is_web_file(serve_http(b"\x1a\x45\xdf\xa3", "video/webm", has_length=True), 5)
    assert not is_web_file(serve_http(b"\x1a\x45\xdf\xa3", "video/webm"), 5)
    assert not is_web_file("http://user:p%20ss@127.0.0.1:9/clip.webm", 5)


def test_a_stream_with_timestamps_keeps_them(serve_http, tmp_path, monkeypatch):
    times_ms = np.cumsum([0, 40, 40, 200, 40, 600, 33, 33, 34] + [40] * 20).tolist()
    write_times(tmp_path / "stream.ts", times_ms)
    address = serve_http((tmp_path / "stream.ts").read_bytes(), "video/mp2t")
    # They come in bursts, as those of a playlist do.
    monkeypatch.setattr(capture, "time", clock_of([0] * 9 + [6000] + [0] * 50))
    found = []
    with pytest.raises(SourceError, match="stopped giving frames"), open_frames(address) as frames:
        found.extend(frame.timestamp_ms for frame in frames)
    assert found == pytest.approx(times_ms[: len(found)], abs=1)
    assert len(found) > 20


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://user:secret@127.0.0.1:9/live",
        "rtsp://user:p@ss@127.0.0.1:9/live",
        "rtsp://user:p/ss@127.0.0.1:9/live",
        "rtsp://user:p?ss@127.0.0.1:9/live",
        "rtsp://127.0.0.1:9/live?user=admin&password=secret",
    ],
)
def test_a_stream_that_does_not_answer_is_named_without_its_password(address):
    found = r"stream rtsp://127\.0\.0\.1:9/live cannot be opened: .*\(401\).* refuses"
    with pytest.raises(SourceError, match=found):
        open_frames(address)


def test_a_camera_of_a_number_that_cannot_be_is_none():
    with pytest.raises(SourceError, match="There is no camera 99999999999"):
        open_frames("99999999999")


@pytest.mark.parametrize(
    ("has_pyav", "said"),
    [
        (True, r"breaks off after frame \d+ of 400 .*: the connection broke off"),
        (False, r"ends after frame \d+ of 400 .*: the connection broke off, or .* sound alone"),
    ],
    ids=["PyAV", "no PyAV"],
)
def test_a_file_that_breaks_off_on_its_way_is_not_taken_for_whole(
    serve_http, monkeypatch, has_pyav, said
):
    if has_pyav:
        pytest.importorskip("av", reason="needs mien[video]")
    else:
        monkeypatch.setitem(sys.modules, "av", None)
    content = demo_video().read_bytes()
    with (
        pytest.raises(SourceError, match=said),
        open_frames(serve_http(content[: len(content) // 2], "video/mp4")) as frames,
    ):
        for _ in frames:
            pass
    with open_frames(serve_http(content, "video/mp4")) as frames:
        assert sum(1 for _ in frames) == 400


def test_a_whole_file_at_an_address_whose_sound_goes_on_is_not_called_broken(tmp_path, serve_http):
    path = write_film(tmp_path / "talk.mkv", grey_pictures(50), sound_s=4.0)
    with open_frames(serve_http(path.read_bytes(), "video/x-matroska")) as frames:
        assert sum(1 for _ in frames) == 50


def test_a_trimmed_file_at_an_address_is_not_called_broken(tmp_path, serve_http):
    path = write_film(tmp_path / "trimmed.mp4", grey_pictures(60), codec="mpeg4")
    trim(path)
    with open_frames(serve_http(path.read_bytes(), "video/mp4")) as frames:
        assert frames.frame_count == 60
        assert sum(1 for _ in frames) == 20


def test_a_file_whose_index_comes_last_is_not_called_damaged_at_an_address(
    tmp_path, serve_http, write_video
):
    noise = np.random.default_rng(0).integers(0, 255, (20, 240, 320, 3), dtype=np.uint8)
    content = write_video(tmp_path / "clip.mp4", noise).read_bytes()
    with (
        pytest.raises(SourceError, match=r"its index comes last and its server.*Download it"),
        open_frames(serve_http(content, "video/mp4")) as frames,
    ):
        list(frames)
