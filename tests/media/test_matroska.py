"""Files as they are written by hand here: what a real one says is tested with the frames."""

import pytest

from mien.media.matroska import missing_bytes

HEADER = bytes.fromhex("1a45dfa3 83 428681 ".replace(" ", ""))
SEGMENT = bytes.fromhex("18538067")
PADDING = bytes.fromhex("ec 84 00000000".replace(" ", ""))


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        pytest.param(HEADER + SEGMENT + b"\x8a" + bytes(10), 0, id="whole"),
        pytest.param(HEADER + SEGMENT + b"\x8a" + bytes(7), 3, id="three bytes short"),
        pytest.param(HEADER + SEGMENT + b"\x40\x0a" + bytes(7), 3, id="length of two bytes"),
        pytest.param(HEADER + PADDING + SEGMENT + b"\x8a" + bytes(7), 3, id="padding before"),
        pytest.param(HEADER + SEGMENT + b"\x8a" + bytes(20), 0, id="more behind"),
        pytest.param(HEADER + SEGMENT + b"\xff" + bytes(7), 0, id="open length of one byte"),
        pytest.param(HEADER + SEGMENT + b"\1" + b"\xff" * 7, 0, id="open length"),
        pytest.param(HEADER + SEGMENT, 0, id="cut before the length"),
        pytest.param(HEADER + bytes(10**6), 0, id="zeros"),
        pytest.param(HEADER[:4], 0, id="cut in the header"),
        pytest.param(b"RIFF" + bytes(100), 0, id="something else"),
        pytest.param(b"", 0, id="empty"),
    ],
)
def test_a_file_says_how_much_of_it_is_missing(tmp_path, content, missing):
    path = tmp_path / "film.mkv"
    path.write_bytes(content)
    assert missing_bytes(path) == missing
