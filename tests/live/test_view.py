from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion
from mien.engine.pipeline import FrameFaces
from mien.live.recording import Recording
from mien.live.view import View
from mien.media.colours import COLOURS
from mien.media.draw import draw_bars
from mien.media.frames import Frame, open_frames
from mien.record.read import read_record


def face(track_id, x):
    probabilities = np.array([0.02, 0.02, 0.02, 0.88, 0.02, 0.02, 0.02], np.float32)
    box = Box(float(x), 60.0, 60.0, 70.0)
    return FaceEmotion(0, 0.0, track_id, box, 0.9, "happy", 0.88, probabilities, False)


FACES = (face(1, 20), face(2, 320))


def drawn(view, faces=FACES):
    image = np.full((240, 640, 3), 255, np.uint8)
    view.annotate(image, faces)
    view.draw_controls(image, "30 FPS")
    return image


def changed(view, key):
    before = drawn(view)
    view.press(key, FACES)
    return np.argwhere((drawn(view) != before).any(axis=2))


@pytest.mark.parametrize("key", ["b", "n", "f", "r", " ", "h"])
def test_every_key_changes_the_picture_and_changes_it_back(key):
    view = View()
    plain = drawn(view)
    assert len(changed(view, key))
    presses = {"n": 2}.get(key, 1)
    for _ in range(presses):
        view.press(key, FACES)
    np.testing.assert_array_equal(drawn(view), plain)


def test_labels_and_legend_leave_the_status_alone():
    within = replace(face(2, 30), box=Box(30.0, 40.0, 300.0, 190.0))
    faces = (face(1, 100), within)
    image = np.full((240, 640, 3), 255, np.uint8)
    View().annotate(image, faces)
    controls = image.copy()
    View().draw_controls(controls, "30 FPS")
    changed_by_controls = (controls != image).any(axis=2)
    assert changed_by_controls.any()
    assert (image[changed_by_controls] == 255).all()


def test_another_key_changes_nothing():
    assert not len(changed(View(), "x"))


def test_the_focus_goes_from_face_to_face():
    view = View()
    first = changed(view, "n")[:, 1]
    assert first.max() < 320
    view.press("n", FACES)
    both = View()
    both.press("b", FACES)
    beside_second = (drawn(view) != drawn(View())).any(axis=2)[:, 380:]
    assert beside_second.any()


def test_a_recording_holds_what_came_between_two_presses(tmp_path):
    recording = Recording(tmp_path, "clip", 25.0, labels=EMOTIONS, smooth_ms=130.0, say=print)
    with recording:
        for index in range(10):
            picture = np.full((120, 160, 3), 90, np.uint8)
            recording.follow(is_wanted=2 <= index < 7)
            recording.write(FrameFaces(Frame(index, index * 40.0, picture), FACES, 1.0), picture)
    (video,) = tmp_path.glob("clip_*.mp4")
    with open_frames(video) as frames:
        assert len(list(frames)) == 5
    assert len(list(read_record(video.with_suffix(".csv")))) == 5 * len(FACES)


def test_no_neighbours_bars_lie_on_a_label():
    faces = tuple(
        replace(face(number, 0), box=Box(x, y, 80.0, 90.0))
        for number, (x, y) in enumerate(((100.0, 150.0), (210.0, 310.0)), start=1)
    )

    def picture(view):
        image = np.full((540, 960, 3), 255, np.uint8)
        view.annotate(image, faces)
        return image

    view = View()
    plain = picture(view)
    tile = (plain[270:306, 205:] == COLOURS["happy"]).all(axis=2)
    rows, columns = np.flatnonzero(tile.any(axis=1)), np.flatnonzero(tile.any(axis=0))
    place = np.s_[270 + rows[0] : 271 + rows[-1], 205 + columns[0] : 206 + columns[-1]]
    bars = np.full_like(plain, 255)
    panel = draw_bars(bars, faces[0], [each.box for each in faces])
    # Where the bars alone would be, the label of the other face is.
    under = np.zeros(plain.shape[:2], bool)
    under[place] = True
    assert (bars[under] != 255).any(), panel
    view.press("b", faces)
    both = picture(view)
    assert cv2.matchTemplate(both, plain[place], cv2.TM_SQDIFF).min() == 0
