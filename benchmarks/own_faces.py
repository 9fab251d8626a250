"""What fine-tuning the shipped network is worth, on few faces under other names.

    python benchmarks/own_faces.py 5 20 100

takes so many of FER2013's validation faces a class, as pictures in a folder with German names,
fine-tunes on them and trains recipe 003 on them from random weights, and scores both on other
validation faces. The shipped network has not been trained on these faces, but it has chosen its
epoch by them, and it has seen 25,000 of their kind: with faces unlike FER2013's the gain is
smaller. FER2013's test faces are not used.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import keras
import numpy as np
from inputs import existing

from mien.core.labels import EMOTIONS
from mien.core.preprocess import to_network_input
from mien.models.heads import LABEL_HEAD
from mien.models.keras_file import load_network
from mien.training.faces import LabelledFaces, load_split
from mien.training.fit import train
from mien.training.job import TrainingJob
from mien.training.recall import mean_recall
from mien.training.recipe import Recipe, shipped_recipe
from mien.training.run_folder import RunFolder
from mien.training.variants import for_own_faces

GERMAN = dict(
    zip(EMOTIONS, ("Wut", "Ekel", "Furcht", "Freude", "Trauer", "Staunen", "Ruhe"), strict=True)
)


def main() -> None:
    """Print a line for each number of faces and recipe."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("counts", type=int, nargs="+", help="faces a class")
    parser.add_argument("--data", type=existing, default="data/train.csv")
    parser.add_argument("--scored", type=int, default=50, help="other faces a class, to score on")
    options = parser.parse_args()
    _, validation = load_split(Path("experiments/021_taught_again.toml"), options.data)
    random = np.random.default_rng(0)
    order = random.permutation(len(validation.labels))
    of_class = [order[validation.labels[order] == label] for label in range(len(EMOTIONS))]
    # Disgust has 44 validation faces: at most half of a class is scored.
    scored = [faces[: min(options.scored, len(faces) // 2)] for faces in of_class]
    test = validation.take(np.concatenate(scored))
    for count in options.counts:
        chosen = [
            faces[len(kept) : len(kept) + count]
            for faces, kept in zip(of_class, scored, strict=True)
        ]
        with tempfile.TemporaryDirectory() as folder:
            faces = validation.take(np.concatenate(chosen))
            write_folder(faces, Path(folder) / "faces")
            for name in ("finetune", "003"):
                recipe = for_own_faces(
                    shipped_recipe(name),
                    Path(folder) / "faces",
                    groups="",
                    name=name,
                    changes={"split.validation_fraction": 0.2, "training.batch_size": 16},
                )
                accuracy, recall = measure(recipe, Path(folder), test)
                print(
                    f"{count} a class ({len(faces.labels)} faces), {name}: accuracy "
                    f"{accuracy:.1%}, mean recall {recall:.1%} of {len(test.labels)} other faces",
                    flush=True,
                )


def write_folder(faces: LabelledFaces, folder: Path) -> None:
    for number, (face, label) in enumerate(zip(faces.faces_u8, faces.labels, strict=True)):
        of_class = folder / GERMAN[EMOTIONS[label]]
        of_class.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(of_class / f"{number}.png"), face)


def measure(recipe: Recipe, folder: Path, test: LabelledFaces) -> tuple[float, float]:
    """Train a recipe and score its network: accuracy and mean recall."""
    keras.backend.clear_session()
    network = load_network(
        train(
            TrainingJob(
                recipe=recipe,
                training_data=folder / "faces",
                votes_file=folder / "none",
                run=RunFolder(folder / "runs" / recipe.name),
                log_folder=folder / "logs" / recipe.name,
                say=lambda _line: None,
            )
        )
    )
    answers = network.predict(to_network_input(test.faces_u8), batch_size=128, verbose=0)
    names = recipe.experiment.class_table.names
    label_of = np.array([EMOTIONS.index(e) for n in names for e, g in GERMAN.items() if g == n])
    predicted = label_of[answers[LABEL_HEAD].argmax(axis=1)]
    return float(np.mean(predicted == test.labels)), mean_recall(predicted, test.labels)


if __name__ == "__main__":
    main()
