"""Measure how well the detector tells filled from known pixels, for fills that it was and was not trained with.

Run from the root of the checkout (needs torchmetrics, extra `train`)::

    python benchmarks/detector.py

Pictures, masks and pairing are those of `quality.py`. Each fill is a composite of 8 bits; the detector sees the whole
picture and no mask. Scores pool the pixels of all pictures, 2,000 of each. The truth is the mask: "was filled", not
"looks bad", so a perfect fill cannot be found and need not be.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torchmetrics.functional.classification import binary_auroc, binary_average_precision, binary_calibration_error

import mendpix
from mendpix.weights.locate import open_detector
from quality_protocol import DEFAULT_MASKS, DEFAULT_PICTURES, make_protocol, read_pair

FILLS = ("scenes", "harmonic", "navier-stokes", "telea", "shiftmap")
SAMPLES = 2000
MARKED = 0.5


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, nargs="+", default=DEFAULT_PICTURES)
    parser.add_argument("--masks", type=Path, default=DEFAULT_MASKS)
    parser.add_argument("--fills", nargs="+", default=FILLS)
    parser.add_argument("--limit", type=int, help="measure only this many pictures, at equal distances in the list")
    parser.add_argument("--detector", default="scenes-detector")
    given = parser.parse_args()
    protocol = make_protocol(given.pictures, given.masks, given.limit)
    threads = os.cpu_count()
    models = {name: mendpix.Inpainter(name, detector=None, threads=threads) for name in given.fills}
    detector = open_detector(given.detector, threads=threads)
    scores: dict[str, list[np.ndarray]] = {name: [] for name in (*models, "untouched")}
    labels: dict[str, list[np.ndarray]] = {name: [] for name in scores}
    for number, pair in enumerate(protocol.pairs):
        picture, hole = read_pair(pair)
        picked = np.random.default_rng(number).integers(0, hole.size, SAMPLES)
        for name in scores:
            if name == "untouched" and pair.bin != 10:
                continue  # the same picture six times would tell nothing new
            shown = picture if name == "untouched" else models[name](picture, hole).image
            probability = mendpix.detect(shown, model=detector).probability
            scores[name].append(probability.ravel()[picked])
            labels[name].append((np.zeros_like(hole) if name == "untouched" else hole).ravel()[picked])

    print(f"{protocol.pictures} pictures x 6 bins, 256 x 256; pictures {protocol.pictures_hash}, ", end="")
    print(f"masks {protocol.masks_hash}; detector {given.detector}; {SAMPLES} pixels a picture\n")
    print("| fill | ROC-AUC | average precision | calibration error | hole marked | known marked |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, parts in scores.items():
        probability = torch.from_numpy(np.concatenate(parts))
        label = torch.from_numpy(np.concatenate(labels[name]) > 0).long()
        error = f"{binary_calibration_error(probability, label, n_bins=15):.3f}"
        known = f"{(probability[label == 0] > MARKED).float().mean():.1%}"
        if name == "untouched":
            print(f"| untouched picture | – | – | {error} | – | {known} |")
            continue
        area = f"{binary_auroc(probability, label):.3f} | {binary_average_precision(probability, label):.3f}"
        print(f"| {name} | {area} | {error} | {(probability[label == 1] > MARKED).float().mean():.1%} | {known} |")


if __name__ == "__main__":
    main()
