"""Videos that change their size on the way, as recordings of browsers and of television do."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from mien.engine.pipeline import EmotionStream
from mien.media.frames import damage_of, open_frames
from mien.recognizer import Recognizer

av = pytest.importorskip("av", reason="needs mien[video]")


def write_parts(path, codec, parts):
    """Write lists of pictures, 25 a second, each list in the size that it has."""
    with av.open(path, "w") as file:
        stream, number = None, 0
        for pictures in parts:
            encoder = av.CodecContext.create(codec, "w")
            encoder.height, encoder.width = pictures[0].shape[:2]
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
            encoder.options = (
                {"bf": "0", "g": "8"} if codec == "libx264" else {"lag-in-frames": "0"}
            )
            if stream is None:
                stream = file.add_stream(codec, rate=25)
                stream.height, stream.width = encoder.height, encoder.width
                stream.pix_fmt = encoder.pix_fmt
            for picture in [*pictures, None]:
                frame = None
                if picture is not None:
                    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                    frame = frame.reformat(format="yuv420p")
                    frame.pts, number = number, number + 1
                for packet in encoder.encode(frame):
                    packet.stream, packet.time_base = stream, Fraction(1, 25)
                    file.mux(packet)
    return path


def moving_disc(height, width, count):
    pictures = []
    for number in range(count):
        picture = np.full((height, width, 3), 40, np.uint8)
        cv2.circle(picture, (80 + number, 120), 60, (255, 255, 255), -1)
        pictures.append(picture)
    return pictures


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("television.ts", "libx264"),
        ("joined.mp4", "libx264"),
        ("call.webm", "libvpx"),
        ("call9.webm", "libvpx-vp9"),
    ],
)
def test_every_frame_has_the_size_that_it_was_recorded_in(tmp_path, name, codec, capfd):
    parts = [moving_disc(240, 320, 30), moving_disc(320, 240, 20), moving_disc(240, 320, 10)]
    path = write_parts(tmp_path / name, codec, parts)
    capfd.readouterr()
    with open_frames(path) as frames:
        found = list(frames)
    shapes = [frame.image_bgr.shape[:2] for frame in found]
    assert shapes == [(240, 320)] * 30 + [(320, 240)] * 20 + [(240, 320)] * 10
    assert [frame.timestamp_ms for frame in found] == pytest.approx(
        [40 * number for number in range(60)], abs=1
    )
    for frame in found:
        rows, columns = np.nonzero(frame.image_bgr[..., 0] > 150)
        assert np.ptp(columns) == pytest.approx(np.ptp(rows), abs=3)  # A disc, not an ellipse.
    assert damage_of(frames) is None
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("without_yunet")
def test_a_face_is_found_before_and_after_a_video_is_turned(
    tmp_path, astronaut_bgr, brightness_network
):
    wide = [np.roll(astronaut_bgr[:240, 60:380], number, axis=1) for number in range(20)]
    high = [np.pad(picture[:, :240], ((0, 80), (0, 0), (0, 0))) for picture in wide]
    path = write_parts(tmp_path / "call.webm", "libvpx", [wide, high])
    recognizer = Recognizer(brightness_network(tmp_path / "emotion.onnx"), detector="haar")
    with EmotionStream(open_frames(path), recognizer) as stream:
        found = [(faces.image_bgr.shape[:2], len(faces)) for faces in stream]
    assert found == [((240, 320), 1)] * 20 + [((320, 240), 1)] * 20
