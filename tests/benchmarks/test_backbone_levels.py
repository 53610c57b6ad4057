"""The command that measured the constants of the SqueezeNet stand-in."""

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from backbone_levels import measure_levels  # noqa: E402 - after the skip above
from backbones import write_small_squeezenet  # noqa: E402
from mendpix.features import LAYERS, SqueezeNetFeatures  # noqa: E402


def test_levels_are_means_over_the_middles_of_pictures(tmp_path):
    weights = write_small_squeezenet(tmp_path / "small.npz")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 130, 140, 3), np.uint8)
    (tmp_path / "pictures").mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{number}.png")
    levels = measure_levels(str(weights), [str(tmp_path / "pictures")], pictures=2)
    assert list(levels) == list(LAYERS)
    features = SqueezeNetFeatures(weights)
    with torch.no_grad():
        middles = torch.from_numpy(pixels[:, 1:129, 6:134].copy()).permute(0, 3, 1, 2).float() / 255
        each = features(middles)["fire3"].mean((1, 2, 3))
    pairs = [float(each[i] + each[j]) / 2 for i, j in ((0, 1), (0, 2), (1, 2))]
    assert min(abs(levels["fire3"] - pair) for pair in pairs) < 1e-5  # a hash chooses which two
