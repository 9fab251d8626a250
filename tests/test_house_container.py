"""The Dockerfile can be built: what its steps read is in the context, and copied before."""

import posixpath
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTSIDE = re.compile(r"""["'](\.\./[^"'?]+)""")
BUILT = "src/mien/serve/static"


def copies_of(stage):
    """What a stage copies from the context, as pairs of paths: there, and below /mien."""
    found, folder = [], ""
    for line in stage.splitlines():
        word, _, rest = line.partition(" ")
        if word == "WORKDIR":
            folder = rest
        if word != "COPY" or rest.startswith("--from"):
            continue
        *sources, target = shlex.split(rest)
        into = posixpath.join(folder, target)
        for source in sources:
            # A folder's content is copied, but a file goes into a folder.
            place = into if (ROOT / source).is_dir() else posixpath.join(into, Path(source).name)
            found.append((source, posixpath.relpath(place, "/mien")))
    return found


def stages():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return {
        stage.splitlines()[0].rpartition(" AS ")[2]: stage
        for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    }


def is_let_through(path):
    """Whether .dockerignore leaves a path in the context: the last line that fits decides."""
    let = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if pattern.startswith("**/"):
            fits = pattern[3:] in path.split("/")
        else:
            fits = pattern == "*" or path == pattern or path.startswith(f"{pattern}/")
        if fits:
            let = line.startswith("!")
    return let


def test_everything_that_the_dockerfile_copies_is_let_through():
    sources = [source for stage in stages().values() for source, _ in copies_of(stage)]
    assert "pyproject.toml" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert is_let_through(source), f"{source} is copied, but .dockerignore leaves it out"


def test_what_the_page_reads_outside_its_folder_is_copied_before_it_is_built():
    stage, _, _ = stages()["page"].partition("RUN npm run build")
    copied = [place for _, place in copies_of(stage)]
    needed = set()
    files = [ROOT / "web" / "vite.config.ts", *(ROOT / "web" / "src").rglob("*.ts")]
    for file in files:
        folder = file.parent.relative_to(ROOT).as_posix()
        for path in OUTSIDE.findall(file.read_text(encoding="utf-8")):
            needed.add(posixpath.normpath(posixpath.join(folder, path)))
    needed = {path for path in needed if not path.startswith(("web/", BUILT))}
    assert {"src/mien/assets/demo.mp4", "docs/model-card.md"} <= needed
    for path in needed:
        assert any(path == place or path.startswith(f"{place}/") for place in copied), path


def test_what_the_build_of_the_wheel_reads_is_copied_before_it():
    stage, _, _ = stages()["wheel"].partition("RUN pip wheel")
    places = {place for _, place in copies_of(stage)}
    assert {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "experiments", "src"} <= (
        places
    )
