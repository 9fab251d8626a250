"""A temporal network: the same step by step, at any pace; trained, resumed, compared."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.cli import main
from mien.core.artifact import load_artifact
from mien.core.errors import DataError, ModelError
from mien.core.labels import EMOTIONS
from mien.data import test_faces
from mien.data.face_sequences import FaceSequence
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.evaluation.over_time import compare_ways
from mien.models.config import TemporalConfig
from mien.models.temporal import build_temporal, step_network
from mien.training.faces import load_faces
from mien.training.iterations import iteration_history
from mien.training.job import TrainingJob
from mien.training.provenance import check_same_input
from mien.training.recipe import find_recipe
from mien.training.run_folder import RunFolder, write_json
from mien.training.sequence_batches import observed_of, targets_of
from mien.training.temporal import train_temporal

RECIPE = """
title = "A toy over time"
rationale = "Small enough to train in seconds."
status = "candidate"

[network]
family = "temporal"
units = 4

[sequences]
faces = 21
per_epoch = 32
steps = 8
held_out_faces = 14
held_out = 12

[split]
validation_fraction = 0.4

[training]
epochs = 3
batch_size = 16
learning_rate = 0.01
"""


def network_of(cell, features=3):
    """A network whose every weight plays a part."""
    keras.utils.set_random_seed(0)
    network = build_temporal(
        TemporalConfig(family="temporal", cell=cell, units=5, moments=4), features, 7
    )
    random = np.random.default_rng(0)
    for weight in network.trainable_variables:
        weight.assign(weight + 0.3 * random.normal(size=weight.shape))
    return network


def sequence_of(times_ms, probabilities, features=3):
    count = len(times_ms)
    return FaceSequence(
        "a", "a", np.asarray(times_ms, float),
        np.linspace(-1, 1, count * features, dtype=np.float32).reshape(count, features),
        np.asarray(probabilities, np.float32),
        np.ones((count, 4), np.float32), np.eye(7, dtype=np.float32)[[3] * count],
        np.eye(7, dtype=np.float32)[3],
    )  # fmt: skip


@pytest.fixture(scope="module")
def sequence():
    random = np.random.default_rng(1)
    times_ms = random.uniform(15, 200, 9).cumsum()
    return sequence_of(times_ms, random.dirichlet(np.ones(7), 9))


@pytest.mark.parametrize("cell", ["gru", "lstm", "convolution"])
def test_step_by_step_it_says_what_it_says_of_the_whole(cell, sequence):
    network = network_of(cell)
    observed = observed_of([sequence])
    logits = network.predict(observed, verbose=0)[0]
    step = step_network(network)
    state = np.zeros((1, step.input["state"].shape[1]), np.float32)
    for moment, row in zip(observed[0], logits, strict=True):
        parts = np.split(moment[None], [3, 10, 14], axis=1)
        names = ("features", "probabilities", "quality", "elapsed_ms")
        answer = step({**dict(zip(names, map(keras.ops.array, parts), strict=True)),
                       "state": keras.ops.array(state)})  # fmt: skip
        state = np.asarray(answer["next_state"])
        for name, part in (("moment", row[:7]), ("clip", row[7:])):
            expected = np.exp(part - part.max()) / np.exp(part - part.max()).sum()
            said = np.asarray(answer[f"{name}_probabilities"])[0]
            np.testing.assert_allclose(said, expected, atol=1e-5)


def test_the_gru_does_not_mind_the_frame_rate(sequence):
    """The same things seen at the same times, at 10 and at 40 frames a second."""
    network = network_of("gru")
    random = np.random.default_rng(2)
    held = random.dirichlet(np.ones(7), 6)
    said = {}
    for rate in (10, 40):
        times_ms = np.arange(0, 3000, 1000 / rate)
        slow = sequence_of(times_ms, held[(times_ms // 500).astype(int)])
        slow.features[:] = 1
        observed = observed_of([slow])
        logits = network.predict(observed, verbose=0)[0, :, :7]
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        said[rate] = shares[(times_ms % 500 >= 400) & (times_ms % 100 == 0)]
    assert np.abs(said[10] - said[40]).max() < 0.1


def test_padding_is_nothing_to_learn_from(sequence):
    targets = targets_of([sequence.between(0, 5), sequence], 0.3)
    assert targets.shape == (2, 9, 14)
    assert targets[0, 5:].sum() == 0
    assert targets[:, :, :7].sum(axis=(1, 2)) == pytest.approx([1, 1])
    assert targets[0, 4, 7:].sum() == targets[1, 8, 7:].sum() == pytest.approx(0.3)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("over_time")
    write_csv(synthetic_dataset(140, seed=0), folder / "train.csv")
    (folder / "032_toy.toml").write_text(RECIPE)
    return folder


def train(workplace, data, run, say=print, *, restart=False):
    return train_temporal(
        TrainingJob(
            recipe=find_recipe(workplace / "032_toy.toml"),
            training_data=data,
            votes_file=workplace / "none.csv",
            run=RunFolder(run),
            log_folder=run.parent / "logs",
            say=say,
            restart=restart,
        )
    )


class StoppedError(Exception):
    """As a kill after an epoch."""


@pytest.fixture(scope="module")
def whole(workplace):
    """The folder of a run that has finished."""
    train(workplace, workplace / "train.csv", workplace / "whole")
    return workplace / "whole"


@pytest.fixture(scope="module")
def stopped(workplace, tmp_path_factory):
    """The folder of a run that was stopped after its second epoch of three."""

    def stop(line):
        if line.startswith("epoch 2/"):
            raise StoppedError

    run = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(StoppedError):
        train(workplace, workplace / "train.csv", run, stop)
    return run


def test_a_stopped_run_goes_on_and_ends_like_another(workplace, whole, stopped, tmp_path):
    shutil.copytree(stopped, tmp_path / "run")
    said = []
    train(workplace, workplace / "train.csv", tmp_path / "run", said.append)
    assert any(line.startswith("going on after epoch 2") for line in said)
    # What has its network counts as finished: whoever is killed before has no figures to miss.
    written = [tmp_path / "run" / name for name in ("metrics.json", "final_emotion_model.keras")]
    assert written == sorted(written, key=lambda path: path.stat().st_mtime_ns)
    histories = [
        json.loads((run / "history.json").read_text()) for run in (whole, tmp_path / "run")
    ]
    np.testing.assert_allclose(histories[0]["val_loss"], histories[1]["val_loss"], rtol=1e-3)
    assert (tmp_path / "run" / "learning_curves.png").is_file()
    metrics = RunFolder(tmp_path / "run").read_metrics()
    assert metrics["reading"] == "raters"
    assert len(metrics["face_artifact_sha256"]) == 64


@pytest.fixture
def write_clips(tmp_path, astronaut_bgr, write_video, without_yunet):
    """Return the function that writes clips of three actors, one for each emotion."""
    del without_yunet

    def write(*emotions):
        clips = tmp_path / "clips"
        clips.mkdir()
        face = cv2.resize(astronaut_bgr[:240, 60:300], (200, 200))
        for actor in (1001, 1002, 1003):
            for emotion in emotions:
                frames = [np.roll(face, i, axis=1) for i in range(6)]
                write_video(clips / f"{actor}_DFA_{emotion}_XX.mp4", frames, fps=10)
        return clips

    return write


def test_clips_train_it_and_it_is_compared_on_them(workplace, tmp_path, write_clips, capsys):
    clips = write_clips("HAP", "NEU")
    (clips / "1004_DFA_SAD_XX.mp4").write_bytes(b"no video")
    said = []
    network = train(workplace, clips, tmp_path / "run", said.append)
    assert "left out: 1004_DFA_SAD_XX.mp4: cannot be read" in "\n".join(said)
    assert "faces in clips are found by haar" in said
    assert json.loads((tmp_path / "run" / "data.json").read_text())["detector"] == "haar"
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--model", str(network), "--data", str(clips)])
    assert not stopped.value.code
    printed, remarks = capsys.readouterr()
    assert "of the 4 clips chose its epoch: the figures are too good" in remarks
    for way in ("mean of frames", "most confident frame", "smoother, best at", "temporal network"):
        assert way in printed
    # Those that it learnt from are not scored.
    report = json.loads((tmp_path / "run" / "over_time.json").read_text())
    assert report["sequences"] == 4
    other = clips.rename(tmp_path / "others")
    (other / "1003_DFA_NEU_XX.mp4").unlink()
    with pytest.raises(ModelError, match=r"holds a run on other data: 7 clips of .* not these 6"):
        train(workplace, other, tmp_path / "run")
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--model", str(network), "--data", str(other)])
    assert not stopped.value.code
    # Those of them that it learnt from are left out, though the set is another one.
    assert "3 of the clips are left out, as it has learnt them; 3 left" in capsys.readouterr().err
    report = json.loads((tmp_path / "run" / "over_time.json").read_text())
    assert report["sequences"] == 3
    # Two of them are happy, and a smile is all that they show.
    assert report["of_clips"]["mean of frames"]["accuracy"]["value"] == pytest.approx(2 / 3)
    # Where the folds keep clips for a test, those alone are scored.
    rows = [f"{path.name},happy,test" for path in other.glob("*_HAP_*")]
    rows += [f"{path.name},neutral,validation" for path in other.glob("*_NEU_*")]
    (other / "folds.csv").write_text("\n".join(["path,emotion,fold", *rows]))
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--model", str(network), "--data", str(other / "folds.csv")])
    assert not stopped.value.code
    assert "3 of the 5 clips are for a test, by the folds" in capsys.readouterr().err
    report = json.loads((tmp_path / "run" / "over_time.json").read_text())
    assert report["sequences"] == 2
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--model", str(network)])
    assert stopped.value.code
    assert "name labelled data that it has not seen" in capsys.readouterr().err
    history = iteration_history(workplace, tmp_path)
    assert "On other data than FER2013's" in "\n".join(history)


@pytest.mark.slow
def test_clips_are_cross_validated_by_subject(workplace, tmp_path, write_clips, capsys):
    clips = write_clips("HAP")
    words = ["train", str(workplace / "032_toy.toml"), "--data", str(clips), "--folds", "3"]
    places = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    with pytest.raises(SystemExit) as stopped:
        main([*words, *places, "--set", "training.epochs=1"])
    assert not stopped.value.code
    printed = capsys.readouterr().out
    assert printed.count("1 clips to train on, 1 to choose the epoch by, 1 held out") == 3
    assert "accuracy on what is held out: " in printed
    assert "whole sequences right of those held out: " in printed


def test_a_network_over_time_that_names_no_network_of_faces_is_one_clear_line(tmp_path, capsys):
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.recipe.write_text(RECIPE)
    (tmp_path / "train.csv").touch()
    words = ["evaluate", "--model", str(run.network), "--data", str(tmp_path / "train.csv")]
    for metrics, missing in (({}, "experiment, face_artifact"), ({"experiment": "x"}, "reading")):
        if metrics:
            run.write_metrics(metrics)
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        told = capsys.readouterr().err
        assert "metrics.json does not say" in told
        assert missing in told


@pytest.mark.parametrize(
    ("content", "message"), [(None, "There is no network"), (b"PK but no zip", "not a .keras file")]
)
def test_a_network_over_time_that_is_not_there_or_damaged_is_one_clear_line(
    workplace, tmp_path, capsys, content, message
):
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.recipe.write_text(RECIPE)
    shipped = load_artifact()
    run.write_metrics(
        {
            "experiment": "032_toy",
            "face_artifact": shipped.experiment,
            "face_artifact_sha256": shipped.sha256,
            "reading": "raters",
            "labels": list(EMOTIONS),
        }
    )
    if content:
        run.network.write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--model", str(run.network), "--data", str(workplace / "train.csv")])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_what_is_missing_is_found_before_a_run_is_thrown_away(workplace, whole, tmp_path):
    run = RunFolder(shutil.copytree(whole, tmp_path / "run"))
    kept = run.network.read_bytes()
    with pytest.raises(DataError):
        train(workplace, tmp_path / "nowhere.csv", run.path, restart=True)
    assert run.network.read_bytes() == kept


def test_a_run_does_not_go_on_with_what_another_network_says(workplace, stopped, tmp_path):
    run = shutil.copytree(stopped, tmp_path / "run")
    told = json.loads((run / "data.json").read_text())
    (run / "data.json").write_text(json.dumps({**told, "face_artifact_sha256": "0" * 64}))
    with pytest.raises(ModelError, match="what another network, or reading, says of faces"):
        train(workplace, workplace / "train.csv", run)


def test_a_run_does_not_go_on_with_faces_that_another_detector_finds(stopped):
    run = RunFolder(stopped)
    known = json.loads(run.data.read_text())
    write_json(run.data, {**known, "detector": "haar"})
    with pytest.raises(ModelError, match="faces that haar found; now there is yunet"):
        check_same_input({"detector": "yunet"}, run)
    write_json(run.data, known)  # As those of FER2013, which nobody has to find.
    check_same_input({"detector": "yunet"}, run)


def test_faces_that_it_has_not_learnt_are_scored_by_what_they_are_for(whole, tmp_path, capsys):
    faces = synthetic_dataset(60, seed=7)
    table = tmp_path / "own.csv"
    write_csv(replace(faces, usage=np.array(["PublicTest"] * 60)), table)
    words = ["evaluate", "--model", str(RunFolder(whole).network), "--data", str(table)]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--out", str(tmp_path)])
    assert not stopped.value.code, capsys.readouterr().err


def test_sequences_of_few_subjects_give_wide_intervals():
    """Those of one subject are alike, so that more of them say hardly more."""
    network = network_of("gru")
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    sequences = []
    for number in range(240):
        subject = number % 6
        said = np.eye(7)[[3 if subject % 2 else 0] * 8]  # Of three subjects every frame is right.
        sequence = sequence_of(40.0 * np.arange(8), said)
        sequences.append(replace(sequence, name=str(number), subject=f"subject {subject}"))
    independent = [replace(each, subject=each.name) for each in sequences]
    of_one = [replace(each, subject="anna") for each in sequences]
    widths, texts = [], []
    for each in (sequences, independent, of_one):
        report = compare_ways(network, each, "x", "y")
        measured = report.of_moments["each frame by itself"]["accuracy"]
        widths.append(measured.high - measured.low)
        texts.append("\n".join(report.lines()))
    # Of six subjects, a bootstrap alone would give some five times the width.
    assert widths[0] > 7 * widths[1]
    assert texts[0].startswith("240 sequences of 6 subjects, ")
    assert texts[1].startswith("240 sequences, ")
    assert widths[2] == np.inf
    assert "They are of one subject: how well others fare, nothing tells" in texts[2]
    assert "(-inf to +inf)" in texts[2]
    # Two accuracies lie 1 apart at most.
    of_two = compare_ways(network, [sequences[0], sequences[1]] * 20, "x", "y")
    measured = of_two.of_moments["each frame by itself"]["accuracy"]
    assert (measured.low, measured.high) == (-1, 1)


def test_faces_that_the_network_that_ships_has_learnt_do_not_judge(workplace, monkeypatch):
    """A temporal network learns from what it says: of its training faces that is too good."""
    faces = load_faces(workplace / "train.csv", None)
    signs = test_faces._signs(test_faces.fingerprint(faces.faces_u8))
    monkeypatch.setattr(test_faces, "_known_signs", lambda _table: signs)
    monkeypatch.setattr("mien.training.ancestors.FER2013_SPLIT", faces.split_fingerprint())
    run = workplace / "runs" / "known"
    with pytest.raises(ModelError, match="The shipped network trains on faces that would"):
        train(workplace, workplace / "train.csv", run)
    assert not RunFolder(run).is_finished
