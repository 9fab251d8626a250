"""Pictures and videos in and out: frames from any source, a video writer, the overlay."""

import os

# FFmpeg's own remarks on a damaged file would stand beside our one line. OpenCV reads this when it
# first opens a video.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
