"""PSNR, SSIM and l1 against scikit-image and against numbers worked out by hand."""

import numpy as np
import pytest

from mendpix.errors import ShapeError
from mendpix.metrics.l1 import l1
from mendpix.metrics.psnr import MOST_DB, psnr
from mendpix.metrics.ssim import ssim

METRICS = [psnr, ssim, l1]


@pytest.fixture(params=["noise", "flat", "edges"])
def pair(request):
    generator = np.random.default_rng(7)
    target = generator.random((40, 53, 3)).astype(np.float32)
    if request.param == "flat":
        target[:] = 0.5
    if request.param == "edges":
        target = (np.indices((40, 53)).sum(0)[..., None] % 9 < 4).repeat(3, 2).astype(np.float32)
    prediction = np.clip(target + 0.1 * generator.standard_normal(target.shape), 0, 1).astype(np.float32)
    return prediction, target


def test_psnr_agrees_with_scikit_image(pair):
    metrics = pytest.importorskip("skimage.metrics")
    prediction, target = (picture.astype(np.float64) for picture in pair)
    assert psnr(*pair) == pytest.approx(metrics.peak_signal_noise_ratio(target, prediction, data_range=1), abs=1e-9)


def test_ssim_agrees_with_scikit_image_on_the_valid_area(pair):
    metrics = pytest.importorskip("skimage.metrics")
    channels = []
    for channel in range(3):
        _, full = metrics.structural_similarity(
            pair[0][..., channel].astype(np.float64),
            pair[1][..., channel].astype(np.float64),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            full=True,
        )
        channels.append(full[5:-5, 5:-5].mean())
    assert ssim(*pair) == pytest.approx(np.mean(channels), abs=1e-9)


def test_l1_is_the_mean_difference_of_the_whole_picture_in_percent():
    target = np.zeros((10, 10, 3), np.float32)
    prediction = target.copy()
    prediction[:5, :, 0] = 0.6  # half of one of three channels
    assert l1(prediction, target) == pytest.approx(10)


def test_a_difference_of_a_tenth_is_twenty_decibel():
    assert psnr(np.full((8, 8, 3), 0.4), np.full((8, 8, 3), 0.5)) == pytest.approx(20)


def test_equal_pictures_get_the_best_value(pair):
    target = pair[1]
    assert psnr(target, target) == MOST_DB
    assert ssim(target, target) == pytest.approx(1, abs=1e-12)
    assert l1(target, target) == 0


def test_psnr_is_capped_where_pictures_are_almost_equal():
    target = np.zeros((8, 8, 3))
    assert psnr(target + 1e-7, target) == MOST_DB


@pytest.mark.parametrize("metric", METRICS)
def test_both_orders_give_the_same_and_nothing_is_written_into(metric, pair):
    prediction, target = pair
    kept = prediction.copy(), target.copy()
    assert metric(prediction, target) == pytest.approx(metric(target, prediction), abs=1e-12)
    assert np.array_equal(prediction, kept[0])
    assert np.array_equal(target, kept[1])


@pytest.mark.parametrize("metric", METRICS)
def test_more_noise_is_worse(metric):
    generator = np.random.default_rng(1)
    target, noise = generator.random((32, 32, 3)), generator.standard_normal((32, 32, 3))
    weak, strong = metric(target + 0.02 * noise, target), metric(target + 0.1 * noise, target)
    assert weak < strong if metric is l1 else weak > strong


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("shape", "other"),
    [((16, 16, 3), (16, 17, 3)), ((16, 16), (16, 16)), ((3, 16, 16), (3, 16, 16)), ((2, 16, 16, 3), (2, 16, 16, 3))],
)
def test_other_shapes_are_refused(metric, shape, other):
    with pytest.raises(ShapeError, match=r"must both be \(H, W, 3\); got"):
        metric(np.zeros(shape, np.float32), np.zeros(other, np.float32))


@pytest.mark.parametrize("metric", METRICS)
def test_integers_are_refused(metric):
    with pytest.raises(ShapeError, match="floats in \\[0, 1\\]; got uint8"):
        metric(np.zeros((16, 16, 3), np.float32), np.zeros((16, 16, 3), np.uint8))


def test_ssim_refuses_pictures_smaller_than_its_window():
    ssim(np.zeros((11, 11, 3)), np.zeros((11, 11, 3)))
    with pytest.raises(ShapeError, match="at least 11 × 11"):
        ssim(np.zeros((10, 20, 3)), np.zeros((10, 20, 3)))
