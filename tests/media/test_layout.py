from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.core.types import Box
from mien.media.labels import tile_size
from mien.media.layout import Caption, lay_out


def caption(box, number, text="Happy 92%"):
    return Caption(number, box, (f"{text} blurred", text), str(number), True)


def places(layout):
    return [
        Box(line.left, line.top, *tile_size(line.text, line.em_px, icon=line.icon))
        for line in layout.lines
    ]


def in_rows(rows, columns, step_x, step_y, width, height):
    return [
        Box(30 + x * step_x, 200 + y * step_y, width, height)
        for y in range(rows)
        for x in range(columns)
    ]


ROOM = {
    "one": ((720, 1280), [Box(500, 200, 220, 260)]),
    "eight": ((720, 1280), in_rows(2, 4, 300, 250, 110, 140)),
    "tiny in a large photograph": ((3000, 4000), in_rows(3, 4, 900, 700, 46, 56)),
    "at the edges": ((720, 1280), [Box(-60, -50, 220, 260), Box(1180, 300, 160, 190)]),
    "a webcam of 320 by 240": ((240, 320), [Box(100, 70, 110, 140)]),
    "portrait": ((4000, 3000), [Box(900, 1200, 1100, 1400)]),
}


@pytest.mark.parametrize(("size", "boxes"), ROOM.values(), ids=ROOM)
def test_where_there_is_room_every_face_has_its_label_beside_it(size, boxes):
    height, width = size
    layout = lay_out(height, width, [caption(box, i + 1) for i, box in enumerate(boxes)])
    assert layout.legend is None
    assert all(line.text == "Happy 92% blurred" and line.icon for line in layout.lines)
    check(size, boxes, layout)


def check(size, boxes, layout):
    drawn = places(layout)
    for place in drawn:
        assert place.x >= 0 <= place.y
        assert place.right <= size[1]
        assert place.bottom <= size[0]
        assert sum(place.shared_area(box) for box in boxes) == 0
    assert sum(a.shared_area(b) for a, b in combinations(drawn, 2)) == 0


def test_labels_are_sized_to_their_faces():
    boxes = [Box(50, 300, 60, 80), Box(400, 300, 110, 140), Box(800, 200, 300, 400)]
    layout = lay_out(720, 1280, [caption(box, i) for i, box in enumerate(boxes)])
    ems = [line.em_px for line in layout.lines]
    assert ems == sorted(set(ems))
    assert ems[0] >= 720 / 540 * 11


def test_in_a_tight_group_numbers_stand_for_labels_and_the_legend_says_which():
    boxes = in_rows(3, 10, 110, 130, 100, 120)
    layout = lay_out(720, 1280, [caption(box, i + 1) for i, box in enumerate(boxes)])
    numbered = [i for i, line in enumerate(layout.lines) if line.text == str(i + 1)]
    assert layout.legend.shown == tuple(numbered)
    assert layout.legend.more == 0
    legend = Box(layout.legend.left, layout.legend.top, layout.legend.width, layout.legend.height)
    assert sum(legend.shared_area(other) for other in [*boxes, *places(layout)]) == 0
    # A number may lie on its own face, on no other.
    for index, place in enumerate(places(layout)):
        assert sum(place.shared_area(box) for box in boxes[:index] + boxes[index + 1 :]) == 0


def test_a_label_beneath_its_face_is_not_just_above_another_one():
    # The upper face's label has no place above it.
    boxes = [Box(200, 2, 100, 120), Box(200, 160, 100, 120)]
    layout = lay_out(540, 960, [caption(box, i + 1) for i, box in enumerate(boxes)])
    upper = places(layout)[0]
    assert upper.x >= boxes[0].right or upper.right <= boxes[0].x


def test_a_label_does_not_jump_to_and_fro_while_its_place_is_free():
    spots = {}

    def is_below(y):
        captions = [caption(Box(300, y, 100, 100), 7)]
        (line,) = lay_out(540, 960, captions, spots=spots).lines
        return line.top > y

    assert [is_below(y) for y in (60, 10, 30, 60, 300, 430)] == [*[False], *[True] * 4, False]


def test_a_face_that_fills_the_picture_has_its_label_in_itself():
    layout = lay_out(480, 640, [caption(Box(-20, -20, 680, 520), 1)])
    assert layout.legend is None
    assert layout.lines[0].text.startswith("Happy")


def test_a_crowd_without_a_free_place_has_labels_in_the_faces_sooner_than_a_legend_over_them():
    boxes = [Box(10 + 265 * (i % 6), 10 + 212 * (i // 6), 240, 200) for i in range(30)]
    layout = lay_out(1067, 1600, [caption(box, i + 1) for i, box in enumerate(boxes)])
    assert layout.legend is None
    assert sum(a.shared_area(b) for a, b in combinations(places(layout), 2)) == 0


def test_hundreds_of_faces_do_not_bury_the_picture_under_their_legend():
    boxes = [Box(32 * (i % 40), 32 * (i // 40), 30, 30) for i in range(400)]
    layout = lay_out(720, 1280, [caption(box, i + 1) for i, box in enumerate(boxes)])
    legend = layout.legend
    assert legend.shown
    assert legend.width * legend.height < 0.5 * 720 * 1280
    assert len(legend.shown) + legend.more == sum(line.text.isdigit() for line in layout.lines)


def test_bars_are_not_covered():
    box, bars = Box(500, 300, 200, 240), Box(480, 200, 400, 95)
    (place,) = places(lay_out(720, 1280, [caption(box, 1)], [bars]))
    assert place.shared_area(bars) == 0


sides = st.integers(1, 900)
boxes = st.builds(Box, st.integers(-50, 900), st.integers(-50, 600), sides, sides)


@settings(max_examples=150)
@given(st.integers(1, 700), st.integers(1, 1000), st.lists(boxes, max_size=12))
def test_every_face_has_its_line_wherever_faces_are(height, width, faces):
    layout = lay_out(height, width, [caption(box, i + 1) for i, box in enumerate(faces)])
    assert len(layout.lines) == len(faces)
    numbers = [i for i, line in enumerate(layout.lines) if line.text == str(i + 1)]
    if layout.legend:
        assert len(layout.legend.shown) + layout.legend.more == len(numbers)
    else:
        assert not numbers
    drawn = places(layout)
    labels = [place for i, place in enumerate(drawn) if i not in numbers]
    assert sum(a.shared_area(b) for a, b in combinations(labels, 2)) == 0
