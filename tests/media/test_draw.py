from dataclasses import replace

import numpy as np
import pytest

from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion
from mien.media.colours import COLOURS, colours_of
from mien.media.draw import draw_bars, draw_faces, draw_panel, draw_text
from mien.media.labels import drawn_labels_of, label_of


def happy_face(box, *, uncertain=False):
    probabilities = np.full(7, 0.01, np.float32)
    probabilities[EMOTIONS.index("happy")] = 0.94
    return FaceEmotion(0, 0.0, 0, box, 0.9, "happy", 0.924, probabilities, uncertain)


def test_the_label_says_emotion_and_percentage():
    assert label_of(happy_face(Box(0, 0, 9, 9))) == "Happy 92%"
    assert label_of(happy_face(Box(0, 0, 9, 9), uncertain=True)) == "Happy? 92%"


def test_a_long_name_leaves_room_for_the_percentage_where_it_is_drawn():
    face = replace(happy_face(Box(0, 0, 9, 9)), emotion="x" * 100)
    assert drawn_labels_of(face, with_number=False) == ("X" + "x" * 22 + "… 92%",)
    assert label_of(face) == "X" + "x" * 99 + " 92%"


def test_labels_say_who_is_who_where_several_people_are_followed():
    left, right = happy_face(Box(200, 200, 160, 160)), happy_face(Box(600, 200, 160, 160))
    third = replace(right, track_id=3)
    assert drawn_labels_of(third, with_number=True) == ("#3 Happy 92%", "Happy 92%")
    assert drawn_labels_of(right, with_number=True) == ("Happy 92%",)  # in a photo

    def width_of_left_label(*faces):
        image = np.zeros((540, 960, 3), np.uint8)
        draw_faces(image, faces)
        above = image[: 200 - 10, :480]
        return above.any(axis=(0, 2)).sum()

    alone = width_of_left_label(replace(left, track_id=1))
    assert width_of_left_label(replace(left, track_id=1), third) > 1.1 * alone
    assert width_of_left_label(left, right) == alone


@pytest.mark.parametrize("height", [240, 720, 1080, 2160])
def test_the_label_grows_with_the_picture(height):
    image = np.zeros((height, height * 2, 3), np.uint8)
    side = height // 4
    draw_faces(image, [happy_face(Box(side, 2 * side, side, side))])
    # Above the box there is nothing but the label on its filled background.
    label_rows = image[: 2 * side - height // 100].any(axis=(1, 2)).sum()
    assert height * 0.02 < label_rows < height * 0.1


def test_no_box_crosses_out_the_label_of_a_neighbour():
    alone, both = np.zeros((2, 540, 960, 3), np.uint8)
    face, neighbour = happy_face(Box(100, 300, 90, 90)), happy_face(Box(120, 190, 90, 85))
    draw_faces(alone, [neighbour])
    draw_faces(both, [face, neighbour])
    drawn = alone.any(axis=2)
    np.testing.assert_array_equal(both[drawn], alone[drawn])


def test_a_tight_group_is_numbered_as_its_faces_are():
    boxes = [Box(100 + 100 * (i % 6), 200 + 110 * (i // 6), 92, 100) for i in range(18)]
    image = np.full((540, 960, 3), 255, np.uint8)
    draw_faces(image, [happy_face(box) for box in boxes])
    # The legend is the one dark area.
    legend = (image < 60).all(axis=2) | (image == COLOURS["happy"]).all(axis=2)
    assert legend[:190].any() or legend[530:].any() or legend[:, 700:].any()


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
    draw_text(image, "25 FPS", 0, 0, COLOURS["happy"])
    draw_text(np.zeros((12, 200, 3), np.uint8), "25 FPS", 0, 12, COLOURS["happy"])


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


def test_any_16_labels_have_colours_of_their_own_and_can_be_drawn():
    labels = ("happy", "Ärger", "怒り", "=cmd()", "<img onerror=x>", *(f"l{i}" for i in range(11)))
    assert len(set(colours_of(labels))) == 16
    assert colours_of(labels)[0] == COLOURS["happy"]
    image = np.zeros((540, 960, 3), np.uint8)
    box = Box(100, 200, 90, 90)
    pictures = set()
    for label in labels:
        shares = np.full(16, 1 / 16, np.float32)
        face = FaceEmotion(0, 0.0, 0, box, 0.9, label, 0.5, shares, False, labels=labels)
        draw_faces(image, [face])
        draw_bars(image, face)
        pictures.add(image[:, 100:200].tobytes())
    assert len(pictures) == 16
    assert label_of(face) == "L10 50%"


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
