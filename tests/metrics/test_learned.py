"""LPIPS, FID and KID: wiring and refusals with stand-ins for the packages, numbers with the real ones where they are.

The stand-ins look like the packages from the outside and are small. The tests at the end use the real packages with
random weights in the published layout; the published files themselves are not needed, and nothing is downloaded.
"""

import hashlib
import pickle
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip above

from mendpix.errors import MissingExtraError, ModelError, ShapeError  # noqa: E402
from mendpix.metrics import learned  # noqa: E402
from mendpix.metrics.frechet import Moments, frechet_distance  # noqa: E402
from mendpix.metrics.learned import (  # noqa: E402
    FEATURES,
    INCEPTION_WEIGHTS,
    LPIPS_MINIMUM_PX,
    LPIPS_WEIGHTS,
    kid,
    open_inception,
    open_lpips,
)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Fail whatever looks for a network."""

    def refuse(*_: object) -> None:
        raise AssertionError("something wants to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def pair():
    generator = np.random.default_rng(3)
    target = generator.random((40, 36, 3)).astype(np.float32)
    return np.clip(target + 0.1 * generator.standard_normal(target.shape), 0, 1).astype(np.float32), target


def use_file(monkeypatch, folder: Path, kind: str, content: bytes) -> Path:
    """Write a file and have the module take its name and hash for those that were published."""
    file = INCEPTION_WEIGHTS if kind == "inception" else LPIPS_WEIGHTS[kind]
    digest = hashlib.sha256(content).hexdigest()
    named = replace(file, names=(f"{kind}-{digest[:8]}.pth", f"same-{kind}-{digest[:8]}.pth"), sha256=digest)
    if kind == "inception":
        monkeypatch.setattr(learned, "INCEPTION_WEIGHTS", named)
    else:
        monkeypatch.setitem(learned.LPIPS_WEIGHTS, kind, named)
    path = folder / named.names[0]
    path.write_bytes(content)
    return path


def use_weights(monkeypatch, folder: Path, kind: str, weights: object, **options: object) -> Path:
    path = folder / "saved"
    torch.save(weights, path, **options)
    content = path.read_bytes()
    path.unlink()
    return use_file(monkeypatch, folder, kind, content)


# Stand-ins


class Backbone(nn.Module):
    """Two slices with the layer numbers of the whole, as the package `lpips` cuts its backbones."""

    def __init__(self) -> None:
        super().__init__()
        self.slice1 = nn.Sequential()
        self.slice1.add_module("0", nn.Conv2d(3, 4, 3))
        self.slice2 = nn.Sequential()
        self.slice2.add_module("3", nn.Conv2d(4, 5, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.slice2(torch.relu(self.slice1(x)))


class StandInLpips(nn.Module):
    def __init__(self, *, net: str, version: str, pnet_rand: bool, verbose: bool) -> None:
        super().__init__()
        assert pnet_rand, "without it the package would download the backbone"
        assert (version, verbose) == ("0.1", False)
        self.name = net
        self.net = Backbone()

    def forward(self, first: torch.Tensor, second: torch.Tensor, normalize: bool) -> torch.Tensor:
        assert normalize, "pictures in [0, 1] must be scaled"
        assert not self.training
        assert first.shape == second.shape == (1, 3, *first.shape[2:])
        difference = self.net(2 * first - 1) - self.net(2 * second - 1)
        return difference.square().mean().view(1, 1, 1, 1)


class StandInInception(nn.Module):
    def __init__(self, name: str, features_list: list[str], feature_extractor_weights_path: object) -> None:
        super().__init__()
        assert name
        assert features_list == ["2048"]
        assert feature_extractor_weights_path is not None, "without it the package would download the weights"
        self.last = nn.Linear(3, FEATURES, bias=False)
        self.load_state_dict(torch.load(feature_extractor_weights_path, weights_only=False))
        self.seen: list[torch.Tensor] = []

    def forward(self, levels: torch.Tensor) -> tuple[torch.Tensor]:
        assert levels.dtype == torch.uint8
        self.seen.append(levels)
        return (self.last(levels.float().mean(dim=(2, 3))),)


@pytest.fixture
def stand_ins(monkeypatch):
    lpips, fidelity = ModuleType("lpips"), ModuleType("torch_fidelity")
    extractor, metric = (
        ModuleType(f"torch_fidelity.{name}") for name in ("feature_extractor_inceptionv3", "metric_kid")
    )
    lpips.LPIPS = StandInLpips
    extractor.FeatureExtractorInceptionV3 = StandInInception
    metric.KEY_METRIC_KID_MEAN, metric.KEY_METRIC_KID_STD = "mean", "std"
    metric.calls = []

    def kid_features_to_metric(first, second, **options):
        metric.calls.append((first, second, options))
        return {"mean": 0.25, "std": 0.125}

    metric.kid_features_to_metric = kid_features_to_metric
    for module in (lpips, fidelity, extractor, metric):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return {"lpips": lpips, "metric_kid": metric}


def published_backbone(seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights as torchvision lays them out: layers under features, and a classifier that LPIPS does not need."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "3.weight": (5, 4, 3, 3), "3.bias": (5,)}
    weights = {f"features.{name}": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {**weights, "classifier.6.weight": torch.zeros(2, 2)}


def published_inception() -> dict[str, torch.Tensor]:
    return {"last.weight": torch.randn(FEATURES, 3, generator=torch.Generator().manual_seed(1))}


# LPIPS


@pytest.mark.parametrize("net", ["alex", "vgg"])
@pytest.mark.parametrize("zipped", [True, False])
def test_lpips_has_the_weights_of_the_file(net, zipped, stand_ins, tmp_path, monkeypatch, pair):
    weights = published_backbone()
    # VGG16 was published in the format that torch had before 1.6.
    use_weights(monkeypatch, tmp_path, net, weights, _use_new_zipfile_serialization=zipped)
    before = torch.random.get_rng_state()
    distance = open_lpips(net, tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)

    def run(picture: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(picture).permute(2, 0, 1)[None] * 2 - 1
        for layer in ("0", "3"):
            x = nn.functional.conv2d(x, weights[f"features.{layer}.weight"], weights[f"features.{layer}.bias"])
            x = torch.relu(x) if layer == "0" else x
        return x

    expected = float((run(pair[0]) - run(pair[1])).square().mean())
    found = distance(*pair)
    assert isinstance(found, float)
    assert found == pytest.approx(expected, rel=1e-5)
    assert distance(pair[1], pair[1]) == 0
    assert distance(pair[0][::-1], pair[1][:, ::-1].astype(np.float64)) > 0


def test_lpips_can_go_to_another_process(stand_ins, tmp_path, monkeypatch, pair):
    use_weights(monkeypatch, tmp_path, "alex", published_backbone())
    distance = open_lpips("alex", tmp_path)
    assert pickle.loads(pickle.dumps(distance))(*pair) == distance(*pair)


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_lpips_refuses_what_is_no_pair(net, stand_ins, tmp_path, monkeypatch, pair):
    use_weights(monkeypatch, tmp_path, net, published_backbone())
    distance = open_lpips(net, tmp_path)
    least = LPIPS_MINIMUM_PX[net]
    assert distance(*(picture[:least, :least] for picture in pair)) > 0
    with pytest.raises(ShapeError, match=f"at least {least} × {least} for LPIPS"):
        distance(*(picture[:least, : least - 1] for picture in pair))
    with pytest.raises(ShapeError, match="must both be"):
        distance(pair[0], pair[1][:-1])
    with pytest.raises(ShapeError, match="got uint8"):
        distance(*(picture.astype(np.uint8) for picture in pair))


def test_an_unknown_backbone_is_refused(tmp_path):
    with pytest.raises(ModelError, match="one of alex, vgg; got 'squeeze'"):
        open_lpips("squeeze", tmp_path)


# Inception


def test_inception_sees_the_picture_in_8_bits(stand_ins, tmp_path, monkeypatch):
    weights = published_inception()
    use_weights(monkeypatch, tmp_path, "inception", weights)
    before = torch.random.get_rng_state()
    inception = open_inception(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    picture = np.zeros((2, 3, 3), np.float32)
    picture[0, 0] = (1.0, 0.4 / 255, 0.6 / 255)
    features = inception(picture)
    assert features.shape == (FEATURES,)
    assert features.dtype == np.float32
    expected = weights["last.weight"] @ (torch.tensor([255.0, 0.0, 1.0]) / 6)
    np.testing.assert_allclose(features, expected.numpy(), rtol=1e-5)
    (levels,) = inception.args[0].seen
    assert levels.shape == (1, 3, 2, 3)
    assert levels[0, :, 0, 0].tolist() == [255, 0, 1]
    kept = features.copy()
    inception(np.ones((2, 3, 3), np.float32))
    assert np.array_equal(features, kept)


@pytest.mark.parametrize("number", [0, 1])
def test_inception_is_found_under_either_published_name(number, stand_ins, tmp_path, monkeypatch):
    path = use_weights(monkeypatch, tmp_path, "inception", published_inception())
    path.rename(tmp_path / learned.INCEPTION_WEIGHTS.names[number])
    assert open_inception(str(tmp_path))(np.ones((4, 4, 3), np.float32)).shape == (FEATURES,)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((4, 4)), r"must be \(H, W, 3\); got \(4, 4\)"),
        (np.zeros((0, 4, 3)), r"got \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.uint8), "floats in .* got uint8"),
        (np.full((4, 4, 3), 1.01), "to 1.01"),
        (np.full((4, 4, 3), -0.01), "from -0.01"),
        (np.full((4, 4, 3), np.nan), "finite"),
    ],
)
def test_inception_refuses_what_is_no_picture(picture, words, stand_ins, tmp_path, monkeypatch):
    use_weights(monkeypatch, tmp_path, "inception", published_inception())
    with pytest.raises(ShapeError, match=words):
        open_inception(tmp_path)(picture)


# KID


@pytest.mark.parametrize(("counts", "subset"), [((5, 9), 5), ((1200, 1001), 1000), ((1300, 2), 2)])
def test_kid_is_asked_of_the_package(counts, subset, stand_ins):
    ours, theirs = (np.full((count, FEATURES), number, np.float32) for number, count in enumerate(counts))
    ours.setflags(write=False)
    assert kid(ours, theirs) == (0.25, 0.125)
    ((first, second, options),) = stand_ins["metric_kid"].calls
    assert options == {"kid_subsets": 100, "kid_subset_size": subset, "rng_seed": 2020, "verbose": False}
    assert (first.dtype, tuple(first.shape)) == (torch.float32, ours.shape)
    assert torch.equal(second, torch.from_numpy(theirs))


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.zeros((1, FEATURES), np.float32), r"N at least 2; got \(1, 2048\)"),
        (np.zeros((5, 512), np.float32), r"got \(5, 512\)"),
        (np.zeros(FEATURES, np.float32), r"got \(2048,\)"),
        (np.zeros((5, FEATURES), np.int64), "finite floats; got int64"),
        (np.full((5, FEATURES), np.inf, np.float32), "finite floats"),
    ],
)
def test_kid_refuses_what_are_no_features(features, words, stand_ins):
    good = np.zeros((5, FEATURES), np.float32)
    with pytest.raises(ShapeError, match=f"prediction must be .*{words}" if "finite" not in words else words):
        kid(features, good)
    with pytest.raises(ShapeError, match="target must be"):
        kid(good, features)


# What is not there, or not what it should be

OPENERS = [("alex", lambda folder: open_lpips("alex", folder)), ("inception", open_inception)]


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("lpips", lambda folder: open_lpips("vgg", folder)),
        ("torch_fidelity", open_inception),
        ("torch_fidelity", lambda _: kid(np.zeros((2, FEATURES), np.float32), np.zeros((2, FEATURES), np.float32))),
        ("torch", open_inception),
        ("torch", lambda folder: open_lpips("alex", folder)),
    ],
)
def test_a_package_that_is_absent_is_named_with_the_extra(module, call, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"needs the package {module}, .*pip install 'mendpix\[fid-lpips\]'"):
        call(tmp_path)


def test_a_package_that_lacks_another_names_that(tmp_path, monkeypatch):
    (tmp_path / "lpips.py").write_text("import no_such_vision\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    with pytest.raises(MissingExtraError, match=r"LPIPS \(alex\) needs the package no_such_vision, which is not inst"):
        open_lpips("alex", tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "raise RuntimeError('operator torchvision::nms does not exist')",
        "raise OSError('operator torchvision::nms does not exist')",
        "raise ImportError('operator torchvision::nms does not exist')",
    ],
)
def test_a_package_that_does_not_work_is_told_with_its_reason(line, tmp_path, monkeypatch):
    (tmp_path / "lpips.py").write_text(line + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    with pytest.raises(MissingExtraError, match=r"cannot be imported \(operator torchvision::nms.* another build than"):
        open_lpips("alex", tmp_path)


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda folder: open_lpips("alex", folder), ["alexnet-owt-7be5be79.pth"]),
        (lambda folder: open_lpips("vgg", folder), ["vgg16-397923af.pth"]),
        (
            open_inception,
            ["pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"],
        ),
    ],
)
def test_a_file_that_is_absent_is_named_and_nothing_takes_its_place(call, names, stand_ins, tmp_path):
    with pytest.raises(ModelError, match=r"it is not there.*takes nothing else in its place") as caught:
        call(tmp_path)
    with pytest.raises(ModelError, match=r"there is no folder .*--weights-dir") as caught_folder:
        call(tmp_path / "nowhere")
    for name in names:
        assert name in str(caught.value)
        assert name in str(caught_folder.value)
    assert str(tmp_path) in str(caught.value)
    assert "http" not in str(caught.value)


def test_published_names_end_in_the_hash_of_the_content():
    for file in (*LPIPS_WEIGHTS.values(), INCEPTION_WEIGHTS):
        assert len(file.sha256) == 64
        assert all(Path(name).stem.endswith("-" + file.sha256[:8]) for name in file.names)


@pytest.mark.parametrize(("kind", "call"), OPENERS)
def test_another_content_under_the_published_name_is_refused(kind, call, stand_ins, tmp_path):
    file = INCEPTION_WEIGHTS if kind == "inception" else LPIPS_WEIGHTS[kind]
    content = b"something else"
    (tmp_path / file.names[0]).write_bytes(content)
    expected = f"must begin with {file.sha256[:8]}.* it is {hashlib.sha256(content).hexdigest()[:8]}"
    with pytest.raises(ModelError, match=expected):
        call(tmp_path)


def test_a_content_that_shares_the_first_digits_alone_is_refused(stand_ins, tmp_path, monkeypatch):
    use_weights(monkeypatch, tmp_path, "alex", published_backbone())
    file = learned.LPIPS_WEIGHTS["alex"]
    monkeypatch.setitem(learned.LPIPS_WEIGHTS, "alex", replace(file, sha256=file.sha256[:8] + "0" * 56))
    with pytest.raises(ModelError, match="differs further on"):
        open_lpips("alex", tmp_path)


@pytest.mark.parametrize(("kind", "call"), OPENERS)
def test_a_folder_under_the_published_name_is_no_file(kind, call, stand_ins, tmp_path):
    file = INCEPTION_WEIGHTS if kind == "inception" else LPIPS_WEIGHTS[kind]
    (tmp_path / file.names[0]).mkdir()
    with pytest.raises(ModelError, match="it is not there"):
        call(tmp_path)


class Harmful:
    """Something that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return exec, ("import builtins; builtins.harm_was_done = True", "")


@pytest.mark.parametrize(("kind", "call"), OPENERS)
@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_run(kind, call, zipped, stand_ins, tmp_path, monkeypatch):
    import builtins

    weights = {"features.0.weight": Harmful()}
    use_weights(monkeypatch, tmp_path, kind, weights, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="holds more than numbers"):
        call(tmp_path)
    assert not hasattr(builtins, "harm_was_done")


@pytest.mark.parametrize(("kind", "call"), OPENERS)
@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00.", b"PK\x03\x04 no archive", b"<html>", pickle.dumps({})])
def test_a_file_that_is_no_checkpoint_is_refused(kind, call, content, stand_ins, tmp_path, monkeypatch):
    path = use_file(monkeypatch, tmp_path, kind, content)
    with pytest.raises(ModelError, match="must hold the published weights for") as caught:
        call(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "call", "weights", "words"),
    [
        ("alex", OPENERS[0][1], [torch.zeros(3)], "it holds a list"),
        ("alex", OPENERS[0][1], {"0.weight": torch.zeros(3)}, r"it lacks features\.0\.weight"),
        ("alex", OPENERS[0][1], {**published_backbone(), "features.3.weight": torch.zeros(9)}, "size mismatch"),
        ("alex", OPENERS[0][1], {**published_backbone(), "features.0.bias": 7}, "does not: "),
        ("inception", open_inception, {"last.bias": torch.zeros(3)}, "Missing key"),
        ("inception", open_inception, {"last.weight": torch.zeros(3)}, "size mismatch"),
        ("inception", open_inception, torch.zeros(3), "it holds a Tensor"),
    ],
)
def test_weights_of_something_else_are_refused(kind, call, weights, words, stand_ins, tmp_path, monkeypatch):
    use_weights(monkeypatch, tmp_path, kind, weights)
    with pytest.raises(ModelError, match=words) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_how_to_quotes_what_is_said(stand_ins, tmp_path, monkeypatch):
    text = Path(__file__).parents[2].joinpath("docs", "how-to", "true-fid-lpips.md").read_text("utf-8")
    quoted = " ".join(text.split())
    monkeypatch.chdir(tmp_path)
    folder = Path("weights")
    folder.mkdir()
    with pytest.raises(ModelError) as absent:
        open_lpips("alex", folder)
    (folder / LPIPS_WEIGHTS["alex"].names[0]).touch()
    with pytest.raises(ModelError) as damaged:
        open_lpips("alex", folder)
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(MissingExtraError) as without:
        open_lpips("alex", folder)
    for caught in (absent, damaged, without):
        assert str(caught.value) in quoted
    for file in (*LPIPS_WEIGHTS.values(), INCEPTION_WEIGHTS):
        assert all(f"`{name}`" in text for name in file.names)


# The real packages


def real(module: str):
    """Return a real module, or skip the test with the reason why it is not to be had."""
    try:
        return learned._need(module, "This test")
    except (MissingExtraError, Warning) as error:
        pytest.skip(str(error))


real_warnings = pytest.mark.filterwarnings("default")  # those of other packages, above all torchvision, are not ours


@real_warnings
@pytest.mark.parametrize("net", ["alex", pytest.param("vgg", marks=pytest.mark.slow)])
def test_real_lpips_gives_what_the_package_gives(net, tmp_path, monkeypatch, pair):
    lpips = real("lpips")
    networks = real("lpips.pretrained_networks")
    name = {"alex": "alexnet", "vgg": "vgg16"}[net]
    torch.manual_seed(0)
    whole = getattr(real("torchvision").models, name)(weights=None)
    layers = {key: value for key, value in whole.state_dict().items() if key.startswith("features.")}
    use_weights(monkeypatch, tmp_path, net, layers)
    ours = open_lpips(net, tmp_path)
    torchvision = ModuleType("torchvision.models")
    setattr(torchvision, name, lambda pretrained: whole)
    monkeypatch.setattr(networks, "tv", torchvision)  # instead of a download
    theirs = lpips.LPIPS(net=net, verbose=False)
    first, second = (torch.from_numpy(picture).permute(2, 0, 1)[None] * 2 - 1 for picture in pair)
    with torch.no_grad():
        expected = float(theirs(first, second))
    assert ours(*pair) == pytest.approx(expected, rel=1e-6)
    assert ours(pair[0], pair[0]) == 0
    assert ours(pair[1], pair[0]) == pytest.approx(expected, rel=1e-6)
    least = LPIPS_MINIMUM_PX[net]
    assert ours(*(picture[:least, :least] for picture in pair)) > 0
    with torch.no_grad(), pytest.raises(RuntimeError):
        theirs(first[..., : least - 1], second[..., : least - 1])


@real_warnings
def test_real_inception_gives_what_the_package_gives(tmp_path, monkeypatch):
    package = real("torch_fidelity.feature_extractor_inceptionv3")
    network = package.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch:  # the package makes no network without weights
        patch.setattr(package, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(network, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        weights = network("random", ["2048"]).state_dict()
    path = use_weights(monkeypatch, tmp_path, "inception", weights)
    ours = open_inception(tmp_path)
    theirs = network("same", ["2048"], feature_extractor_weights_path=str(path))
    picture = np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)
    with torch.no_grad():
        (expected,) = theirs(torch.from_numpy(picture).permute(2, 0, 1)[None])
    features = ours(picture.astype(np.float32) / np.float32(255))
    assert features.std() > 0
    assert np.array_equal(features, expected[0].numpy())


@real_warnings
@pytest.mark.parametrize("counts", [(30, 30), pytest.param((1100, 1050), marks=pytest.mark.slow)])
def test_real_kid_is_the_unbiased_discrepancy(counts):
    real("torch_fidelity.metric_kid")
    generator = np.random.default_rng(0)
    ours, theirs = (
        (0.3 * generator.standard_normal((count, FEATURES)) + shift).astype(np.float32)
        for count, shift in zip(counts, (0.5, 0.55), strict=True)
    )

    def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (first.astype(np.float64) @ second.T.astype(np.float64) / FEATURES + 1) ** 3

    inside = [
        (values.sum() - np.trace(values)) / (len(values) * (len(values) - 1))
        for values in (kernel(ours, ours), kernel(theirs, theirs))
    ]
    expected = sum(inside) - 2 * kernel(ours, theirs).mean()
    mean, deviation = kid(ours, theirs)
    assert mean == pytest.approx(expected, rel=0.01)
    assert deviation == pytest.approx(0, abs=1e-6) if counts[0] == 30 else 0 < deviation < 0.05 * mean


@real_warnings
def test_our_frechet_distance_is_that_of_torch_fidelity():
    package = real("torch_fidelity.metric_fid")
    generator = np.random.default_rng(0)
    mix = generator.standard_normal((96, 96)) / 10
    sets = [generator.standard_normal((400, 96)) @ mix, generator.standard_normal((500, 96)) @ (1.2 * mix) + 0.1]
    statistics = [package.fid_features_to_statistics(torch.from_numpy(features)) for features in sets]
    expected = package.fid_statistics_to_metric(*statistics, False)[package.KEY_METRIC_FID]
    ours = []
    for features in sets:
        moments = Moments(96)
        moments.add(features)
        ours += [moments.mean, moments.covariance]
    assert frechet_distance(*ours) == pytest.approx(expected, rel=1e-6)
