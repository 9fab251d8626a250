import numpy as np
import pytest

from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion
from mien.media.draw import COLOURS, draw_bars, draw_faces, draw_panel, draw_text, label_of


def happy_face(box, *, uncertain=False):
    probabilities = np.full(7, 0.01, np.float32)
    probabilities[EMOTIONS.index("happy")] = 0.94
    return FaceEmotion(0, 0.0, 0, box, 0.9, "happy", 0.924, probabilities, uncertain)


def test_the_label_says_emotion_and_percentage():
    assert label_of(happy_face(Box(0, 0, 9, 9))) == "Happy 92%"
    assert label_of(happy_face(Box(0, 0, 9, 9), uncertain=True)) == "Happy? 92%"


@pytest.mark.parametrize("height", [240, 720, 1080, 2160])
def test_the_label_grows_with_the_picture(height):
    image = np.zeros((height, height * 2, 3), np.uint8)
    side = height // 4
    draw_faces(image, [happy_face(Box(side, 2 * side, side, side))])
    # Above the box there is nothing but the label on its filled background.
    label_rows = image[: 2 * side - height // 50].any(axis=(1, 2)).sum()
    assert height * 0.02 < label_rows < height * 0.12


def test_no_box_crosses_out_the_label_of_a_neighbour():
    alone, both = np.zeros((2, 540, 960, 3), np.uint8)
    face, neighbour = happy_face(Box(100, 300, 90, 90)), happy_face(Box(220, 200, 90, 90))
    draw_faces(alone, [face])
    draw_faces(both, [face, neighbour])
    left, right = np.flatnonzero(alone[:297].any(axis=(0, 2)))[[0, -1]]
    assert left < neighbour.box.x < right, "the neighbour's box begins within the label"
    label = np.s_[:297, left : right + 1]
    drawn = alone[label].any(axis=2)
    np.testing.assert_array_equal(both[label][drawn], alone[label][drawn])


@pytest.mark.parametrize(
    ("left", "bottom"),
    [(-30, -30), (630, 355), (0, 0), (9000, 9000)],
    ids=["upper left", "lower right", "corner", "outside"],
)
def test_a_label_at_the_edge_is_moved_into_the_picture(left, bottom):
    moved, inside = np.zeros((2, 360, 640, 3), np.uint8)
    draw_text(moved, "Happy 92%", left, bottom, COLOURS["happy"])
    draw_text(inside, "Happy 92%", 200, 200, COLOURS["happy"])
    assert np.count_nonzero(moved.any(axis=2)) == np.count_nonzero(inside.any(axis=2))


def test_the_smallest_picture_can_be_drawn_into():
    image = np.zeros((1, 1, 3), np.uint8)
    draw_faces(image, [happy_face(Box(0, 0, 1, 1))])
    draw_bars(image, happy_face(Box(0, 0, 1, 1)))
    draw_panel(image, [("q", "quit")])


def test_the_bars_are_as_long_as_their_probabilities():
    image = np.full((540, 960, 3), 255, np.uint8)
    draw_bars(image, happy_face(Box(100, 100, 90, 90)))
    lengths = {
        emotion: int(np.all(image[100:300] == COLOURS[emotion], axis=2).sum(axis=1).max())
        for emotion in EMOTIONS
    }
    assert max(lengths, key=lengths.get) == "happy"
    assert lengths["happy"] > 5 * lengths["sad"]
    # Nothing of the face itself is covered.
    assert (image[100:190, 100:190] == 255).all()


def test_bars_make_way_for_other_faces_and_their_bars():
    image = np.zeros((1080, 1920, 3), np.uint8)
    boxes = [Box(200 + 260 * i, 500, 180, 180) for i in range(6)]
    occupied = list(boxes)
    for box in boxes:
        panel = draw_bars(image, happy_face(box), occupied)
        assert sum(panel.shared_area(other) for other in occupied) == 0
        assert panel.x >= 0 <= panel.y
        assert panel.right <= 1920
        assert panel.bottom <= 1080
        occupied.append(panel)


@pytest.mark.parametrize("width", [240, 320, 1280, 3840])
def test_the_widest_row_of_a_panel_ends_within_it(width):
    image = np.zeros((width * 9 // 16, width, 3), np.uint8)
    draw_panel(image, [("space", "bars of the next face only"), ("q", "quit")])
    columns = np.flatnonzero((image == 255).any(axis=(0, 2)))
    assert columns[0] > 0.02 * width
    assert columns[-1] < 0.98 * width
