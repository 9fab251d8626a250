"""The process that decodes one HEIC picture: `python -m mien.serve.pictures.heic_process < FILE`.

Decoders of HEVC are large and made of C: what a hostile file does to one ends here, not in the
server. It writes width and height as two little-endian integers of 4 bytes, and the pixels, BGR.
"""

from __future__ import annotations

import struct
import sys

from mien.core.errors import SourceError
from mien.media.picture_files import decode_heic
from mien.serve.child import be_modest

MEMORY_MB = 2000
"""The most that a decoder may take: one of 50 million pixels takes some 500."""


def main() -> None:
    """Decode the picture on standard input."""
    be_modest(MEMORY_MB)
    try:
        image_bgr = decode_heic(sys.stdin.buffer.read(), "picture")
    except SourceError as error:
        sys.exit(str(error))
    height, width = image_bgr.shape[:2]
    sys.stdout.buffer.write(struct.pack("<II", width, height))
    sys.stdout.buffer.write(image_bgr.data)


if __name__ == "__main__":
    main()
