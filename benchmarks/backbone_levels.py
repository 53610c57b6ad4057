"""How strong the activations of SqueezeNet are, on average: the constants `_LEVELS` of `training/backbones.py`.

    python benchmarks/backbone_levels.py squeezenet_v1.0.npz 'scenes-*.tar' --pictures 256

Means over the middle 128 x 128 px of pictures chosen by a hash of their names.
"""

import argparse

import numpy as np
import torch

from mendpix.data.dataset import PictureStore
from mendpix.features import SqueezeNetFeatures


@torch.no_grad()
def measure_levels(weights: str, sources: list[str], pictures: int) -> dict[str, float]:
    """Return the mean activation of every layer by name.

    Args:
        weights: SqueezeNet's .npz file.
        sources: Folders, tar shards or patterns.
        pictures: How many are looked at.
    """
    store = PictureStore.open(sources, memory_limit_gib=0)
    _, chosen = store.split_holdout(pictures, seed=10)
    features = SqueezeNetFeatures(weights)
    sums: dict[str, float] = {}
    for picture in chosen:
        top, left = ((side - 128) // 2 for side in picture.shape[:2])
        crop = np.ascontiguousarray(picture[top : top + 128, left : left + 128])
        image = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
        for name, found in features(image).items():
            sums[name] = sums.get(name, 0.0) + float(found.mean())
    return {name: total / len(chosen) for name, total in sums.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("weights")
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--pictures", type=int, default=256)
    given = parser.parse_args()
    for layer, level in measure_levels(given.weights, given.sources, given.pictures).items():
        print(f"{layer} {level:.3g}")
