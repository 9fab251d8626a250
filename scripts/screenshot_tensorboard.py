"""Take a picture of TensorBoard showing the runs under results/model/logs, with Chromium.

    python scripts/screenshot_tensorboard.py

Needs `mien[train]` and a Chromium or Chrome on the PATH.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The curves are drawn once the page has fetched them; its clock runs ahead meanwhile.
VIRTUAL_MILLISECONDS = 30_000
MOST_ATTEMPTS = 60


def main() -> None:
    """Start TensorBoard, take the picture, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=Path, default=Path("results/model/logs"))
    parser.add_argument("--out", type=Path, default=Path("results/model/tensorboard.png"))
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"No browser found on the PATH; expected one of {', '.join(BROWSERS)}.")
    if not any(options.logs.rglob("events.out.tfevents.*")):
        sys.exit(f"There is no TensorBoard log under {options.logs}: `mien train` writes one.")
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "tensorboard.main", "--load_fast=false"),
            *("--logdir", str(options.logs), "--port", str(port)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://localhost:{port}/"
        wait_until_answered(address, server)
        # The time-series page draws with WebGL, which a browser without a screen may lack.
        take_picture(browser, f"{address}#scalars&tagFilter=epoch_", options.out)
    finally:
        server.terminate()
        server.wait()
    print(f"Wrote {options.out}")


def free_port() -> int:
    """Return a port of this computer that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_answered(address: str, server: subprocess.Popen[bytes]) -> None:
    """Return when `address` answers; leave the program when it never does."""
    for _ in range(MOST_ATTEMPTS):
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            try:
                server.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
            sys.exit("TensorBoard ended before it answered.")
        else:
            return
    sys.exit(f"TensorBoard did not answer at {address}.")


def take_picture(browser: str, address: str, path: Path) -> None:
    """Write what a browser shows at `address` as a PNG file."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "tensorboard.png"
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--disable-background-networking", "--disable-component-update"),
                *(f"--user-data-dir={folder}/profile", "--window-size=1500,650"),
                *(f"--virtual-time-budget={VIRTUAL_MILLISECONDS}", f"--screenshot={picture}"),
                address,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(picture, path)


if __name__ == "__main__":
    main()
