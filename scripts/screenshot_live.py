"""Take a picture of the live window, playing the bundled video, with the shipped network.

    xvfb-run -s "-screen 0 1280x800x24" python scripts/screenshot_live.py

Needs an X display (here one without a screen) and ImageMagick's `import`. Writes
`results/model/live_demo_screenshot.png`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mien.media.demo import demo_video

DESTINATION = Path(__file__).parents[1] / "results" / "model" / "live_demo_screenshot.png"
POSITION = "00:00:13"  # The person stands close to the camera.


def main() -> None:
    """Play the video up to `POSITION`, take the picture, and end the player."""
    command = [sys.executable, "-m", "mien", "live", "--offline", str(demo_video())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as player:
        try:
            wait_for(POSITION, player)
            DESTINATION.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["import", "-window", "mien", str(DESTINATION)], check=True)
        finally:
            player.terminate()
    print(f"Wrote {DESTINATION}")


def wait_for(position: str, player: subprocess.Popen[str]) -> None:
    """Read what the player prints until it is at `position`."""
    assert player.stdout is not None
    for line in player.stdout:
        if line.startswith(position):
            return
    sys.exit("mien live ended before the picture could be taken: see what it printed above.")


if __name__ == "__main__":
    main()
