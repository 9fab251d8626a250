import json
import re
from dataclasses import replace
from html import unescape

import cv2
import numpy as np
import pytest

from mien.core.errors import DataError, OutputError, SettingError
from mien.core.labels import EMOTIONS
from mien.core.types import MissedLimit
from mien.record.person import apportion
from mien.record.report import write_report
from mien.record.summary import MOST_SLICES, MOST_TRACKS, Summary
from mien.record.write import RecordOutputs, RecordWriter


@pytest.fixture
def record(tmp_path, result):
    """Two people: one happy and then sad, one first neutral and then uncertain."""
    path = tmp_path / "clip <1>.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=130) as writer:
        for frame in range(250):
            first = result(frame, 1, "happy" if frame < 125 else "sad", 0.6 + 0.001 * (frame % 125))
            second = result(frame, 2, "neutral", uncertain=frame >= 200)
            writer.write([first, second] if frame >= 50 else [first])
    return path


def slices_of(page):
    """Return the slices of the one chart's course; None where the person was not seen."""
    (course,) = re.findall(r'data-course="([^"]*)"', page)
    return json.loads(unescape(course))["slices"]


def test_the_page_needs_nothing_else_and_shows_each_person(record, tmp_path, page_of):
    summary, text, checker = page_of(record, tmp_path)
    assert not re.search(r"https?://|@import|url\(", text)
    assert checker.addresses == []
    assert "mien: clip <1>.csv" in checker.texts
    assert {"Person 1", "Person 2"} <= set(checker.texts)
    assert checker.tags.count("svg") == 2
    assert "img" not in checker.tags
    assert "00:00:04.9 happy 72%" in checker.texts
    first, second = summary.people[1], summary.people[2]
    assert first.seen_ms == pytest.approx(249 * 40)
    assert first.shown_ms[3] == pytest.approx(5000)
    assert first.transitions[3, 4] == first.transitions.sum() == 1
    assert second.uncertain_ms == pytest.approx(49 * 40)
    assert summary.lines()[0] == "Person 1: happy (36%); 10.0 s; 50% happy, 50% sad"
    assert summary.lines()[1] == "Person 2: neutral (70%); 8.0 s; 75% neutral; 25% uncertain"


@pytest.mark.parametrize("every_ms", [0, 1000, 2000])
def test_how_long_somebody_was_seen_hardly_depends_on_how_often_one_looked(result, every_ms):
    summary = Summary(every_ms=every_ms)
    for frame in range(0, 501, max(every_ms // 40, 1)):
        summary.add([result(frame, 1, "happy")])
    assert summary.people[1].seen_ms == pytest.approx(20_000, rel=0.1)


@pytest.mark.parametrize("step", [1, 20, 50])
def test_a_report_knows_how_often_the_video_was_looked_at(tmp_path, result, page_of, step):
    """As `--every` leaves a record: of frames that are 0.04, 0.8 and 2 s apart."""
    path = tmp_path / "clip.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=130) as writer:
        for frame in range(0, 501, step):
            writer.write([result(frame, 1, "happy"), result(frame, 2, "sad")])
    summary, _, _ = page_of(path, tmp_path)
    for person in summary.people.values():
        assert person.seen_ms == pytest.approx(20_000, rel=0.1)


def test_who_is_seen_now_and_then_is_not_taken_for_seldom_looked_at(tmp_path, result, page_of):
    path = tmp_path / "clip.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=130) as writer:
        for frame in (0, 1, 100, 101, 230, 231, 400, 401):
            writer.write([result(frame, 1, "happy")])
    summary, _, _ = page_of(path, tmp_path)
    assert summary.people[1].seen_ms < 2500


def saved_by_the_page(path, **sources):
    """Write the faces of several sources as mien's page saves them."""
    lines = []
    for name, faces in sources.items():
        part = path.with_name("part.csv")
        with RecordWriter(EMOTIONS, RecordOutputs(csv=part), smooth_ms=130) as writer:
            writer.write(faces)
        header, *rows = part.read_text().splitlines()
        lines += [row + f",{name.replace('_', '.')}" for row in rows]
    path.write_text("\n".join([f"{header},source", *lines, ""]))
    return path


def test_photos_that_the_page_saved_are_no_person(tmp_path, result, page_of):
    photos = {
        "anna_jpg": [result(0, 0, "happy")],
        "choir_jpg": [result(0, 0, "sad"), result(0, 0, "sad"), result(0, 0, "angry")],
    }
    path = saved_by_the_page(tmp_path / "mien.csv", **photos)
    summary, text, checker = page_of(path, tmp_path)
    assert summary.photos.faces == 4
    assert summary.photos.pictures_with_faces == 2
    assert {"anna.jpg", "choir.jpg"} <= set(checker.texts)
    assert "Person" not in text
    with pytest.raises(DataError, match="is of pictures, or of several sources"):
        write_report(path, tmp_path / "b.html", summary_json=tmp_path / "summary.json")


def test_each_source_that_the_page_saved_has_its_own_time(tmp_path, result, page_of):
    sources = {
        "camera": [result(frame, 1, "happy") for frame in range(250)],
        "clip_mp4": [result(frame, 2, "sad") for frame in range(50)],
        "anna_jpg": [result(0, 0, "happy")],
    }
    path = saved_by_the_page(tmp_path / "mien.csv", **sources)
    collection, text, checker = page_of(path, tmp_path)
    assert collection.films["camera"].people[1].seen_ms == pytest.approx(249 * 40)
    assert collection.films["clip.mp4"].last_ms == 49 * 40
    assert checker.texts.index("clip.mp4") < checker.texts.index("Person 2")
    assert "Photos" in checker.texts
    assert text.count("<svg") == 2
    rows = path.read_text().splitlines()
    path.write_text("\n".join([rows[0], *sorted(rows[1:], reverse=True), ""]))
    again, _, _ = page_of(path, tmp_path)
    assert again.films["camera"].people[1].seen_ms == pytest.approx(249 * 40)
    assert again.photos.faces == 1


@pytest.mark.parametrize("step", [1, 50])
def test_a_source_is_known_to_be_looked_at_seldom(tmp_path, result, page_of, step):
    """As in what `mien batch --every` writes, where each row names its source."""
    sources = {
        "a_mp4": [result(frame, 1, "happy") for frame in range(0, 501, step)],
        "b_mp4": [result(frame, 2, "happy") for frame in range(500)],
    }
    collection, _, _ = page_of(saved_by_the_page(tmp_path / "all.csv", **sources), tmp_path)
    for number, film in enumerate(collection.films.values(), start=1):
        assert film.people[number].seen_ms == pytest.approx(20_000, rel=0.1)


def test_faces_of_photos_are_shown_where_they_are_found(tmp_path, result, astronaut_bgr, page_of):
    photos = {"anna_png": [result(0, 0, "happy")] * 2, "bob_png": [result(0, 0, "sad")] * 2}
    path = saved_by_the_page(tmp_path / "mien.csv", **photos)
    header, first, second, third, fourth = path.read_text().splitlines()
    path.write_text("\n".join([header, first, third, second, fourth, ""]))
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "anna.png"), astronaut_bgr)
    collection, _, checker = page_of(path, tmp_path, faces_from=folder)
    assert collection.photos.pictures_with_faces == 2
    assert checker.tags.count("img") == 2  # Bob's picture is not there.
    with pytest.raises(DataError, match=r"There is no .*nowhere"):
        write_report(path, tmp_path / "b.html", faces_from=tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"of 0 videos or cameras and 2 photos.* is neither"):
        write_report(path, tmp_path / "b.html", faces_from=folder / "anna.png")


def test_one_video_that_the_page_saved_has_a_summary(tmp_path, result):
    path = saved_by_the_page(tmp_path / "mien.csv", clip=[result(0, 1, "happy")])
    write_report(path, tmp_path / "page.html", summary_json=tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text())["emotion"] == "happy"


def test_the_answer_is_the_mean_over_the_certain_time(result):
    summary = Summary()
    assert summary.answer is None
    assert summary.answer_line() is None
    assert summary.document()["emotion"] is None
    for frame in range(101):
        first = result(frame, 1, "happy", 0.8)
        summary.add([first, result(frame, 2, "sad", 0.5, uncertain=frame >= 20)])
        summary.add([result(frame, 3, "fear", uncertain=True)])
    document = summary.document()
    # Person 1 was certain for 4 s, person 2 for 0.8 s.
    assert document["confidence"] == pytest.approx((4 * 0.8 + 0.8 * 0.5 / 6) / 4.8, abs=1e-4)
    assert sum(document["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert [person["track_id"] for person in document["persons"]] == [1, 2]
    assert [person["emotion"] for person in document["persons"]] == ["happy", "sad"]
    assert document["persons"][1]["confidence"] == pytest.approx(0.5, abs=1e-6)
    assert document["persons"][1]["uncertain_share"] == pytest.approx(0.8)
    assert document["never_certain"] == 1
    assert summary.answer_line() == "The whole clip: happy, 68% on average"


def test_of_very_many_people_those_seen_the_shortest_become_sums(result):
    """A camera in a shop runs for months: memory must not grow with whoever passes by."""
    summary, apart = Summary(), 100
    people = MOST_TRACKS + 500
    for number in range(1, people + 1):
        frame, uncertain = number * apart, number % 10 == 0
        stay = 12 if number == 7 else 2
        emotion = "happy" if number % 2 else "sad"
        for step in range(stay):
            summary.add([result(frame + step, number, emotion, 0.9, uncertain=uncertain)])
    assert len(summary.tracks) <= MOST_TRACKS
    assert summary.people_count == people - people // 10
    assert summary.never_certain == people // 10
    assert summary.seen_ms == pytest.approx((people + 10) * 40)
    assert summary.uncertain_ms == pytest.approx(people // 10 * 40)
    document = summary.document()
    assert document["persons"][0]["track_id"] == 7  # the first to come, but seen the longest
    assert len(document["persons"]) + document["others"] == summary.people_count
    assert document["never_certain"] == summary.never_certain
    # 5,250 were happy and 4,200 sad, each for a frame but one.
    happy = (0.9 * 5260 + 0.1 / 6 * 4200) / 9460
    assert document["emotion"] == "happy"
    assert document["confidence"] == pytest.approx(happy, abs=1e-4)
    assert f"... and {summary.people_count - 10:,} more" in summary.lines()


def test_where_few_have_left_who_was_seen_the_longest_stays_a_person(result, monkeypatch):
    monkeypatch.setattr("mien.record.summary.MOST_TRACKS", 20)
    summary = Summary()
    long_ago = [result(frame, 1, "sad", 0.9) for frame in range(250)]
    passers_by = [result(250 + number, number, "happy") for number in (2, 3)]
    crowd = [result(10_000 + number, number, "happy") for number in range(4, 60)]
    summary.add([*long_ago, *passers_by, *crowd])
    assert summary.people_count == 59
    assert summary.document()["others"] == 2
    assert summary.document()["persons"][0]["track_id"] == 1
    # Nobody of the crowd has left: they are kept, though they are more.
    assert len(summary.tracks) == 57


def test_the_report_counts_people_of_whom_only_sums_are_left(
    tmp_path, result, page_of, monkeypatch
):
    """Each was seen in one frame, and so for no time: then all count the same."""
    monkeypatch.setattr("mien.record.summary.MOST_TRACKS", 20)
    path = tmp_path / "shop.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=130) as writer:
        for number in range(1, 101):
            emotion, uncertain = "happy" if number % 4 else "sad", number % 10 == 0
            writer.write([result(1000 * number, number, emotion, 0.9, uncertain=uncertain)])
    summary, page, checker = page_of(path, tmp_path, summary_json=tmp_path / "summary.json")
    document = json.loads((tmp_path / "summary.json").read_text())
    assert len(summary.tracks) <= 20
    assert len(document["persons"]) + document["others"] == 90
    assert document["never_certain"] == 10
    # 70 of the 90 were happy, 20 were sad.
    assert document["confidence"] == pytest.approx((0.9 * 70 + 0.1 / 6 * 20) / 90, abs=1e-4)
    assert "90" in checker.texts
    assert "The 78 people seen for a shorter time have no section." in page
    assert "counted as nobody: 10." in page


def test_the_summary_of_a_record_is_that_of_the_video(record, tmp_path, page_of):
    path = tmp_path / "summary.json"
    summary, page, _ = page_of(record, tmp_path, summary_json=path)
    assert json.loads(path.read_text()) == summary.document()
    assert "on the whole happy 36%" in page


def test_the_order_of_the_rows_does_not_matter(record, tmp_path, page_of):
    _, page, _ = page_of(record, tmp_path)
    header, *rows = record.read_text().splitlines()
    by_person = sorted(rows, key=lambda row: row.split(",")[2])
    for order in (by_person, rows[::-1]):
        record.write_text("\n".join([header, *order, ""]))
        assert page_of(record, tmp_path)[1] == page


def test_a_single_row_is_a_moment_with_its_emotion(tmp_path, result, page_of):
    path = tmp_path / "one.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=0) as writer:
        writer.write([result(3, emotion="sad")])
    summary, page, _ = page_of(path, tmp_path)
    assert 'title="sad 100.0%"' in page
    assert slices_of(page) == [[0, 0, 0, 0, 100, 0, 0, 0]]
    assert "seen for 1 frame" in page
    assert summary.lines() == ["Person 1: sad (70%); 1 frame; 100% sad"]


def test_the_faces_of_one_frame_count_alike_where_nobody_was_seen_for_any_time(
    tmp_path, result, page_of
):
    path = tmp_path / "one.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=0) as writer:
        writer.write([result(0, number, uncertain=number == 1) for number in range(1, 11)])
    _, _, checker = page_of(path, tmp_path)
    assert checker.texts[checker.texts.index("Uncertain") + 1] == "10%"


@pytest.mark.parametrize("sources", [1, 2])
def test_a_record_may_begin_before_zero(tmp_path, result, page_of, sources):
    """As that of a video does whose first frames an edit list leaves out."""
    faces = [result(frame, 1, "happy") for frame in range(250)]
    early = [replace(face, timestamp_ms=face.timestamp_ms - 20_000) for face in faces]
    if sources == 1:
        path = tmp_path / "clip.csv"
        with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=0) as writer:
            writer.write(early)
        summary, page, _ = page_of(path, tmp_path)
        assert len(slices_of(page)) == 80
    else:
        path = saved_by_the_page(tmp_path / "mien.csv", a_mp4=early, b_mp4=faces)
        collection, page, _ = page_of(path, tmp_path)
        summary = collection.films["a.mp4"]
    assert (summary.first_ms, summary.last_ms) == (-20_000, -10_040)
    assert summary.people[1].seen_ms == pytest.approx(249 * 40)
    assert "from -00:00:20.0 to -00:00:10.0" in page


def test_shares_add_up_to_100_per_cent(result):
    random = np.random.default_rng(0)
    for _ in range(50):
        summary = Summary()
        for frame, number in enumerate(random.integers(0, 8, 200) ** 2 // 7 % 8):
            emotion = EMOTIONS[min(number, 6)]
            summary.add([result(frame, 1, emotion, uncertain=bool(number == 7))])
        (line,) = summary.lines()
        assert sum(map(int, re.findall(r"(\d+)% ", line))) == 100
        assert re.search(r"; \d+% \w+, \d+% \w+, \d+% \w+, \d+% other", line)


@pytest.mark.parametrize("total", [100, 1000])
def test_parts_are_apportioned_by_the_largest_remainder(total):
    assert apportion(np.array([1, 1, 1]) / 3, 100) == [34, 33, 33]
    assert apportion(np.array([0.125, 0.125, 0.75]), 10) == [1, 1, 8]
    for seed in range(20):
        shares = np.random.default_rng(seed).dirichlet(np.ones(8))
        parts = apportion(shares, total)
        assert sum(parts) == total
        assert np.abs(np.array(parts) - total * shares).max() < 1


def test_faces_are_shown_only_if_asked_for(record, tmp_path, astronaut_bgr, write_video, page_of):
    video = write_video(tmp_path / "clip.mp4", [astronaut_bgr[:200, :200]] * 250)
    _, _, checker = page_of(record, tmp_path, faces_from=video)
    assert checker.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in checker.addresses)


def test_faces_of_another_video_are_refused(record, tmp_path, astronaut_bgr, write_video, page_of):
    short = write_video(tmp_path / "short.mp4", [astronaut_bgr[:200, :200]] * 100)
    with pytest.raises(
        DataError, match=r"short\.mp4 has no frame at 00:00:0\d\.\d, where the record has"
    ):
        page_of(record, tmp_path, faces_from=short)
    small = write_video(tmp_path / "small.mp4", [astronaut_bgr[:16, :16]] * 250)
    with pytest.raises(DataError, match=r"outside of frame \d+ of .*, which is 16 x 16 pixels"):
        page_of(record, tmp_path, faces_from=small)


def test_an_angle_that_cannot_be_is_refused_whatever_is_reported(record, tmp_path):
    with pytest.raises(SettingError, match="Found 45 degrees"):
        write_report(record, tmp_path / "page.html", rotate_degrees=45)


def test_a_record_without_rows_is_said(tmp_path):
    path = tmp_path / "r.csv"
    RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=0).close()
    with pytest.raises(DataError, match="holds no row"):
        write_report(path, tmp_path / "r.html")


@pytest.mark.parametrize(
    ("content", "found"),
    [("", "is empty"), ("a,b\n", "has no row, and the columns a, b")],
    ids=["", "a,b"],
)
def test_what_is_no_record_is_not_said_to_hold_no_face(tmp_path, content, found):
    path = tmp_path / "r.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=rf"r\.csv {found}: expected a record"):
        write_report(path, tmp_path / "r.html")


def test_the_page_does_not_take_the_place_of_what_it_is_made_of(record, tmp_path):
    before = record.read_bytes()
    with pytest.raises(OutputError, match="is an input and would be overwritten"):
        write_report(record, record)
    video = tmp_path / "clip.mp4"
    with pytest.raises(OutputError, match=r"clip\.mp4 is an input"):
        write_report(record, video, faces_from=video)
    assert record.read_bytes() == before


def test_a_page_that_cannot_be_written_is_one_clear_error(record, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "page.html", tmp_path / f"{'x' * 300}.html"):
        with pytest.raises(OutputError, match=r"\.html cannot be written"):
            write_report(record, place)


def test_memory_stays_flat_over_hours(result):
    summary = Summary()
    for second in range(0, 3 * 3600):
        summary.add([result(second, 1, "happy", fps=1)])
    person = summary.people[1]
    assert len(person.slices) <= MOST_SLICES
    assert len(person.moments) <= 8
    assert sum(part.sum() for part in person.slices.values()) == pytest.approx(
        person.seen_ms, rel=1e-3
    )
    assert person.seen_ms == pytest.approx((3 * 3600 - 1) * 1000)


@pytest.mark.parametrize("fps", [25, 5, 1, 0.02])
def test_a_face_in_every_frame_is_seen_all_the_time_at_any_frame_rate(
    tmp_path, result, fps, page_of
):
    record = tmp_path / "r.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=record), smooth_ms=0) as writer:
        for frame in range(40):
            writer.write([result(frame, 1, "sad" if frame < 20 else "happy", fps=fps)])
    summary, text, _ = page_of(record, tmp_path)
    assert None not in slices_of(text)
    assert summary.people[1].shown_ms[[4, 3]] == pytest.approx([20_000 / fps, 19_000 / fps])
    assert f"seen for {39 / fps:.1f} s, from 00:00:00.0 to" in text


def test_who_is_away_for_many_long_frames_has_a_gap(tmp_path, result, page_of):
    record = tmp_path / "r.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=record), smooth_ms=0) as writer:
        for frame in [*range(10), *range(20, 30)]:
            writer.write([result(frame, fps=1)])
    summary, text, _ = page_of(record, tmp_path)
    # The last frame before the gap may stand for one and a half seconds.
    assert summary.people[1].seen_ms == pytest.approx(9_000 + 1_500 + 9_000)
    slices = slices_of(text)
    assert slices.count(None) / len(slices) == pytest.approx(9.5 / 29, abs=0.02)


def test_one_pause_of_a_fast_video_is_not_taken_for_its_frame_rate(result):
    summary = Summary()
    for frame in range(60):
        summary.add([replace(result(frame), timestamp_ms=frame * 40 + 10_000 * (frame >= 30))])
    assert summary.people[1].seen_ms == pytest.approx(58 * 40 + 500)


def test_a_moment_is_the_peak_not_its_neighbours(result):
    summary = Summary()
    for frame, confidence in enumerate(np.concatenate([np.linspace(0.5, 0.9, 50)] * 2)):
        summary.add([result(frame, 1, "surprise", float(confidence), fps=10)])
    peaks = sorted(moment.frame for moment in summary.people[1].moments if moment.confidence > 0.8)
    assert 49 in peaks
    assert 99 in peaks
    assert min(np.diff(peaks)) >= 20


def test_labels_of_any_kind_are_shown_as_texts(tmp_path, result, page_of):
    labels = ("</script><b>", "<img src=x onerror=alert(1)>", '"};x', "neutral")
    path = tmp_path / "r.csv"
    with RecordWriter(labels, RecordOutputs(csv=path), smooth_ms=0) as writer:
        for frame in range(100):
            row = np.roll(np.array([0.7, 0.1, 0.1, 0.1], np.float32), frame // 34)
            face = result(frame)
            face = replace(face, labels=labels, emotion=labels[frame // 34], probabilities=row)
            writer.write([replace(face, raw_probabilities=None, reading="<i>mine</i>")])
    _, text, checker = page_of(path, tmp_path)
    assert "img" not in checker.tags
    assert "i" not in checker.tags
    assert checker.tags.count("script") == 1
    assert {"<img src=x onerror=alert(1)>", "<i>mine</i>"} <= set(checker.texts)
    (names,) = re.findall(r"const names = (.*);", text)
    assert json.loads(names) == [*labels, "uncertain"]


def test_rows_of_two_networks_are_no_record(result):
    other = replace(result(1), labels=("good", "bad"), emotion="good")
    with pytest.raises(DataError, match="good, bad; expected those of one network"):
        Summary().add([result(0), other])


def test_what_was_never_certain_is_nobody_but_stays_in_the_record(tmp_path, result, page_of):
    path = tmp_path / "clip.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=130) as writer:
        for frame in range(100):
            person = result(frame, 1, "happy", 0.8, uncertain=frame < 40)
            pattern = result(frame, 2 + frame // 50, "fear", 0.4, uncertain=True)
            writer.write([person, pattern])
    assert len(path.read_text().splitlines()) == 201
    summary, _, checker = page_of(path, tmp_path)
    assert list(summary.people) == [1]
    assert list(summary.tracks) == [1, 2, 3]
    assert "Person 1" in checker.texts
    assert "Person 2" not in checker.texts
    assert summary.lines()[-1] == "(2 never certain)"


def test_what_was_never_certain_may_be_no_face_only_where_it_looks_like_none(result, monkeypatch):
    likeness = MissedLimit("min_likeness", -1.0, 0.0)
    confidence = MissedLimit("min_confidence", 0.25, 0.3)
    missed = {1: (), 2: (confidence,), 3: (confidence,), 4: (confidence, likeness)}
    summary = Summary()
    for frame in range(50):
        summary.add(
            replace(result(frame, track, uncertain=track > 1), missed_limits=limits)
            for track, limits in missed.items()
        )
    expected = (
        "(3 never certain: 2 mostly missed min_confidence; "
        "1 mostly missed min_likeness and may be no face)"
    )
    assert summary.lines()[-1] == expected
    # Of those who left, sums are left alone.
    monkeypatch.setattr("mien.record.summary.MOST_TRACKS", 5)
    for track in range(5, 8):
        summary.add([result(5000 * track, track)])
    assert len(summary.tracks) < 7
    assert summary.lines()[-1] == expected


def test_a_record_without_anybody_has_a_page(tmp_path, result, page_of):
    path = tmp_path / "wall.csv"
    with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=130) as writer:
        writer.write([result(0, 1, "fear", 0.4, uncertain=True)])
    summary, text, _ = page_of(path, tmp_path)
    assert not summary.people
    assert summary.lines() == ["(1 never certain)"]
    assert "100%" in text
