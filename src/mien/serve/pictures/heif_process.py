"""The process that decodes one HEIC or AVIF picture.

    python -m mien.serve.pictures.heif_process KIND PIXELS SIDE < FILE

What such a file says of its size binds no decoder: the frames inside have sizes of their own, and
are decoded at those. So what a hostile file does to one, of memory above all, ends here and not in
the server. It writes width and height as two little-endian integers of 4 bytes; and the pixels,
BGR, if there are at most PIXELS, and SIDE a side.
"""

from __future__ import annotations

import struct
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.image import to_bgr_u8
from mien.media.picture_files import decode_by_opencv, decode_heic
from mien.serve.child import limit_resources

MEMORY_MB = 2000
"""The most that a decoder may take: more than pictures of 50 million pixels need."""


def main() -> None:
    """Decode the picture on standard input."""
    kind, most_pixels, longest_side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    limit_resources(MEMORY_MB)
    content = sys.stdin.buffer.read()
    try:
        image_bgr = decode_heic(content, "picture") if kind == "HEIC" else _avif(content)
    except (SourceError, cv2.error) as error:
        sys.exit(str(error))
    height, width = image_bgr.shape[:2]
    sys.stdout.buffer.write(struct.pack("<II", width, height))
    if width * height <= most_pixels and max(width, height) <= longest_side:
        sys.stdout.buffer.write(image_bgr.data)


def _avif(content: bytes) -> NDArray[np.uint8]:
    image = decode_by_opencv(content)
    if image is None:
        raise SourceError("This is no AVIF picture that OpenCV reads.")
    return to_bgr_u8(image)


if __name__ == "__main__":
    main()
