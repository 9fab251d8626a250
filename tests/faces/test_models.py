import sys
import threading
from pathlib import Path

import pytest

from mien.core.errors import OutputError, SourceError
from mien.faces import models


@pytest.mark.usefixtures("without_yunet")
def test_a_failed_download_is_said_in_one_line_and_not_tried_again(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "YUNET_URL", (tmp_path / "nowhere" / "yunet.onnx").as_uri())
    said = []
    models.fetch_detector("auto", said.append)
    assert len(said) == 1
    assert "Going on with haar;  mien models download  tries again." in said[0]
    models.fetch_detector("auto", said.append)
    assert len(said) == 1
    with pytest.raises(SourceError):
        models.download_yunet()


@pytest.mark.usefixtures("without_yunet")
def test_a_network_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(models, "FETCH_S", 0.01)
    hanging = threading.Event()
    monkeypatch.setattr(models, "download_yunet", hanging.wait)
    said = []
    models.fetch_detector("yunet", said.append)
    assert "did not come within 0.01 s. Going on with haar" in said[0]
    models.fetch_detector("yunet", said.append)
    assert len(said) == 1
    hanging.set()


@pytest.mark.usefixtures("without_yunet")
@pytest.mark.parametrize(
    ("detector", "options", "variable"),
    [("auto", {"offline": True}, ""), ("yunet", {}, "1"), ("haar", {}, ""), ("mtcnn", {}, "0")],
)
def test_nothing_is_fetched_offline_or_for_another_detector(
    monkeypatch, detector, options, variable
):
    monkeypatch.setattr(models, "download_yunet", lambda: pytest.fail("it was fetched"))
    monkeypatch.setenv("MIEN_OFFLINE", variable)
    models.fetch_detector(detector, pytest.fail, **options)


@pytest.mark.usefixtures("without_yunet")
def test_a_downloaded_file_is_found_from_then_on(monkeypatch, tmp_path):
    published = tmp_path / "published" / "yunet.onnx"
    published.parent.mkdir()
    published.write_bytes(b"weights")
    monkeypatch.setattr(models, "YUNET_URL", published.as_uri())
    with pytest.raises(SourceError, match="SHA-256"):
        models.download_yunet()
    assert models.find_yunet() is None
    digest = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    monkeypatch.setattr(models, "YUNET_SHA256", digest)
    said = []
    models.fetch_detector("auto", said.append)
    found = models.find_yunet()
    assert found.read_bytes() == b"weights"
    assert models.read_yunet(found) == b"weights"
    models.fetch_detector("auto", said.append)
    assert len(said) == 1


@pytest.mark.usefixtures("without_yunet")
def test_a_named_file_goes_before_the_wheels_own_and_that_before_the_cache(monkeypatch, tmp_path):
    for folder in (models.cache_folder(), tmp_path / "assets"):
        file = folder / models.YUNET_NAME
        file.parent.mkdir(parents=True)
        file.touch()
        assert models.find_yunet() == file
    named = tmp_path / "named.onnx"
    named.touch()
    monkeypatch.setenv("MIEN_YUNET", str(named))
    assert models.find_yunet() == named


@pytest.mark.usefixtures("without_yunet")
def test_a_download_goes_where_it_is_told_to(monkeypatch, tmp_path):
    published = tmp_path / "published.onnx"
    published.write_bytes(b"weights")
    monkeypatch.setattr(models, "YUNET_URL", published.as_uri())
    digest = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    monkeypatch.setattr(models, "YUNET_SHA256", digest)
    file = models.download_yunet(tmp_path / "wheel")
    assert file == tmp_path / "wheel" / models.YUNET_NAME
    assert file.read_bytes() == b"weights"


class Elsewhere:
    """A home folder that is another user's, or none."""

    def __init__(self, monkeypatch, is_there):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(Path, "home", self.home if is_there else self.no_home)
        for name in ("is_file", "exists"):
            monkeypatch.setattr(Path, name, self.ask(getattr(Path, name)))

    def home(self):
        return Path("/another")

    def no_home(self):
        raise RuntimeError("Could not determine home directory.")

    @staticmethod
    def ask(method):
        def ask(path):
            if str(path).startswith("/another"):
                raise PermissionError(13, "Permission denied", str(path))
            return method(path)

        return ask


@pytest.mark.usefixtures("without_yunet")
@pytest.mark.parametrize("is_there", [True, False], ids=["another user's", "none"])
def test_a_home_that_cannot_be_reached_holds_no_yunet(monkeypatch, is_there):
    Elsewhere(monkeypatch, is_there)
    monkeypatch.setattr(models, "download_yunet", lambda: pytest.fail("it was fetched"))
    assert models.find_yunet() is None
    models.fetch_detector("auto", pytest.fail)
    if not is_there:
        with pytest.raises(OutputError, match=r"no home folder.*XDG_CACHE_HOME to a folder"):
            models.cache_folder()
