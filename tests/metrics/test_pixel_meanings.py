"""The four meanings of l1, PSNR and SSIM on grey, and the other windows of SSIM, each against a second way."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.errors import ShapeError
from mendpix.metrics.grey import to_grey
from mendpix.metrics.l1 import l1, l1_hole, l1_relative_to_sum, l1_relative_to_target
from mendpix.metrics.psnr import MOST_DB, psnr
from mendpix.metrics.ssim import UNIFORM_PX, ssim, ssim_against, window_means

WINDOWS = ["gaussian-11", "gaussian-11-zero", "uniform-51", "uniform-7"]


@pytest.fixture(params=["noise", "photo", "edges"])
def pair(request):
    generator = np.random.default_rng(11)
    target = generator.random((60, 73, 3)).astype(np.float32)
    if request.param == "photo":
        data = pytest.importorskip("skimage.data")
        target = (data.astronaut()[90:150, 190:263] / 255).astype(np.float32)
    if request.param == "edges":
        target = (np.indices((60, 73)).sum(0)[..., None] % 9 < 4).repeat(3, 2).astype(np.float32)
    prediction = np.clip(target + 0.1 * generator.standard_normal(target.shape), 0, 1).astype(np.float32)
    return prediction, target


def black(height=12, width=12):
    return np.zeros((height, width, 3), np.float32)


# ----------------------------------------------------------------------------------------------------------------------
# Grey


def test_grey_is_that_of_scikit_image(pair):
    color = pytest.importorskip("skimage.color")
    assert np.allclose(to_grey(pair[1]), color.rgb2gray(pair[1].astype(np.float64)), rtol=0, atol=1e-12)


def test_grey_is_not_that_of_pillow():
    red = np.zeros((1, 1, 3))
    red[..., 0] = 1
    assert to_grey(red).item() == pytest.approx(0.2125)


def test_psnr_on_grey_agrees_with_scikit_image(pair):
    metrics, color = pytest.importorskip("skimage.metrics"), pytest.importorskip("skimage.color")
    grey = [color.rgb2gray(picture.astype(np.float64)) for picture in pair]
    assert psnr(*pair, grey=True) == pytest.approx(metrics.peak_signal_noise_ratio(*grey, data_range=1), abs=1e-9)


def test_psnr_agrees_with_torchmetrics(pair):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    expected = functional.peak_signal_noise_ratio(*(torch.from_numpy(one) for one in pair), data_range=1.0)
    assert psnr(*pair) == pytest.approx(float(expected), abs=1e-3)


def test_the_cap_of_psnr_can_be_lifted(pair):
    target = pair[1]
    assert psnr(target, target) == psnr(target, target, grey=True) == MOST_DB
    assert psnr(target, target, most_db=math.inf) == math.inf
    assert psnr(target + 1e-7, target.astype(np.float64), most_db=math.inf) > MOST_DB
    assert psnr(*pair, most_db=math.inf) == psnr(*pair)


# ----------------------------------------------------------------------------------------------------------------------
# SSIM


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("window", UNIFORM_PX)
def test_uniform_windows_agree_with_scikit_image(pair, window, grey):
    metrics, color = pytest.importorskip("skimage.metrics"), pytest.importorskip("skimage.color")
    first, second = (picture.astype(np.float64) for picture in pair)
    if grey:
        first, second = color.rgb2gray(first), color.rgb2gray(second)
    expected = metrics.structural_similarity(
        first, second, win_size=UNIFORM_PX[window], channel_axis=None if grey else 2, data_range=1
    )
    assert ssim(*pair, window=window, grey=grey) == pytest.approx(expected, abs=1e-12)


def test_bytes_and_shares_of_one_have_the_same_index():
    """What programs compute of uint8 with a data range of 255 is what is computed here."""
    metrics = pytest.importorskip("skimage.metrics")
    generator = np.random.default_rng(0)
    target = generator.integers(0, 256, (64, 70, 3), dtype=np.uint8)
    prediction = np.clip(target.astype(int) + generator.integers(-30, 31, target.shape), 0, 255).astype(np.uint8)
    expected = metrics.structural_similarity(prediction, target, win_size=51, channel_axis=2)
    shares = [picture.astype(np.float32) / np.float32(255) for picture in (prediction, target)]
    assert ssim(*shares, window="uniform-51") == pytest.approx(expected, abs=1e-6)


def test_gaussian_window_agrees_with_torchmetrics_inside_the_picture(pair):
    """At its border torchmetrics mirrors the picture, a fifth kind; where no window reaches it, all is the same."""
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    tensors = [torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1)[None] for picture in pair]
    mirrored, indices = functional.structural_similarity_index_measure(
        *tensors, sigma=1.5, data_range=1.0, return_full_image=True
    )
    assert ssim(*pair) == pytest.approx(float(indices[..., 5:-5, 5:-5].mean()), abs=1e-9)
    assert ssim(*pair) != pytest.approx(float(mirrored), abs=1e-5)


def convolved_ssim(torch, prediction, target, padding):
    """The index by one two-dimensional convolution of all channels, as programs with torch compute it."""
    steps = torch.arange(11, dtype=torch.float64) - 5
    line = torch.exp(-(steps**2) / (2 * 1.5**2))
    window = torch.outer(line, line)
    window = (window / window.sum()).expand(3, 1, 11, 11)
    first, second = (torch.from_numpy(one.astype(np.float64)).permute(2, 0, 1)[None] for one in (prediction, target))

    def mean(tensor):
        return torch.nn.functional.conv2d(tensor, window, padding=padding, groups=3)

    mean_1, mean_2 = mean(first), mean(second)
    variance_1, variance_2 = mean(first**2) - mean_1**2, mean(second**2) - mean_2**2
    covariance = mean(first * second) - mean_1 * mean_2
    above = (2 * mean_1 * mean_2 + 0.0001) * (2 * covariance + 0.0009)
    return float((above / ((mean_1**2 + mean_2**2 + 0.0001) * (variance_1 + variance_2 + 0.0009))).mean())


@pytest.mark.parametrize(("window", "padding"), [("gaussian-11", 0), ("gaussian-11-zero", 5)])
def test_gaussian_windows_agree_with_a_convolution(pair, window, padding):
    torch = pytest.importorskip("torch")
    assert ssim(*pair, window=window) == pytest.approx(convolved_ssim(torch, *pair, padding), abs=1e-9)


def test_on_grey_is_on_three_equal_channels(pair):
    grey = [to_grey(picture)[..., None].repeat(3, 2) for picture in pair]
    for window in WINDOWS:
        assert ssim(*pair, window=window, grey=True) == pytest.approx(ssim(*grey, window=window), abs=1e-9)


def test_the_windows_are_four_different_measures(pair):
    values = [ssim(*pair, window=window) for window in WINDOWS]
    assert min(abs(a - b) for place, a in enumerate(values) for b in values[:place]) > 1e-5


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("window", WINDOWS)
def test_equal_pictures_are_one_and_order_does_not_matter(pair, window, grey):
    prediction, target = pair
    assert ssim(target, target, window=window, grey=grey) == pytest.approx(1, abs=1e-12)
    assert ssim(black(51, 51), black(51, 51), window=window, grey=grey) == 1
    there, back = ssim(*pair, window=window, grey=grey), ssim(target, prediction, window=window, grey=grey)
    assert there == pytest.approx(back, abs=1e-12)


@pytest.mark.parametrize("window", WINDOWS)
def test_a_prepared_target_gives_the_same(pair, window):
    means = window_means(pair[1], window)
    assert ssim_against(pair[0], means) == ssim(*pair, window=window)
    assert ssim_against(pair[1], means) == pytest.approx(1, abs=1e-12)


def test_windows_have_their_least_pictures():
    for window, side in {"gaussian-11": 11, "uniform-51": 51, "uniform-7": 7}.items():
        assert ssim(black(side, side), black(side, side), window=window) == 1
        with pytest.raises(ShapeError, match=f"at least {side} × {side}"):
            ssim(black(side - 1, 60), black(side - 1, 60), window=window)
    assert ssim(black(2, 3), black(2, 3), window="gaussian-11-zero") == 1
    with pytest.raises(ShapeError, match="must be one of gaussian-11, gaussian-11-zero, uniform-51, uniform-7; got"):
        ssim(black(), black(), window="box-9")
    with pytest.raises(ShapeError, match=r"the target.s channels"):
        ssim_against(black(12, 13), window_means(black(), "gaussian-11"))


# ----------------------------------------------------------------------------------------------------------------------
# The four meanings of l1


def test_l1_agrees_with_torchmetrics(pair):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional")
    first, second = (torch.from_numpy(one).double().flatten() for one in pair)
    assert l1(*pair) == pytest.approx(100 * float(functional.mean_absolute_error(first, second)), abs=1e-9)


def test_relative_meanings_by_hand():
    target, prediction = np.full((2, 2, 3), 0.4), np.full((2, 2, 3), 0.6)
    assert l1(prediction, target) == pytest.approx(20)
    assert l1_relative_to_sum(prediction, target) == pytest.approx(20)  # 0.2 / 1.0
    assert l1_relative_to_target(prediction, target) == pytest.approx(50)  # 0.2 / 0.4
    assert l1_relative_to_target(target, prediction) == pytest.approx(100 / 3)  # 0.2 / 0.6


def test_relative_meanings_divide_sums_not_pixels(pair):
    prediction, target = (one.astype(np.float64) for one in pair)
    difference = np.abs(prediction - target).sum()
    assert l1_relative_to_sum(*pair) == pytest.approx(100 * difference / (prediction.sum() + target.sum()))
    assert l1_relative_to_target(*pair) == pytest.approx(100 * difference / target.sum())
    grey = [one @ [0.2125, 0.7154, 0.0721] for one in (prediction, target)]
    expected = 100 * np.abs(grey[0] - grey[1]).sum() / (grey[0].sum() + grey[1].sum())
    assert l1_relative_to_sum(*pair, grey=True) == pytest.approx(expected)


def test_stated_values_of_black_pictures():
    white = np.ones_like(black())
    assert l1_relative_to_sum(black(), black()) == l1_relative_to_target(black(), black()) == 0
    assert l1_relative_to_sum(white, black()) == l1_relative_to_sum(black(), white) == pytest.approx(100)
    assert math.isnan(l1_relative_to_target(white, black()))
    assert l1_relative_to_target(black(), white) == pytest.approx(100)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_the_hole_alone_is_the_composite_divided_by_the_share_of_the_hole(seed, share):
    generator = np.random.default_rng(seed)
    target, prediction = generator.random((2, 9, 14, 3), dtype=np.float32)
    hole = (generator.random((9, 14)) < share).astype(np.float32)
    composite = np.where(hole[..., None] > 0, prediction, target)
    if not hole.any():
        assert math.isnan(l1_hole(prediction, target, hole))
        return
    value = l1_hole(prediction, target, hole)
    assert value == pytest.approx(l1(composite, target) / hole.mean(dtype=np.float64), rel=1e-6)
    assert value == l1_hole(composite, target, hole)
    assert value == pytest.approx(100 * np.abs(prediction - target)[hole > 0].astype(np.float64).mean(), rel=1e-6)


def test_stated_values_of_the_hole_alone(pair):
    prediction, target = pair
    empty, full = np.zeros(target.shape[:2], np.float32), np.ones(target.shape[:2], np.float32)
    assert math.isnan(l1_hole(prediction, target, empty))
    assert math.isnan(l1_hole(target, target, empty))
    assert l1_hole(prediction, target, full) == pytest.approx(l1(prediction, target))
    assert l1_hole(target, target, full) == 0
    with pytest.raises(ShapeError, match=r"hole must be \(60, 73\) like its picture; got \(60, 72\)"):
        l1_hole(prediction, target, empty[:, 1:])


@pytest.mark.parametrize("metric", [l1_relative_to_sum, l1_relative_to_target])
def test_other_arrays_are_refused(metric):
    with pytest.raises(ShapeError, match="must both be"):
        metric(black(), black(12, 13))
    with pytest.raises(ShapeError, match="floats in"):
        metric(black(), black().astype(np.uint8))
    with pytest.raises(ShapeError, match="must be"):
        to_grey(np.zeros((4, 4)))
