"""`mien compare`, `evaluate`, `predict`, `export` and `quantise`: networks that are trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import remark
from mien.cli.options import GroupsOption, VotesOption, fetch_detector_for_clips
from mien.cli.paths import to_read, to_write
from mien.core.errors import SettingError


def compare(
    first: Annotated[
        Path, typer.Argument(parser=to_read, help="An .onnx or a .keras file in its run folder.")
    ],
    second: Annotated[Path, typer.Argument(parser=to_read, help="The network to compare it with.")],
    data: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="What both were trained on; if none, what the first one's run names, else "
            "data/train.csv.",
        ),
    ] = None,
) -> None:
    """Compare two networks on their validation faces, with paired bootstrap intervals."""
    from mien.evaluation.compare import compare_networks

    for line in compare_networks(first, second, training_data=data):
        typer.echo(line)


def evaluate(
    model: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="ONNX or Keras file. Default: the shipped network.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="Labelled faces to score it on; data/test_with_emotions.csv if none, where it is "
            "about FER2013's faces.",
        ),
    ] = None,
    groups: GroupsOption = "",
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_write,
            metavar="PATH",
            help="Folder for the figures; if none, that of the model for FER2013's test faces, "
            "unless its emotion.onnx is another network, and results/evaluation for others.",
        ),
    ] = None,
    ledger: Annotated[
        Path,
        typer.Option(
            parser=to_write, metavar="PATH", help="Log of all evaluations on FER2013's test faces."
        ),
    ] = Path("experiments/test_scores.jsonl"),
) -> None:
    """Score a network: accuracy, every emotion, calibration, confusion matrix.

    A temporal network is compared with smoothing and averages, on clips or synthetic sequences.
    """
    if model is not None and model.suffix == ".keras":
        from mien.evaluation.over_time import is_network_over_time, score_over_time

        if is_network_over_time(model):
            if groups:
                raise SettingError(
                    f"Found --groups {groups} for {model}, a temporal network: it is scored on "
                    "clips, whose subjects their set names; leave --groups out."
                )
            if data is not None:
                fetch_detector_for_clips(data)
            score_over_time(
                model,
                data,
                out=out,
                ledger=ledger,
                say=typer.echo,
                remark=remark,
            )
            return
    from mien.evaluation.scoring import score_network

    score_network(
        model,
        data,
        groups=groups,
        out=out,
        ledger=ledger,
        say=typer.echo,
        remark=remark,
    )


def predict(
    data: Annotated[
        Path, typer.Option(parser=to_read, metavar="PATH", help="Faces, with or without labels.")
    ] = Path("data/test.csv"),
    model: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="ONNX or Keras file. Default: the shipped network.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(parser=to_write, metavar="PATH", help="The CSV file to write.")
    ] = Path("results/predictions.csv"),
    reading: Annotated[
        str | None,
        typer.Option(
            help="Answer as raters (what people would say) or as labels (FER2013's). Default: "
            "labels, which mien evaluate scores."
        ),
    ] = None,
) -> None:
    """Write a row for every face as CSV, and a picture of the wrong ones.

    A row holds the face's file, the truth, the answer and the probabilities.
    """
    from mien.evaluation.scoring import predict as predict_faces

    count = predict_faces(model, data, out, remark, reading=reading)
    typer.echo(f"Wrote {count:,} predictions to {out}")


def export(
    keras_file: Annotated[Path, typer.Argument(parser=to_read, help="The trained network.")] = Path(
        "results/model/final_emotion_model.keras"
    ),
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_write,
            metavar="PATH",
            help="Folder for emotion.onnx and emotion.json; if none, that of the Keras file.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="What it was trained on, whose validation faces calibrate it; if none, what its "
            "run names, else data/train.csv.",
        ),
    ] = None,
    votes: VotesOption = Path("data/fer2013new.csv"),
) -> None:
    """Turn a trained network into the ONNX artifact that mien runs."""
    from mien.export.onnx_file import export_file

    artifact = export_file(
        keras_file,
        out or keras_file.parent,
        training_data=data,
        votes_file=votes,
        say=typer.echo,
    )
    typer.echo(f"Wrote {artifact.onnx_path} (SHA-256 {artifact.sha256})")


def quantise(
    artifact: Annotated[
        Path | None,
        typer.Argument(parser=to_read, help="ONNX file. Default: the shipped network."),
    ] = None,
    out: Annotated[
        Path, typer.Option(parser=to_write, metavar="PATH", help="The .onnx file to write.")
    ] = Path("results/int8/emotion.onnx"),
    data: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="What the network was trained on; if none, what its run names, else "
            "data/train.csv. Of a network without a recipe any faces, labelled or not.",
        ),
    ] = None,
    votes: VotesOption = Path("data/fer2013new.csv"),
) -> None:
    """Turn an artifact into one that computes in 8-bit integers, and compare the two."""
    from mien.export.int8 import quantise_file

    written = quantise_file(artifact, out, training_data=data, votes_file=votes, say=typer.echo)
    typer.echo(f"Wrote {written.onnx_path} (SHA-256 {written.sha256})")
