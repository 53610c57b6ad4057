"""Time what a person waits for when something large is taken out of a photo, and the memory that it takes.

    python benchmarks/speed_removal.py [--runs 3] [--threads 2]

Runs `mendpix inpaint` as a person would, from file to file, in a process of its own: 512 × 512 px with a hole of 15 %,
and 6000 × 4000 px (24 megapixels, JPEG) with one of 5 %. The photo is rendered: gravel, grass and sky with grain, so
that nothing has to be fetched. Prints a table: the median of the wall-clock times, and the most memory of any run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

SIZES = {"512 × 512 px, hole 15 %": (512, 512, 0.15, ".png"), "24 megapixels, hole 5 %": (4000, 6000, 0.05, ".jpg")}
"""Height, width, share of the hole, suffix of the photo."""

MODELS = ("auto", "exemplar", "shiftmap", "scenes")


def photo(height: int, width: int) -> np.ndarray:
    """Render sky over grass over gravel, with grain of every size; uint8 (height, width, 3), BGR."""
    rng = np.random.default_rng(0)
    colours = np.array([[210, 160, 110], [60, 120, 80], [120, 130, 140]], np.float32)
    strengths = np.array([3, 25, 40], np.float32)
    at = np.linspace(0, 2.999, height)
    ground = np.repeat(colours[at.astype(int)][:, None], width, axis=1)
    grain = np.zeros((height, width), np.float32)
    for octave in range(6):
        small = rng.normal(0, 1, (max(height >> octave, 2), max(width >> octave, 2))).astype(np.float32)
        grain += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) / 2
    return np.clip(ground + grain[..., None] * strengths[at.astype(int)][:, None, None], 0, 255).astype(np.uint8)


def hole(height: int, width: int, share: float) -> np.ndarray:
    """Draw an upright ellipse of a share of the picture, in the middle; uint8 (height, width), 255 = fill."""
    mask = np.zeros((height, width), np.uint8)
    across = (share * height * width / (np.pi * 1.5)) ** 0.5
    cv2.ellipse(mask, (width // 2, height // 2), (round(across), round(1.5 * across)), 10, 0, 360, 255, -1)
    return mask


def run(command: list[str]) -> tuple[float, float]:
    """Run a command; return seconds and gigabytes (peak resident memory, 10^9 bytes)."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status  # it has been waited for
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e9


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    print("| file to file | " + " | ".join(f"`{model}`" for model in MODELS) + " |")
    print("| --- |" + " ---: |" * len(MODELS))
    with tempfile.TemporaryDirectory() as folder:
        for name, (height, width, share, suffix) in SIZES.items():
            source, mask = Path(folder, f"photo{suffix}"), Path(folder, "mask.png")
            cv2.imwrite(str(source), photo(height, width))
            cv2.imwrite(str(mask), hole(height, width, share))
            cells: list[str] = []
            for model in MODELS:
                out = Path(folder, f"out{suffix}")
                command = [sys.executable, "-m", "mendpix", "inpaint", str(source), str(mask), "-o", str(out)]
                command += ["--model", model, "--threads", str(given.threads), "--quiet"]
                found = [run(command) for _ in range(given.runs)]
                seconds = sorted(each[0] for each in found)[given.runs // 2]
                cells.append(f"{seconds:.1f} s, {max(each[1] for each in found):.2f} GB")
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
