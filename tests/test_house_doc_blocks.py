"""Every command and every line of Python that the pages show is run, or says why it is not.

A block of `sh` or `python` is run in a folder that holds what the pages talk about: `photo.jpg`,
`photos/`, `clip.mp4`, `my_video.mp4`, `my_faces/`, `faces/`, a small `data/`, the experiments and
the finished runs. Above a block that is not run stands a comment, `<!-- not run: the reason -->`.
`make test-all` prints them.
"""

import contextlib
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(
    r"(?:^ *<!-- not run: ([^>]+) -->\n+)?^ *```(sh|python)\n(.*?)^ *```", re.M | re.S
)
# Long enough for a network to be trained for an epoch on a few faces; nothing waits for it.
MOST_SECONDS = 300


class Block(NamedTuple):
    page: str
    line: int
    language: str
    code: str
    reason: str | None


def every_block() -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start(2)) + 1
            name = page.relative_to(ROOT).as_posix()
            found.append(Block(name, line, match[2], textwrap.dedent(match[3]), match[1]))
    return found


BLOCKS = every_block()


@pytest.mark.slow
@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.reason is None],
    ids=lambda block: f"{block.page}:{block.line}",
)
def test_blocks_run(block, reader_folder):
    interpreter = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euc"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [*interpreter, block.code],
        cwd=reader_folder,
        env=os.environ | {"PATH": path, "MIEN_OFFLINE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}"


def test_blocks_that_are_not_run_say_why(capsys, request):
    left_out = [block for block in BLOCKS if block.reason is not None]
    # The list is for `make test-all`, which runs the others.
    shown = request.config.option.markexpr != "not slow"
    with capsys.disabled() if shown else contextlib.nullcontext():
        print(f"\n{len(BLOCKS) - len(left_out)} blocks of the pages run, {len(left_out)} do not:")
        for block in left_out:
            print(f"  {block.page}:{block.line}: {block.reason}")
    fences = (re.findall(r"```(?:sh|python)\b", page.read_text("utf-8")) for page in PAGES)
    assert len(BLOCKS) == sum(map(len, fences))
    assert {"README.md", "docs/engine.md"} <= {block.page for block in BLOCKS if not block.reason}
