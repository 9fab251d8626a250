from pathlib import Path

import pytest

from mien.core.errors import DataError
from mien.core.labels import VOTE_CLASSES
from mien.data.ferplus import load_votes

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "fer2013new.csv"
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    return path


def test_votes_are_in_the_order_of_the_classes(tmp_path: Path) -> None:
    votes = load_votes(
        write(
            tmp_path,
            HEADER,
            "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
            "PrivateTest,,0,0,0,0,0,0,0,0,0,10",
        )
    )
    assert votes.shape == (2, len(VOTE_CLASSES))
    assert votes[0, VOTE_CLASSES.index("angry")] == 3
    assert votes[1, VOTE_CLASSES.index("not a face")] == 10


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        ([], "line 1: found the header"),
        (["emotion,pixels"], "line 1: found the header 'emotion,pixels'"),
        ([HEADER, "Training,a.png,1,2,3"], r"row 1 \(line 2\): found 5 columns; expected 12"),
        (
            [HEADER, "Training,a.png,0,0,0,0,0,0,-1,0,0,0"],
            r"row 1 \(line 2\), column fear: found '-1'",
        ),
        ([HEADER, "Training,a.png,0,0,0,0,0,0,0,0,0,"], r"column NF: found ''"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, lines: list[str], part: str) -> None:
    with pytest.raises(DataError, match=part):
        load_votes(write(tmp_path, *lines))


def test_a_missing_file_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mien data download"):
        load_votes(tmp_path / "fer2013new.csv")
