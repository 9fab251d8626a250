import pytest

from mien.core.errors import SourceError
from mien.faces import models


@pytest.mark.usefixtures("without_yunet")
def test_a_failed_download_is_said_once_and_not_tried_again(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "YUNET_URL", (tmp_path / "nowhere" / "yunet.onnx").as_uri())
    said = []
    models.fetch_yunet_once(said.append)
    assert len(said) == 2
    assert "Going on with the detector haar" in said[1]
    models.fetch_yunet_once(said.append)
    assert len(said) == 2
    with pytest.raises(SourceError):
        models.download_yunet()


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
    models.fetch_yunet_once(said.append)
    found = models.find_yunet()
    assert found.read_bytes() == b"weights"
    assert models.read_yunet(found) == b"weights"
    models.fetch_yunet_once(said.append)
    assert len(said) == 1
