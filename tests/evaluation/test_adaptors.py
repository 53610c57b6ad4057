"""Numbers as other programs print them, against what those programs do, computed here on bytes by other libraries."""

import math

import numpy as np
import pytest

from mendpix.evaluation.adaptors import ADAPTOR_MEASURES, ADAPTORS
from mendpix.evaluation.measures import GROUPS, MEASURES, SET_MEASURES, Views, needs_weights

GREY = np.array([0.2125, 0.7154, 0.0721])

metrics = pytest.importorskip("skimage.metrics")


@pytest.fixture(params=range(3))
def pair(request):
    generator = np.random.default_rng(request.param)
    target = generator.integers(0, 256, (60, 64, 3)).astype(np.float32) / np.float32(255)
    if request.param == 1:
        data = pytest.importorskip("skimage.data")
        target = data.chelsea()[60:120, 100:164].astype(np.float32) / np.float32(255)
    prediction = np.clip(target + 0.15 * generator.standard_normal(target.shape), 0, 1).astype(np.float32)
    hole = (generator.random((60, 64)) < 0.4).astype(np.float32)
    return target, prediction, hole


def bytes_of(pair, rounding):
    """The true picture and the composite as a program has them in bytes."""
    target, prediction, hole = pair
    merged = prediction * hole[..., None] + target * (1 - hole[..., None])
    scaled = merged * np.float32(255)
    made = np.rint(scaled) if rounding == "round" else scaled
    return np.rint(target * np.float32(255)).astype(np.uint8), made.astype(np.uint8)


def values_of(pair, names, **settings):
    views = Views(*pair, **settings)
    return {name: MEASURES[name].compute(views) for name in names}


def convolved_ssim(torch, first, second):
    """Zero-padded, as LaMa's program does it."""
    steps = torch.arange(11.0) - 5
    line = torch.exp(-(steps**2) / 4.5)
    line = line / line.sum()
    window = torch.outer(line, line).expand(3, 1, 11, 11).contiguous()
    x, y = (torch.from_numpy(one / np.float32(255)).permute(2, 0, 1)[None] for one in (first, second))

    def mean(tensor):
        return torch.nn.functional.conv2d(tensor, window, padding=5, groups=3)

    covariance = mean(x * y) - mean(x) * mean(y)
    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    index = (2 * mean(x) * mean(y) + 1e-4) * (2 * covariance + 9e-4)
    return float((index / ((mean(x) ** 2 + mean(y) ** 2 + 1e-4) * (variances + 9e-4))).mean())


def valid_ssim(first, second):
    """Gaussian of 11 pixels on the scale 0 to 255, border cut, mean of the channels."""
    found = []
    for channel in range(3):
        _, full = metrics.structural_similarity(
            first[..., channel].astype(np.float64),
            second[..., channel].astype(np.float64),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            full=True,
        )
        found.append(full[5:-5, 5:-5].mean())
    return np.mean(found)


def test_gdn(pair):
    target, merged = bytes_of(pair, "truncate")
    assert values_of(pair, ("gdn-psnr", "gdn-ssim", "gdn-l1")) == {
        "gdn-psnr": pytest.approx(metrics.peak_signal_noise_ratio(target, merged), abs=1e-4),
        "gdn-ssim": pytest.approx(metrics.structural_similarity(merged, target, win_size=51, channel_axis=2), abs=1e-6),
        "gdn-l1": pytest.approx(100 * np.abs(target.astype(float) - merged).mean() / 255, rel=1e-5),
    }


def test_edgeconnect(pair):
    target, merged = (one / 255 @ GREY for one in bytes_of(pair, "truncate"))
    assert values_of(pair, ("edgeconnect-psnr", "edgeconnect-ssim", "edgeconnect-mae")) == {
        "edgeconnect-psnr": pytest.approx(metrics.peak_signal_noise_ratio(target, merged, data_range=1), abs=1e-4),
        "edgeconnect-ssim": pytest.approx(
            metrics.structural_similarity(target, merged, win_size=51, data_range=1), abs=1e-6
        ),
        "edgeconnect-mae": pytest.approx(np.abs(target - merged).sum() / (target + merged).sum(), rel=1e-5),
    }


def test_pennet(pair):
    target, merged = bytes_of(pair, "truncate")
    floats = target.astype(float), merged.astype(float)
    assert values_of(pair, ("pennet-psnr", "pennet-ssim", "pennet-mae")) == {
        "pennet-psnr": pytest.approx(metrics.peak_signal_noise_ratio(target, merged), abs=1e-4),
        "pennet-ssim": pytest.approx(
            metrics.structural_similarity(target, merged, win_size=51, channel_axis=2), abs=1e-6
        ),
        "pennet-mae": pytest.approx(np.abs(floats[0] - floats[1]).sum() / (floats[0] + floats[1]).sum(), rel=1e-5),
    }


def test_lama(pair):
    torch = pytest.importorskip("torch")
    target, merged = bytes_of(pair, "truncate")
    found = values_of(pair, ("lama-ssim",))["lama-ssim"]
    assert found == pytest.approx(convolved_ssim(torch, merged, target), abs=1e-5)


def test_mat(pair):
    target, merged = bytes_of(pair, "round")
    assert values_of(pair, ("mat-psnr", "mat-ssim", "mat-l1")) == {
        "mat-psnr": pytest.approx(metrics.peak_signal_noise_ratio(target, merged), abs=1e-4),
        "mat-ssim": pytest.approx(valid_ssim(target, merged), abs=1e-6),
        "mat-l1": pytest.approx(np.abs(target.astype(float) - merged).mean() / 255, rel=1e-5),
    }


def test_mmagic(pair):
    target, merged = bytes_of(pair, "round")
    inside = pair[2] > 0
    assert values_of(pair, ("mmagic-psnr", "mmagic-ssim", "mmagic-mae")) == {
        "mmagic-psnr": pytest.approx(metrics.peak_signal_noise_ratio(target, merged), abs=1e-4),
        "mmagic-ssim": pytest.approx(valid_ssim(target, merged), abs=1e-6),
        "mmagic-mae": pytest.approx(100 * np.abs(target.astype(float) - merged)[inside].mean() / 255, rel=1e-5),
    }


def test_the_protocol_changes_nothing(pair):
    expected = values_of(pair, ADAPTOR_MEASURES)
    for quantisation in ("round", "truncate", "none"):
        for image in ("composite", "raw"):
            assert values_of(pair, ADAPTOR_MEASURES, quantisation=quantisation, image=image) == expected


def test_truncated_and_rounded_are_not_the_same(pair):
    found = values_of(pair, ADAPTOR_MEASURES)
    assert found["gdn-psnr"] != found["mat-psnr"]
    assert found["gdn-psnr"] == found["pennet-psnr"]
    assert found["mat-psnr"] == found["mmagic-psnr"]


def test_only_the_psnr_of_equal_pictures_is_infinite(pair):
    target, _, hole = pair
    found = values_of((target, target.copy(), hole), ADAPTOR_MEASURES)
    assert {name for name, value in found.items() if value == math.inf} == {
        name for name in ADAPTOR_MEASURES if name.endswith("-psnr")
    }
    assert MEASURES["psnr"].compute(Views(target, target.copy(), hole)) == 100


def test_the_cap_is_no_part_of_what_is_shared(pair):
    """Asked first or last, the plain PSNR is capped and the program's is not."""
    target, _, hole = pair
    views = Views(target, target.copy(), hole)
    names = ["mat-psnr", "psnr", "mat-psnr", "psnr"]
    assert [MEASURES[name].compute(views) for name in names] == [math.inf, 100, math.inf, 100]


def test_rows_name_measures_and_every_measure_has_its_program():
    used = [name for adaptor in ADAPTORS.values() for _, name in adaptor.rows]
    assert set(used) <= {*MEASURES, *SET_MEASURES}
    assert sorted(name for name in used if name in ADAPTOR_MEASURES) == sorted(ADAPTOR_MEASURES)
    for key, adaptor in ADAPTORS.items():
        assert adaptor.title.startswith("as in ")
        assert adaptor.note.endswith(".")
        assert GROUPS[f"as-in-{key}"] == tuple(name for _, name in adaptor.rows if not needs_weights(name))
        assert all(name.startswith(f"{key}-") for _, name in adaptor.rows if name in ADAPTOR_MEASURES)
