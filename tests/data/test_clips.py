"""Clips as data: names, manifests, splits, and what the engine sees in them."""

import json
import sys

import numpy as np
import pytest

from mien.core.errors import DataError
from mien.data.clip_sequences import read_clips
from mien.data.clip_split import split_clips
from mien.data.clips import CLIP_CLASSES, holds_clips, load_clips
from mien.data.explore_clips import explore_clips
from mien.recognizer import Recognizer


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(clips):
    return {clip.name: (clips.classes.names[clip.label], clip.subject) for clip in clips.clips}


def test_names_of_ravdess_and_crema_d_and_folders_are_understood(tmp_path):
    touch(
        tmp_path,
        *("Actor_12/02-01-06-01-02-01-12.mp4", "Actor_12/02-01-02-01-02-01-12.mp4"),
        *("Actor_03/03-01-03-01-02-01-03.mp4", "1001_DFA_ANG_XX.flv", "1001_DFA_XYZ_XX.flv"),
        *(
            "surprised/ann/a.mov",
            "happy/b.webm",
            "sad/phone.3gp",
            "holiday/c.mp4",
            "d.avi",
            "notes.txt",
            ".x.mp4",
        ),
    )
    clips = load_clips(tmp_path)
    assert found(clips) == {
        "1001_DFA_ANG_XX.flv": ("angry", "actor 1001"),
        "Actor_12/02-01-06-01-02-01-12.mp4": ("fear", "actor 12"),
        "happy/b.webm": ("happy", ""),
        "sad/phone.3gp": ("sad", ""),
        "surprised/ann/a.mov": ("surprise", "ann"),
    }
    assert dict(clips.skipped) == {
        "1001_DFA_XYZ_XX.flv": "no emotion is known of it",
        "Actor_03/03-01-03-01-02-01-03.mp4": "sound only",
        "Actor_12/02-01-02-01-02-01-12.mp4": "'calm' is left out",
        "d.avi": "no emotion is known of it",
        "holiday/c.mp4": "no emotion is known of it",
    }
    assert holds_clips(tmp_path)


def test_a_picture_beside_clips_makes_them_no_faces_and_a_video_beside_faces_no_clips(tmp_path):
    clips, faces = tmp_path / "clips", tmp_path / "faces"
    touch(clips, "Actor_12/02-01-06-01-02-01-12.mp4", "Actor_12/02-01-03-01-02-01-12.mp4")
    touch(clips, "cover.jpg", "._a.jpg", "._b.jpg")
    touch(faces, "happy/1.png", "sad/1.png", "making_of.mp4", "more.mp4")
    assert holds_clips(clips)
    assert not holds_clips(faces)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
def test_a_link_that_leads_upwards_brings_no_clip_twice(tmp_path):
    touch(tmp_path, "clips/happy/ann/a.mp4", "clips/sad/b.mp4", "more/c.mp4")
    (tmp_path / "clips/happy/ann/up").symlink_to("..")
    (tmp_path / "clips/sad/all").symlink_to("..")
    (tmp_path / "clips/sad/more").symlink_to(tmp_path / "more")
    (tmp_path / "more" / "back").symlink_to(tmp_path / "clips" / "sad")
    names = [clip.name for clip in load_clips(tmp_path / "clips").clips]
    assert names == ["happy/ann/a.mp4", "sad/b.mp4", "sad/more/c.mp4"]


def test_a_manifest_names_parts_of_files(tmp_path):
    manifest = tmp_path / "clips.csv"
    manifest.write_text(
        "path,emotion,start_ms,end_ms,subject,fold\n"
        "a.mp4,anger,,,ann,train\n"
        "a.mp4,happy,1500,4000,ann,train\n"
        "b.mp4,sad,,,bob,val\n"
        "b.mp4,calm,,,bob,val\n"
    )
    clips = load_clips(manifest)
    assert holds_clips(manifest)
    assert found(clips)["a.mp4 from 1500 ms"] == ("happy", "ann")
    assert clips.clips[1].end_ms == 4000
    sides = split_clips(clips, 0.5, seed=0)
    assert [clip.name for clip in sides.training] == ["a.mp4", "a.mp4 from 1500 ms"]
    assert [clip.name for clip in sides.validation] == ["b.mp4"]
    with pytest.raises(DataError, match="has the folds train, val of its own"):
        split_clips(clips, 0.5, seed=0, folds=2, fold=1)
    manifest.write_text(manifest.read_text().replace("bob,val", "ann,val"))
    with pytest.raises(DataError, match="put ann on both sides"):
        split_clips(load_clips(manifest), 0.5, seed=0)


def test_a_manifest_as_spreadsheets_and_windows_write_it(tmp_path):
    touch(tmp_path, "Actor 1/a.mp4", "b.mp4")
    manifest = tmp_path / "clips.csv"
    for separator in ";\t":
        rows = ['"path", "Emotion"', '"Actor 1\\a.mp4", happy, , ', "", "b.mp4, sad"]
        manifest.write_text("\n".join(rows).replace(", ", f"{separator} "))
        assert holds_clips(manifest)
        clips = load_clips(manifest)
        assert [CLIP_CLASSES.names[clip.label] for clip in clips.clips] == ["happy", "sad"]
        assert all(clip.path.is_file() for clip in clips.clips)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.mp4,joyful,", "'joyful'"),
        ("a.mp4,happy,soon", "row 1, column start_ms: found 'soon'"),
        ("a.mp4,happy,-5", "row 1, column start_ms"),
        ("a.mp4,happy,\n\n,,\na.mp4,happy,-5", "row 4, column start_ms"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, message):
    manifest = tmp_path / "clips.csv"
    manifest.write_text(f"path,emotion,start_ms\n{row}\n")
    with pytest.raises(DataError, match=message):
        load_clips(manifest)


def test_a_split_keeps_a_subject_on_one_side(tmp_path):
    names = [
        f"{actor}_DFA_{emotion}_XX.flv" for actor in range(1001, 1021) for emotion in ("ANG", "HAP")
    ]
    touch(tmp_path, *names)
    clips = load_clips(tmp_path)
    sides = split_clips(clips, 0.2, seed=3)
    assert len(sides.validation) == 8
    assert len(sides.training) == 32
    assert not subjects(sides.training) & subjects(sides.validation)
    assert split_clips(clips, 0.2, seed=3) == sides


def subjects(clips):
    return {clip.subject for clip in clips}


def test_each_subject_is_held_out_once(tmp_path):
    touch(
        tmp_path,
        *(f"{actor}_DFA_{e}_XX.flv" for actor in range(1001, 1008) for e in ("ANG", "HAP")),
    )
    clips = load_clips(tmp_path)
    every = [split_clips(clips, 0.2, seed=3, folds=3, fold=fold) for fold in (1, 2, 3)]
    held_out = [clip for sides in every for clip in sides.held_out]
    assert sorted(held_out, key=lambda clip: clip.name) == list(clips.clips)
    assert sorted(len(sides.held_out) for sides in every) == [4, 4, 6]
    for sides in every:
        assert len(sides.training) + len(sides.validation) + len(sides.held_out) == 14
        assert not subjects(sides.held_out) & subjects(sides.training + sides.validation)
        assert not subjects(sides.training) & subjects(sides.validation)
    with pytest.raises(DataError, match="has clips of 7 subjects; expected 8"):
        split_clips(clips, 0.2, seed=3, folds=8, fold=1)


@pytest.mark.parametrize("folds", ["train,train,", "1,2,", "train,1,2"])
def test_folds_of_some_clips_alone_are_refused(tmp_path, folds):
    manifest = tmp_path / "clips.csv"
    rows = [f"{n}.mp4,sad,{n},{fold}" for n, fold in enumerate(folds.split(","))]
    manifest.write_text("\n".join(["path,emotion,subject,fold", *rows]))
    with pytest.raises(DataError, match=r"column fold: found .*; expected a fold for every clip"):
        split_clips(load_clips(manifest), 0.3, seed=0)


def test_clips_that_are_all_for_training_are_split_by_subject(tmp_path):
    manifest = tmp_path / "clips.csv"
    rows = [f"{n}.mp4,sad,person {n // 2},train" for n in range(8)]
    manifest.write_text("\n".join(["path,emotion,subject,fold", *rows]))
    sides = split_clips(load_clips(manifest), 0.3, seed=0)
    manifest.write_text(manifest.read_text().replace(",train", ",test"))
    with pytest.raises(DataError, match="gives 0 clips to train on"):
        split_clips(load_clips(manifest), 0.3, seed=0)
    assert len(sides.training) == 4
    assert not subjects(sides.training) & subjects(sides.validation)


def test_parts_of_a_file_are_of_whoever_one_of_them_names(tmp_path):
    manifest = tmp_path / "clips.csv"
    manifest.write_text(
        "path,emotion,start_ms,subject\na.mp4,sad,0,ann\na.mp4,happy,2000,\nb.mp4,sad,,bob\n"
    )
    clips = load_clips(manifest)
    assert clips.has_subjects
    assert [clip.subject for clip in clips.clips] == ["ann", "ann", "bob"]


def test_the_folds_of_a_manifest_are_held_out_in_turn(tmp_path):
    manifest = tmp_path / "clips.csv"
    rows = [
        f"{who}{n}.mp4,sad,{who},{fold}"
        for who, fold in zip("abc", "123", strict=True)
        for n in "12"
    ]
    manifest.write_text("\n".join(["path,emotion,subject,fold", *rows]))
    clips = load_clips(manifest)
    for fold, who in enumerate("abc", start=1):
        sides = split_clips(clips, 0.2, seed=0, folds=3, fold=fold)
        assert subjects(sides.held_out) == {who}
        assert sides.training
        assert sides.validation


def test_other_clips_have_another_fingerprint(tmp_path):
    touch(tmp_path, "1001_DFA_ANG_XX.flv", "1002_DFA_HAP_XX.flv")
    before = load_clips(tmp_path).fingerprint()
    assert load_clips(tmp_path).fingerprint() == before
    (tmp_path / "1002_DFA_HAP_XX.flv").rename(tmp_path / "1002_DFA_SAD_XX.flv")
    assert load_clips(tmp_path).fingerprint() != before


@pytest.fixture
def recognizer(brightness_network, without_yunet, tmp_path):
    del without_yunet
    return Recognizer(brightness_network(tmp_path / "emotion.onnx"), detector="haar", threads=1)


@pytest.fixture
def clips(tmp_path, astronaut_bgr, write_video):
    """A clip with a face, one without, one with two people, and one that is no video."""
    face, folder = astronaut_bgr[:240, 60:400], tmp_path / "clips"
    pictures = {
        "1001_DFA_HAP_XX.mp4": [np.roll(face, 2 * i, axis=1) for i in range(12)],
        "1002_DFA_HAP_XX.mp4": [np.full_like(face, 90)] * 4,
        "1003_DFA_SAD_XX.mp4": [np.hstack([face, face])] * 8,
    }
    folder.mkdir()
    for name, frames in pictures.items():
        write_video(folder / name, frames, fps=10)
    (folder / "1004_DFA_ANG_XX.mp4").write_bytes(b"no video")
    return folder


def test_odd_clips_are_counted_and_named(clips, recognizer, tmp_path):
    said = []
    report = explore_clips(clips, recognizer, tmp_path / "out", said.append)
    assert report.clips["happy"] == sum(report.clips.values()) == 1
    assert len(said) == 1
    assert report.odd["1002_DFA_HAP_XX.mp4"] == "no face was found in it"
    assert report.odd["1003_DFA_SAD_XX.mp4"] == "it shows two people"
    assert report.odd["1004_DFA_ANG_XX.mp4"].startswith("cannot be read: ")
    assert json.loads((tmp_path / "out" / "clips.json").read_text())["odd"] == report.odd
    assert "3 left out" in "\n".join(report.lines())
    assert explore_clips(clips, recognizer, tmp_path / "out", said.append) == report
    assert len(said) == 1


def test_the_sequence_of_a_clip_is_what_the_classifier_says_of_its_face(clips, recognizer):
    whole = load_clips(clips)
    (sequence,) = read_clips(whole.clips[:1], whole, recognizer, print).sequences
    assert sequence.subject == "actor 1001"
    # Every 100 ms at 10 frames a second: each frame.
    assert sequence.timestamps_ms == pytest.approx(100 * np.arange(12))
    assert sequence.probabilities.shape == sequence.truth.shape == (12, 7)
    assert sequence.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (sequence.quality[:, 0] > 20).all()
    assert sequence.clip_truth.argmax() == 3


@pytest.mark.parametrize("part", [0, 0.5])
def test_what_was_kept_of_clips_and_is_damaged_is_made_again(clips, recognizer, part):
    some = load_clips(clips)
    said = []
    first = read_clips(some.clips[:2], some, recognizer, said.append)
    kept = list(clips.glob(".mien_cache/*/*"))
    assert len(kept) == 2
    for cache in kept:
        cache.write_bytes(cache.read_bytes()[: int(part * cache.stat().st_size)])
    again = read_clips(some.clips[:2], some, recognizer, said.append)
    assert again.odd == first.odd
    assert np.array_equal(again.sequences[0].probabilities, first.sequences[0].probabilities)
    assert len(said) == 2
    read_clips(some.clips[:2], some, recognizer, said.append)
    assert len(said) == 2


def test_faces_in_a_column_of_pixels_are_no_clips(tmp_path):
    table = tmp_path / "large.csv"
    table.write_text("emotion,pixels\n0," + " ".join(["128"] * 224 * 224) + "\n")
    assert not holds_clips(table)
