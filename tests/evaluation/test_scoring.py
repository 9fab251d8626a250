"""`mien evaluate`, `mien predict` and the ledger, on a network that tells brightnesses apart."""

import csv
import json
import os
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from onnxruntime import InferenceSession

pytest.importorskip("sklearn", reason="needs mien[train]")
plt = pytest.importorskip("matplotlib.pyplot", reason="needs mien[train]")

from pathlib import Path

from mien.cli import main
from mien.core.artifact import load_artifact
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.data import test_faces as known_test_faces
from mien.data.dataset import Dataset
from mien.data.figure_file import write_figure
from mien.data.synthetic import write_csv
from mien.evaluation import figures, ledger, scoring, test_set
from mien.evaluation.predictions import Predictions, write_predictions
from mien.evaluation.rater_scores import score_against_raters
from mien.record.table import plain_text
from mien.training.config import load_experiment
from mien.training.final_figures import final_figures, headed
from mien.training.provenance import FER2013_FINGERPRINT
from mien.training.recipe_file import recipe_file
from mien.training.run_folder import RunFolder

LABELS = np.tile(np.arange(7), 6)


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch, brightness_network, faces_of):
    """A working folder with a network, a training set and noisy test faces."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "write_figure", write_pixel)
    brightness_network(Path("net/emotion.onnx"), temperature=1.5)
    faces = faces_of(LABELS, noise=0.06)
    write_csv(Dataset(faces, LABELS, None, Path()), Path("data/mine.csv"))
    write_csv(Dataset(faces[:3], LABELS[:3], None, Path()), Path("data/train.csv"))
    usage = np.where(np.arange(len(LABELS)) < 20, "PublicTest", "PrivateTest")
    # The faces of kaggle.csv stand for FER2013's test faces; those of mine.csv are others.
    test_faces = faces_of(LABELS[::-1], noise=0.06)[:, :, ::-1].copy()
    signs = known_test_faces._signs(known_test_faces.fingerprint(test_faces))
    known = known_test_faces._known_signs
    monkeypatch.setattr(
        known_test_faces,
        "_known_signs",
        lambda table: signs if table == known_test_faces._TEST_TABLE else known(table),
    )
    monkeypatch.setattr(test_set, "LOOK_FACES", 20)
    monkeypatch.setattr(ledger, "DIFFERENT_TEST_FACES", len(LABELS))
    monkeypatch.setattr(scoring, "TEST_FACES_OF_ITS_OWN_FIGURES", 20)
    write_csv(Dataset(test_faces, LABELS[::-1], usage, Path()), Path("data/kaggle.csv"))
    write_csv(Dataset(faces, None, None, Path()), Path("data/test.csv"))


def write_pixel(figure, path):
    """Stand for `write_figure`: drawing takes most of an evaluation's time."""
    plt.close(figure)
    cv2.imwrite(str(path), np.zeros((1, 1), np.uint8))


@pytest.fixture
def drawn_figures(working_folder, monkeypatch):
    """Draw the figures, for tests that look at them or at the text in them."""
    monkeypatch.setattr(figures, "write_figure", write_figure)


def run(*words):
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    return exit_.value.code or 0


def read_metrics(folder):
    return json.loads(Path(folder, "metrics.json").read_text())


def read_ledger():
    return [
        json.loads(line)
        for line in Path("experiments/test_scores.jsonl").read_text().split("\n")[:-1]
    ]


@pytest.mark.usefixtures("drawn_figures")
def test_evaluate_prints_the_accuracy_first_and_writes_the_figures(capsys):
    assert run("evaluate", "--model", "net/emotion.onnx", "--data", "data/mine.csv") == 0
    lines = capsys.readouterr().out.splitlines()
    scores = read_metrics("results/evaluation")["test"]
    accuracy = scores["plain"]["whole"]["accuracy"]
    assert 0.5 < accuracy["value"] < 1
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert lines[0] == f"Accuracy on the test set: {accuracy['value']:.0%}"
    assert f"{accuracy['value']:.2%} ({accuracy['correct']} of 42)" in lines[1]
    assert any("net/emotion.onnx" in line and "data/mine.csv" in line for line in lines)
    assert [line.split()[0] for line in lines if line.endswith("    6")] == list(EMOTIONS)
    assert scores["sha256"] == load_artifact(Path("net/emotion.onnx")).sha256
    assert scores["copies"]["count"] == 3
    assert scores["uncalibrated"]["expected_error"] != scores["calibrated"]["expected_error"]
    assert Path("results/evaluation/final_test_confusion_matrix.png").stat().st_size > 10_000
    assert not Path("experiments").exists(), "these are no test faces of FER2013"


def test_mirroring_changes_nothing_for_a_network_that_sees_brightness_only():
    run("evaluate", "--model", "net/emotion.onnx", "--data", "data/mine.csv")
    scores = read_metrics("results/evaluation")["test"]
    assert scores["flip_averaged"] == scores["plain"]


def test_the_report_of_the_run_gets_the_figures_of_the_test(in_run_of_brightness):
    before = in_run_of_brightness.architecture.read_text(encoding="utf-8")
    for _ in range(2):
        run("evaluate", "--model", "net/emotion.onnx", "--data", "data/kaggle.csv")
    scores = read_metrics("net")["test"]["plain"]["whole"]
    told = before.replace(
        "candidate",
        f"test, data/kaggle.csv, by its labels: accuracy {scores['accuracy']['value']:.2%} "
        f"({scores['accuracy']['low']:.2%} to {scores['accuracy']['high']:.2%}), "
        f"macro F1 {scores['macro']['f1']:.3f}\ncandidate",
    )
    assert in_run_of_brightness.architecture.read_text(encoding="utf-8") == told


@pytest.fixture
def in_run_of_brightness(monkeypatch):
    """The folder of the network, as a training leaves it."""
    monkeypatch.setattr("mien.data.test_faces._near_copy_rows", lambda: np.arange(5))
    folder = RunFolder(Path("net"))
    shutil.copyfile(recipe_file(Path("finetune")), folder.recipe)
    figures = {"validation_accuracy": 0.5, "validation_loss": 1.5, "training_minutes": 3.0}
    metrics = {"experiment": "brightness", "epochs": 4, "chosen_epoch": 2, **figures}
    folder.write_metrics(metrics)
    parts = [
        "Brightness",
        headed("Why", ["A toy.", "", "Final figures come last."]),
        final_figures(load_experiment(folder.recipe), metrics),
        headed("Iteration history", ["none"]),
    ]
    folder.architecture.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return folder


def test_the_flip_averaged_figure_is_of_the_mean_with_the_mirror_image(
    brightness_network, faces_of
):
    """Of a network that sees the left half only, on faces whose halves say two things."""
    network = brightness_network(Path("net/emotion.onnx"), columns=24)
    faces = faces_of(LABELS, noise=0.06)
    faces[:, :, 24:] = faces_of(np.roll(LABELS, 1), noise=0.06)[:, :, 24:]
    write_csv(Dataset(faces, LABELS, None, Path()), Path("data/mine.csv"))
    run("evaluate", "--model", "net/emotion.onnx", "--data", "data/mine.csv")
    scores = read_metrics("results/evaluation")["test"]

    session = InferenceSession(network.onnx_path)
    shares = [
        session.run(None, {"faces": (side / np.float32(255))[..., None]})[0]
        for side in (faces, faces[:, :, ::-1])
    ]
    plain, averaged = (
        scores[name]["whole"]["accuracy"]["correct"] for name in ("plain", "flip_averaged")
    )
    assert plain == np.sum(shares[0].argmax(axis=1) == LABELS)
    assert averaged == np.sum(np.add(*shares).argmax(axis=1) == LABELS)
    assert averaged < plain


def test_test_faces_of_fer2013_are_split_and_every_network_is_counted_once(
    capsys, brightness_network, monkeypatch
):
    monkeypatch.setattr("mien.data.test_faces._near_copy_rows", lambda: np.arange(5))
    command = ("evaluate", "--model", "net/emotion.onnx", "--data", "data/kaggle.csv")
    assert run(*command) == 0
    printed = capsys.readouterr().out
    assert "Evaluated on 42 of FER2013's test faces" in printed
    assert "Near-copies there, other crops or mirror images: " in printed
    scores = read_metrics("net")["test"]
    copies = scores["copies"]
    assert copies["accuracy_without_near"]["count"] == 42 - copies["count"] - copies["near_count"]
    public, private = scores["plain"]["public_test"], scores["plain"]["private_test"]
    assert (public["accuracy"]["count"], private["accuracy"]["count"]) == (20, 22)
    (entry,) = read_ledger()
    assert entry["experiment"] == "brightness"
    assert entry["accuracy"] == scores["plain"]["whole"]["accuracy"]["value"]
    assert entry["macro_f1"] == scores["plain"]["whole"]["macro"]["f1"]
    assert entry["sha256"] == scores["sha256"]
    assert entry["test_faces"] == 42

    assert run(*command) == 0
    assert "no new evaluation" in capsys.readouterr().out
    assert len(read_ledger()) == 1

    brightness_network(Path("net/emotion.onnx"), sharpness=20.0)
    assert run(*command) == 0
    assert len(read_ledger()) == 2


def test_a_network_of_another_input_is_scored_too(capsys, foreign_artifact):
    labels = foreign_artifact(Path("foreign/emotion.onnx")).reading().labels
    with Path("data/own.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["emotion", "pixels"])
        for number, label in enumerate(labels):
            rows.writerow([label, " ".join([str(30 * number)] * 48 * 48)])
    assert run("evaluate", "--model", "foreign/emotion.onnx", "--data", "data/own.csv") == 0
    assert "Accuracy on the test set: " in capsys.readouterr().out
    assert run("predict", "--model", "foreign/emotion.onnx", "--data", "data/test.csv") == 0
    assert "Wrote 42 predictions" in capsys.readouterr().out


def test_a_ledger_that_somebody_edited_is_gone_on_with():
    evaluate = ("evaluate", "--model", "net/emotion.onnx", "--data", "data/kaggle.csv")
    assert run(*evaluate) == 0
    ledger = Path("experiments/test_scores.jsonl")
    known = ledger.read_text()
    ledger.write_text('{"sha256": "5e"}\n\n{"sha256": "5f"}')
    assert run(*evaluate) == 0
    assert ledger.read_text() == '{"sha256": "5e"}\n\n{"sha256": "5f"}\n' + known
    assert run(*evaluate) == 0
    assert ledger.read_text().count("\n") == 4


def test_a_spoilt_ledger_stops_the_scoring(capsys):
    Path("experiments").mkdir()
    Path("experiments/test_scores.jsonl").write_text('{"sha256": "1"}\n<<<<<<< HEAD\n')
    assert run("evaluate", "--model", "net/emotion.onnx", "--data", "data/kaggle.csv") == 2
    captured = capsys.readouterr()
    assert "test_scores.jsonl, line 2" in captured.err
    assert captured.out == ""


def test_what_training_said_stays_and_figures_of_another_network_go():
    command = ("evaluate", "--model", "net/emotion.onnx", "--data", "data/mine.csv", "--out", "net")
    Path("net/metrics.json").write_text('{"experiment": "brightness", "epochs": 30}')
    run(*command)
    assert read_metrics("net")["epochs"] == 30
    Path("net/metrics.json").write_text('{"experiment": "another", "epochs": 30}')
    run(*command)
    assert set(read_metrics("net")) == {"experiment", "test"}


def publish_network(artifact_path):
    """Let `results/model` show a network, with what its training said."""
    folder = Path("results/model")
    folder.mkdir(parents=True)
    for suffix in (".onnx", ".json"):
        shutil.copy(artifact_path.with_suffix(suffix), folder)
    experiment = load_artifact(artifact_path).experiment
    (folder / "metrics.json").write_text(json.dumps({"experiment": experiment, "epochs": 30}))


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_the_shipped_networks_figures_go_where_it_is_shown():
    publish_network(load_artifact().onnx_path)
    assert run("evaluate", "--data", "data/kaggle.csv") == 0
    metrics = read_metrics("results/model")
    assert metrics["epochs"] == 30
    assert metrics["test"]["sha256"] == load_artifact().sha256


def test_the_shipped_networks_figures_do_not_join_those_of_another(capsys, brightness_network):
    # As after a training of one's own, of the recipe that the shipped network has as well.
    brightness_network(Path("retrained/emotion.onnx"))
    sidecar = Path("retrained/emotion.json")
    sidecar.write_text(sidecar.read_text().replace("brightness", load_artifact().experiment))
    publish_network(Path("retrained/emotion.onnx"))
    before = contents("results/model")
    assert run("evaluate", "--data", "data/kaggle.csv") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Accuracy on the test set")
    assert "results/model shows the figures of another network" in captured.err
    assert contents("results/model") == before
    assert read_metrics("results/evaluation")["test"]["sha256"] == load_artifact().sha256

    own = Path("results/model/emotion.onnx")
    assert run("evaluate", "--model", own, "--data", "data/kaggle.csv") == 0
    metrics = read_metrics("results/model")
    assert metrics["epochs"] == 30
    assert metrics["test"]["sha256"] == load_artifact(Path("retrained/emotion.onnx")).sha256


def test_without_a_network_in_results_the_shipped_ones_figures_go_elsewhere():
    assert run("evaluate", "--data", "data/kaggle.csv") == 0
    assert not Path("results/model").exists()
    assert Path("results/evaluation/metrics.json").exists()


def test_another_network_of_the_folder_leaves_the_artifacts_figures_alone(brightness_network):
    run("evaluate", "--model", "net/emotion.onnx", "--data", "data/kaggle.csv")
    before = contents("net")
    brightness_network(Path("net/uncalibrated.onnx"), sharpness=20.0)
    assert run("evaluate", "--model", "net/uncalibrated.onnx", "--data", "data/kaggle.csv") == 0
    assert contents("net").items() >= before.items()
    scores = read_metrics("results/evaluation")["test"]
    assert scores["sha256"] == load_artifact(Path("net/uncalibrated.onnx")).sha256


def test_a_folder_of_another_network_is_refused_before_the_look(capsys, brightness_network):
    publish_network(Path("net/emotion.onnx"))
    before = contents("results/model")
    brightness_network(Path("other/emotion.onnx"), sharpness=20.0)
    command = ("evaluate", "--model", "other/emotion.onnx", "--data", "data/kaggle.csv")
    assert run(*command, "--out", "results/model") == 2
    error = capsys.readouterr().err
    assert "results/model shows the figures of its emotion.onnx" in error
    assert "--out" in error
    assert contents("results/model") == before
    assert not Path("experiments").exists(), "nothing was seen"


def test_predict_writes_a_row_for_every_face_without_labels():
    assert run("predict", "--model", "net/emotion.onnx", "--out", "out/p.csv") == 0
    with Path("out/p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["face"]) for row in rows] == list(range(len(LABELS)))
    for row in rows:
        shares = [float(row[emotion]) for emotion in EMOTIONS]
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert row["emotion"] == EMOTIONS[int(row["label"])] == EMOTIONS[int(np.argmax(shares))]
        assert float(row["confidence"]) == max(shares)


def test_faces_under_other_names_than_the_networks_are_answered_without_truth(capsys):
    for name in ("Freude", "Wut"):
        folder = Path("data/german") / name
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "1.png"), np.full((48, 48), 90, np.uint8))
    assert run("predict", "--model", "net/emotion.onnx", "--data", "data/german") == 0
    told = capsys.readouterr().err
    assert "The data speak of Freude, Wut, the network of angry, " in told
    with Path("results/predictions.csv").open(newline="") as file:
        assert [row["truth"] for row in csv.DictReader(file)] == ["", ""]


def test_no_name_of_a_class_or_a_file_is_run_as_a_formula_by_a_spreadsheet(tmp_path):
    names = ("=1+1", "-sad", "'=x")
    shares = np.eye(3, dtype=np.float32)
    answers = Predictions(
        probabilities=shares,
        names=names,
        faces_u8=np.zeros((3, 48, 48), np.uint8),
        truth=np.arange(3),
        files=("@1.png", "'=2.png", "a,b\nc.png"),
    )
    write_predictions(tmp_path / "predictions.csv", answers)
    with (tmp_path / "predictions.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert not [cell for row in table for cell in row if cell[:1] in ("=", "-", "@", "+")]
    header, *rows = ([plain_text(cell) for cell in row] for row in table)
    assert tuple(header[-3:]) == names
    assert [(row[1], row[2], row[4]) for row in rows] == [
        ("@1.png", "=1+1", "=1+1"),
        ("'=2.png", "-sad", "-sad"),
        ("a,b%0Ac.png", "'=x", "'=x"),
    ]


@pytest.mark.usefixtures("drawn_figures")
def test_a_folder_of_any_name_is_scored():
    folder = Path("data/a$^$b 顔") / "happy"
    folder.mkdir(parents=True)
    cv2.imwrite("1.png", np.full((48, 48), 90, np.uint8))
    Path("1.png").rename(folder / "1.png")
    assert run("evaluate", "--model", "net/emotion.onnx", "--data", folder.parent) == 0


@pytest.mark.usefixtures("drawn_figures")
def test_predict_and_evaluate_name_file_and_truth_and_show_the_wrong_faces(capsys):
    table = Path("faces.csv")
    pictures = []
    for number, grey in enumerate((0, 40, 80, 255)):
        cv2.imwrite(f"{number}.png", np.full((60, 60), grey, np.uint8))
        pictures.append(f"{number}.png;{EMOTIONS[0]}")
    table.write_text("image;label\n" + "\n".join([*pictures, "gone.png;sad"]) + "\n")
    words = ("--model", "net/emotion.onnx", "--data", table)
    for command in (
        ("predict", *words, "--out", "out/p.csv"),
        ("evaluate", *words, "--out", "scored"),
    ):
        assert run(*command) == 0
        told = "1 of 5 pictures were skipped: no such file (row 5, gone.png)"
        assert told in capsys.readouterr().err
    for path in (Path("out/p.csv"), Path("scored/predictions.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["file"] for row in rows] == [f"{number}.png" for number in range(4)]
        assert {row["truth"] for row in rows} == {EMOTIONS[0]}
        wrong = [row for row in rows if row["emotion"] != row["truth"]]
        assert wrong
        shown = cv2.imread(str(path.with_name("wrong_faces.png")), cv2.IMREAD_GRAYSCALE)
        assert (shown < 100).mean() > 0.1  # Faces and captions on white: a part of it is dark.


def test_what_is_read_is_never_overwritten(capsys):
    Path("faces/happy").mkdir(parents=True)
    for name in ("1.png", "wrong_faces.png"):
        cv2.imwrite(f"faces/happy/{name}", np.full((48, 48), 90, np.uint8))
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    network = ("--model", "net/emotion.onnx", "--data")
    for words in (
        ("predict", *network, "data/mine.csv", "--out", "data/mine.csv"),
        ("predict", *network, "data/mine.csv", "--out", "net/emotion.onnx"),
        ("predict", *network, "data/mine.csv", "--out", "net/emotion.json"),
        ("predict", *network, "faces", "--out", "faces/happy/1.png"),
        ("predict", *network, "faces", "--out", "faces/happy/answers.csv"),
        ("evaluate", *network, "faces", "--out", "faces/happy"),
        ("evaluate", *network, "data/mine.csv", "--ledger", "data/mine.csv"),
        ("evaluate", *network, "data/mine.csv", "--ledger", "data/train.csv"),
    ):
        assert run(*words) == 2
        assert "is an input and would be overwritten" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.usefixtures("drawn_figures")
def test_the_wrong_faces_of_another_table_go_where_new_ones_come():
    sheet = Path("out/wrong_faces.png")
    sheet.parent.mkdir()
    sheet.write_bytes(b"of another table")
    predict = ("predict", "--model", "net/emotion.onnx", "--out", "out/p.csv", "--data")
    assert run(*predict, "data/test.csv") == 0  # It has no labels.
    assert sheet.read_bytes() == b"of another table"
    assert run(*predict, "data/mine.csv") == 0
    assert cv2.imread(str(sheet)) is not None


def test_the_working_folder_may_be_the_data():
    Path("faces/happy").mkdir(parents=True)
    cv2.imwrite("faces/happy/1.png", np.full((48, 48), 90, np.uint8))
    network = Path("net/emotion.onnx").resolve()
    os.chdir("faces")
    assert run("evaluate", "--model", network, "--data", ".", "--out", "../scored") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evaluate", "--model", "net/emotion.onnx", "--data", "data/test.csv"), "has no labels"),
        (("evaluate", "--model", "net/missing.onnx", "--data", "data/mine.csv"), "no network"),
        (("evaluate", "--model", "data/mine.csv", "--data", "data/mine.csv"), ".onnx or .keras"),
        (("predict", "--model", "net/emotion.onnx", "--data", "none.csv"), "none.csv"),
    ],
)
def test_what_cannot_be_scored_is_one_line(capsys, words, message):
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_score_on_what_the_network_learnt_from_is_called_so(capsys):
    Path("net/data.json").write_text(
        json.dumps({"source": "data/mine.csv", "faces": 42, "sha256": "5e"})
    )
    assert run("evaluate", "--model", "net/emotion.onnx", "--data", "data/mine.csv") == 0
    assert "learnt from data/mine.csv: these are no figures of a test" in capsys.readouterr().err
    described = {"source": "data/own", "faces": 2, "sha256": "5e"}
    Path("net/data.json").write_text(json.dumps(described))
    for use in ("train", "val", "test"):
        folder = Path("data/own") / use / "happy"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "1.png"), np.full((48, 48), 90, np.uint8))
        assert run("evaluate", "--model", "net/emotion.onnx", "--data", folder.parent) == 0
        assert ("no figures of a test" in capsys.readouterr().err) == (use != "test")
    Path("net/data.json").write_text(json.dumps({**described, "source": "data/mine.csv"}))
    assert run("evaluate", "--model", "net/emotion.onnx", "--data", "data/kaggle.csv") == 0
    assert "learnt from" not in capsys.readouterr().err


def test_a_score_on_fer2013s_training_faces_is_called_so_wherever_they_lie(
    capsys, monkeypatch, faces_of
):
    trained = faces_of(LABELS, noise=0.06)
    signs = {
        known_test_faces._TEST_TABLE: known_test_faces._signs(
            known_test_faces.fingerprint(trained[:21])
        ),
        known_test_faces._TRAINING_TABLE: known_test_faces._signs(
            known_test_faces.fingerprint(trained)
        ),
    }
    remarked = "About 21 of the 42 faces are FER2013's training faces"
    monkeypatch.setattr(known_test_faces, "_known_signs", signs.__getitem__)
    evaluate = ("evaluate", "--model", "net/emotion.onnx", "--data", "data/mine.csv")
    assert run(*evaluate) == 0
    assert remarked in capsys.readouterr().err
    told = {"source": "data/train.csv", "faces": 28709, "sha256": FER2013_FINGERPRINT}
    Path("net/data.json").write_text(json.dumps(told))
    assert run(*evaluate) == 0
    assert remarked in capsys.readouterr().err
    Path("net/data.json").write_text(json.dumps({**told, "sha256": "5e"}))
    assert run(*evaluate) == 0
    assert "training faces" not in capsys.readouterr().err
    # One that was fine-tuned on others has learnt them by the network that it began as.
    shutil.copyfile(recipe_file(Path("finetune")), "net/experiment.toml")
    assert run(*evaluate) == 0
    assert remarked in capsys.readouterr().err
    # Test faces that are copies of training faces are test faces all the same.
    signs[known_test_faces._TEST_TABLE] = signs[known_test_faces._TRAINING_TABLE]
    Path("net/data.json").unlink()
    assert run(*evaluate) == 0
    assert "training faces" not in capsys.readouterr().err


def test_intervals_of_faces_reckon_with_the_persons_that_they_are_of(capsys):
    random = np.random.default_rng(0)
    for emotion in ("happy", "sad"):
        folder = Path("data/faces") / emotion
        folder.mkdir(parents=True)
        for person in ("anna", "ben"):
            for number in range(30):
                picture = random.integers(0, 256, (48, 48), np.uint8)
                cv2.imwrite(str(folder / f"{person}_{number}.png"), picture)
    evaluate = ("evaluate", "--model", "net/emotion.onnx", "--data", "data/faces")
    assert run(*evaluate) == 0
    assert "groups" not in capsys.readouterr().err
    alone = read_metrics("results/evaluation")["test"]["plain"]["whole"]["accuracy"]
    assert run(*evaluate, "--groups", "^[^_]+") == 0
    assert "The 120 faces are of 2 groups." in capsys.readouterr().err
    of_persons = read_metrics("results/evaluation")["test"]["plain"]["whole"]["accuracy"]
    assert of_persons["value"] == alone["value"]
    assert of_persons["high"] - of_persons["low"] > 2 * (alone["high"] - alone["low"])


def test_the_groups_of_the_recipe_are_used_wherever_the_faces_have_them(capsys):
    for emotion in ("happy", "sad"):
        folder = Path("data/faces/test") / emotion
        folder.mkdir(parents=True)
        for name in ("anna_1", "anna_2", "ben_1"):
            cv2.imwrite(str(folder / f"{name}.png"), np.full((48, 48), 90, np.uint8))
    shutil.copytree("data/faces/test", "data/moved")
    recipe = recipe_file(Path("003")).read_text()
    own = Path("net/experiment.toml")
    own.write_text(recipe + '\n[data]\npath = "data/faces"\ngroups = "^([^_]+)_"\n')
    evaluate = ("evaluate", "--model", "net/emotion.onnx", "--data")
    for data in ("data/faces", "data/moved"):
        assert run(*evaluate, data) == 0
        assert "The 6 faces are of 2 groups." in capsys.readouterr().err
    for data in ("data/moved", "data/mine.csv"):
        Path("data/moved/sad/ben_1.png").replace("data/moved/sad/portrait.png")
        assert run(*evaluate, data) == 0
        told = capsys.readouterr().err
        assert "The groups of the network's recipe (^([^_]+)_) are not used: " in told
        assert "are of 2 groups" not in told
        Path("data/moved/sad/portrait.png").replace("data/moved/sad/ben_1.png")
    assert run(*evaluate, "data/moved", "--groups", "^[a-z]+") == 0
    assert "are not used" not in capsys.readouterr().err

    # A column's name is no pattern of paths: a folder keeps its own groups.
    own.write_text(recipe + '\n[data]\npath = "data/faces.csv"\ngroups = "anna"\n')
    for who in ("anna", "ben"):
        Path(f"data/persons/happy/{who}").mkdir(parents=True)
        for number in (1, 2):
            shutil.copy(f"data/moved/happy/{who}_1.png", f"data/persons/happy/{who}/{number}.png")
    assert run(*evaluate, "data/persons") == 0
    told = capsys.readouterr().err
    assert "The groups of the network's recipe (anna) are not used: " in told
    assert "The 4 faces are of 2 groups." in told

    own.write_text(recipe + '\n[data]\npath = "data/faces.csv"\ngroups = "Person"\n')
    rows = [f"happy,moved/happy/{who}.png,{who[:3]}" for who in ("anna_1", "anna_2", "ben_1")]
    Path("data/others.csv").write_text("\n".join(["label,file,person", *rows]) + "\n")
    assert run(*evaluate, "data/others.csv") == 0
    assert "The 3 faces are of 2 groups." in capsys.readouterr().err


@pytest.mark.usefixtures("drawn_figures")
def test_what_the_raters_say_is_drawn_where_it_is_known_and_only_there():
    report = scoring.score_network(
        Path("net/emotion.onnx"),
        Path("data/mine.csv"),
        groups="",
        out=Path("results/mine"),
        ledger=Path("ledger.jsonl"),
        say=print,
        remark=print,
    )
    said = np.eye(7, dtype=np.float32)[LABELS]
    votes = np.zeros((len(LABELS), 10), np.float32)
    votes[np.arange(len(LABELS)), [VOTE_CLASSES.index(EMOTIONS[label]) for label in LABELS]] = 10
    raters = score_against_raters(said, said, votes, None)
    folder = RunFolder(Path("results/mine"))
    pictures = (folder.raters_confusion_matrix, folder.raters_reliability_diagram)
    assert not any(picture.exists() for picture in pictures)
    scoring.write_report(replace(report, rater_scores=raters), folder)
    assert all(picture.stat().st_size > 10_000 for picture in pictures)
    scoring.write_report(report, folder)
    assert not any(picture.exists() for picture in pictures)


def test_a_training_file_of_other_labels_beside_the_faces_is_no_hindrance():
    Path("data/train.csv").write_text("emotion,pixels\nFreude," + " ".join(["7"] * 2304) + "\n")
    assert run("evaluate", "--model", "net/emotion.onnx", "--data", "data/mine.csv") == 0
    assert read_metrics("results/evaluation")["test"]["copies"] is None


def test_copies_are_looked_for_among_the_faces_that_the_run_names():
    Path("data/train.csv").rename("elsewhere.csv")
    evaluate = ("evaluate", "--model", "net/emotion.onnx", "--data", "data/mine.csv")
    assert run(*evaluate) == 0
    assert read_metrics("results/evaluation")["test"]["copies"] is None
    told = {"source": "elsewhere.csv", "faces": 3, "sha256": "5e"}
    Path("net/data.json").write_text(json.dumps(told))
    assert run(*evaluate) == 0
    assert read_metrics("results/evaluation")["test"]["copies"]["count"] == 3


def test_a_look_at_more_of_the_test_faces_is_counted_again(capsys):
    lines = Path("data/kaggle.csv").read_text().splitlines()
    Path("data/part.csv").write_text("\n".join(lines[:26]) + "\n")
    for data in ("part", "kaggle", "part", "kaggle"):
        assert run("evaluate", "--model", "net/emotion.onnx", "--data", f"data/{data}.csv") == 0
    assert [entry["test_faces"] for entry in read_ledger()] == [25, 42]


def test_a_look_at_others_of_the_test_faces_is_counted_again(capsys):
    """As many of them, or fewer: none of these has the network been asked about."""
    header, *rows = Path("data/kaggle.csv").read_text().splitlines()
    for name, part in (("first", rows[:21]), ("last", rows[21:])):
        Path(f"data/{name}.csv").write_text("\n".join([header, *part, ""]))
    for data in ("first", "last", "first", "last"):
        assert run("evaluate", "--model", "net/emotion.onnx", "--data", f"data/{data}.csv") == 0
    assert [entry["test_faces"] for entry in read_ledger()] == [21, 21]
