import threading

import cv2
import numpy as np
import pytest

from mien.core.errors import SourceError
from mien.media.image import quiet_opencv, to_bgr_u8


@pytest.mark.parametrize(
    ("image", "pixel"),
    [
        pytest.param(np.full((4, 5), 7, np.uint8), (7, 7, 7), id="grey"),
        pytest.param(np.full((4, 5, 1), 7, np.uint8), (7, 7, 7), id="grey with a channel axis"),
        pytest.param(np.full((4, 5), 0x8012, np.uint16), (0x80,) * 3, id="16 bits"),
        pytest.param(np.full((4, 5), 0x8012, ">u2"), (0x80,) * 3, id="16 bits, the upper first"),
        pytest.param(np.full((4, 5), 200, np.uint16), (200,) * 3, id="8 bits in 16"),
        pytest.param(np.full((4, 5), 0x80F, np.uint16), (0x80,) * 3, id="12 bits in 16"),
        pytest.param(np.full((4, 5), 1023, np.uint16), (255,) * 3, id="10 bits in 16"),
        pytest.param(np.full((4, 5, 4), (1, 2, 3, 0), np.uint8), (1, 2, 3), id="transparent"),
        pytest.param(np.full((1, 1), 65535, np.uint16), (255, 255, 255), id="one pixel"),
    ],
)
def test_any_picture_becomes_bgr_of_8_bits(image, pixel):
    found = to_bgr_u8(image)
    assert found.shape == (*image.shape[:2], 3)
    assert found.dtype == np.uint8
    assert tuple(found[0, 0]) == pixel


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((0, 5, 3), np.uint8), id="no rows"),
        pytest.param(np.zeros((4, 5, 2), np.uint8), id="two channels"),
        pytest.param(np.zeros((2, 4, 5, 3), np.uint8), id="four axes"),
        pytest.param(np.zeros((4, 5, 3), np.float64), id="float"),
        pytest.param(np.zeros((4, 5), np.bool_), id="bool"),
    ],
)
def test_what_is_no_picture_is_named(image):
    with pytest.raises(SourceError, match=r"Found a picture of (shape|type)"):
        to_bgr_u8(image)


def test_what_imread_returns_for_a_wrong_path_is_explained(tmp_path):
    with pytest.raises(SourceError, match=r"did cv2\.imread find the file"):
        to_bgr_u8(cv2.imread(str(tmp_path / "absent.png")))


def test_threads_that_silence_opencv_at_the_same_time_leave_its_log_as_it_was():
    level = cv2.utils.logging.getLogLevel()
    assert level != cv2.utils.logging.LOG_LEVEL_SILENT
    has_entered, may_leave = threading.Event(), threading.Event()

    def stay_for_longer():
        with quiet_opencv():
            has_entered.set()
            may_leave.wait()

    longer = threading.Thread(target=stay_for_longer)
    with quiet_opencv():
        longer.start()
        has_entered.wait()
    assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT
    may_leave.set()
    longer.join()
    assert cv2.utils.logging.getLogLevel() == level
