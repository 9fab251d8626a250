"""Titles in Latin-1, as old programs write them: PyAV raises an error unless told not to."""

import numpy as np
import pytest

from mien.engine.settings import EngineSettings
from mien.media.frames import open_frames
from mien.media.picture_length import picture_ms
from mien.recognizer import Recognizer
from mien.video.run import VideoOutputs, run_video

av = pytest.importorskip("av", reason="needs mien[video]")

BLACK, GREY = 20, 10


@pytest.fixture(params=["avi", "mp4", "mkv"])
def tagged(tmp_path, request):
    """A video with sound and such a title; it begins in black, where PyAV is asked about it."""
    path = tmp_path / f"tagged.{request.param}"
    with av.open(path, "w") as file:
        file.metadata["title"] = "QQQQ"
        video = file.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = file.add_stream("mp3", rate=44_100, layout="mono")
        for level in [0] * BLACK + [10 * number for number in range(GREY)]:
            picture = np.full((48, 64, 3), level, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        file.mux(video.encode(None))
        heard = av.AudioFrame.from_ndarray(
            np.zeros((1, 44_100), np.float32), format="fltp", layout="mono"
        )
        heard.sample_rate = 44_100
        file.mux([*sound.encode(heard), *sound.encode(None)])
    content = path.read_bytes()
    assert content.count(b"QQQQ") == 1
    path.write_bytes(content.replace(b"QQQQ", "äöüé".encode("latin-1")))
    return path


@pytest.mark.usefixtures("without_yunet")
def test_a_title_that_is_not_utf_8_costs_neither_frames_nor_sound(
    tagged, brightness_network, tmp_path, capsys
):
    recognizer = Recognizer(brightness_network(tmp_path / "emotion.onnx"), detector="haar")
    outputs = VideoOutputs(video=tmp_path / "out.mp4", csv=tmp_path / "r.csv")
    run_video(tagged, recognizer, outputs, EngineSettings(), say=print, remark=print)
    assert capsys.readouterr().out.startswith(f"{BLACK + GREY} frames, ")
    with open_frames(outputs.video) as frames:
        assert len(list(frames)) == BLACK + GREY
    with av.open(outputs.video) as result:
        assert sum(1 for _ in result.decode(audio=0)) > 30


def test_a_video_at_an_address_is_as_long_with_such_a_title(tagged, serve_http):
    address = serve_http(tagged.read_bytes(), "video/x-any", tagged.name, has_length=True)
    # An AVI file does not state how long its picture is.
    stated_ms = None if tagged.suffix == ".avi" else (BLACK + GREY) * 40
    assert picture_ms(address, 5) == pytest.approx(stated_ms, abs=41)
