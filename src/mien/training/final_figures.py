"""The part of the architecture report that an evaluation adds to, without Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.core.files import write_atomically
from mien.training.config import Experiment, load_experiment
from mien.training.run_folder import RunFolder

_HEADING = "Final figures"


def final_figures(experiment: Experiment, metrics: Mapping[str, Any]) -> str:
    """Return the part: what training ended with, the test if there was one, and the decision.

    Args:
        experiment: The recipe of the run.
        metrics: The content of the run's `metrics.json`.
    """
    lines = [
        f"validation accuracy {metrics['validation_accuracy']:.2%}, "
        f"log-loss {metrics['validation_loss']:.4f}",
        f"epoch {metrics['chosen_epoch']} of {metrics['epochs']} chosen by the validation faces, "
        f"{metrics['training_minutes']:.1f} minutes of training",
        *_test_lines(metrics.get("test")),
        f"{experiment.status}: {experiment.finding}" if experiment.finding else experiment.status,
    ]
    return headed(_HEADING, lines)


def headed(title: str, lines: list[str]) -> str:
    """Return lines under an underlined title, as a report has them."""
    return "\n".join([title, "=" * len(title), *lines])


def refresh_final_figures(run: RunFolder) -> None:
    """Write the part anew in a run's report, where there is one; all else in it stays."""
    metrics = run.read_metrics()
    if not (run.architecture.is_file() and run.recipe.is_file() and "training_minutes" in metrics):
        return
    sections = run.architecture.read_text(encoding="utf-8").split("\n\n")
    told = final_figures(load_experiment(run.recipe), metrics)
    begin = f"{_HEADING}\n="
    changed = [told if section.startswith(begin) else section for section in sections]
    write_atomically(run.architecture, "\n\n".join(changed))


def _test_lines(test: Mapping[str, Any] | None) -> list[str]:
    if test is None or "plain" not in test:  # Earlier versions wrote other figures.
        return []
    whole, raters = test["plain"]["whole"], test.get("rater_scores")
    lines = [
        f"test, {test['data']}, by its labels: accuracy {_share(whole['accuracy'])}, "
        f"macro F1 {whole['macro']['f1']:.3f}"
    ]
    if raters is not None:
        lines.append(
            f"test, by FER+'s raters: their majority {_share(raters['majority'])}; where more than "
            f"five of ten agree, mean recall {_share(raters['mean_recall'])}"
        )
    return lines


def _share(measured: Mapping[str, Any]) -> str:
    return f"{measured['value']:.2%} ({measured['low']:.2%} to {measured['high']:.2%})"
