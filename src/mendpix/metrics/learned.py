"""LPIPS, and the Inception features of FID and KID, by the packages that published them. Needs the extra `fid-lpips`.

The formulas and networks are those of the packages `lpips` and `torch-fidelity`, called as they are; this module finds
and checks the weight files, hands them over, and turns pictures into what the packages expect. Nothing is downloaded,
and nothing else ever takes the place of a file that is missing. It does not know the Fréchet distance of the features
(`metrics/frechet.py`), nor which pictures make a set.
"""

import contextlib
import hashlib
import importlib
import io
import os
import pickle
import warnings
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from mendpix.errors import MissingExtraError, ModelError, ShapeError
from mendpix.metrics.pair import check_pair
from mendpix.types import AnyArray, FloatArray, Image

EXTRA = "fid-lpips"
"""The extra of mendpix that brings the packages."""

FEATURES = 2048
"""Length of the vector by which FID and KID describe a picture."""

KID_SUBSETS = 100
"""Number of random subsets over which KID is averaged."""

KID_SUBSET_SIZE = 1000
"""Pictures per subset; all of them, where there are fewer."""

KID_SEED = 2020
"""Seed of the subsets."""


@dataclass(frozen=True)
class WeightFile:
    """A published file of weights."""

    names: tuple[str, ...]
    """File names under which this file is published; any of them will do."""
    sha256: str
    """SHA-256 of its content; the names end in its first eight digits."""
    origin: str
    """What it is and who has it, as a sentence that follows the file name."""


LPIPS_WEIGHTS = {
    "alex": WeightFile(
        ("alexnet-owt-7be5be79.pth",),
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "It is torchvision's AlexNet, 244 MB",
    ),
    "vgg": WeightFile(
        ("vgg16-397923af.pth",),
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "It is torchvision's VGG16, 553 MB",
    ),
}
"""Weights of the backbones of LPIPS. The small weights on top of them come with the package `lpips`."""

LPIPS_MINIMUM_PX = {"alex": 31, "vgg": 16}
"""Smallest height and width from which the backbones reach their last layer."""

INCEPTION_WEIGHTS = WeightFile(
    ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"),
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "It is the Inception v3 of the first FID program, as the releases of pytorch-fid and torch-fidelity have it, 96 MB",
)
"""Weights of FID and KID. torchvision's own Inception v3 is another network, with other numbers."""


def open_lpips(net: str, weights_dir: str | os.PathLike[str]) -> Callable[[Image, Image], float]:
    """Open LPIPS version 0.1, of the package `lpips`.

    The function that comes back takes two pictures, RGB in [0, 1], shape (H, W, 3), at least `LPIPS_MINIMUM_PX`; it
    scales them to [-1, 1] and gives their distance: less is better, 0 = equal, without a unit. It raises ShapeError for
    anything else. The number depends on `net`, so print that with it. Source: Zhang et al. 2018,
    https://arxiv.org/abs/1801.03924.

    Args:
        net: Backbone, "alex" or "vgg".
        weights_dir: Folder that holds the backbone's file, see `LPIPS_WEIGHTS`.

    Returns:
        The distance, a function of two pictures that gives the same whichever comes first.

    Raises:
        MissingExtraError: If a package is not installed or does not work.
        ModelError: If there is no such backbone, or its file is missing, damaged or of something else.

    Example:
        >>> lpips_alex = open_lpips("alex", "weights")  # doctest: +SKIP
        >>> lpips_alex(prediction, target)  # doctest: +SKIP
        0.0731
    """
    if net not in LPIPS_WEIGHTS:
        raise ModelError(f"the backbone of LPIPS must be one of {', '.join(LPIPS_WEIGHTS)}; got {net!r}.")
    measure = f"LPIPS ({net})"
    torch = _need("torch", measure)
    lpips = _need("lpips", measure)
    path, weights = _read(LPIPS_WEIGHTS[net], weights_dir, measure)
    # A backbone with random weights is the only one that the package makes without a download; it gets those of the
    # file instead. The caller's random numbers stay as they are.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision, whose older arguments the package uses
        model = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    with _foreign_weights(path, measure):
        # The package cuts the backbone into slices and keeps the numbers of its layers: slice2.3.weight is that of 3.
        model.net.load_state_dict(
            {name: weights[f"features.{name.partition('.')[2]}"] for name in model.net.state_dict()}
        )
    return partial(_lpips, model.eval(), LPIPS_MINIMUM_PX[net])


def open_inception(weights_dir: str | os.PathLike[str]) -> Callable[[Image], FloatArray]:
    """Open the Inception v3 of FID and KID, of the package `torch-fidelity`.

    The function that comes back takes a picture, RGB in [0, 1], shape (H, W, 3), rounds it to 8 bits, resizes it to
    299 × 299 as the first FID program did, and gives its 2048 pooled features, float32. It raises ShapeError for
    anything else. Source: Heusel et al. 2017, https://arxiv.org/abs/1706.08500.

    Args:
        weights_dir: Folder that holds the network's file, see `INCEPTION_WEIGHTS`.

    Returns:
        The features, a function of one picture.

    Raises:
        MissingExtraError: If a package is not installed or does not work.
        ModelError: If the file is missing, damaged or of something else.

    Example:
        >>> inception = open_inception("weights")  # doctest: +SKIP
        >>> inception(picture).shape  # doctest: +SKIP
        (2048,)
    """
    measure = "FID and KID"
    torch = _need("torch", measure)
    package = _need("torch_fidelity.feature_extractor_inceptionv3", measure)
    path, weights = _read(INCEPTION_WEIGHTS, weights_dir, measure)
    # The package would unpickle a file without restraint. What was read with restraint is handed over in memory.
    memory = io.BytesIO()
    torch.save(weights, memory)
    memory.seek(0)
    with torch.random.fork_rng(devices=[]), _foreign_weights(path, measure):
        extractor = package.FeatureExtractorInceptionV3(
            "inception-v3-compat", [str(FEATURES)], feature_extractor_weights_path=memory
        )
    return partial(_inception, extractor.eval())


def kid(prediction: FloatArray, target: FloatArray) -> tuple[float, float]:
    """Compute the kernel inception distance of two sets of pictures from their features, by `torch-fidelity`.

    The unbiased squared maximum mean discrepancy with the kernel (x·y / 2048 + 1)³, averaged over `KID_SUBSETS` = 100
    random subsets of `KID_SUBSET_SIZE` = 1000 pictures of each set (seed `KID_SEED` = 2020). Less is better, around 0
    = alike; since it is unbiased it may be a little below 0. Without a unit; many papers print 1000 times the number.
    Where a set has fewer than 1000 pictures, subsets have as many as the smaller set; of two sets of that size every
    subset is the whole, and the deviation says nothing. Source: Bińkowski et al. 2018,
    https://arxiv.org/abs/1801.01401.

    Args:
        prediction: Features of one set by `open_inception`, shape (N, 2048), N at least 2.
        target: Features of the other, shape (M, 2048), M at least 2.

    Returns:
        Mean and standard deviation over the subsets.

    Raises:
        MissingExtraError: If a package is not installed or does not work.
        ShapeError: If the features are not finite floats of those shapes.
    """
    _check_features(prediction, "prediction")
    _check_features(target, "target")
    torch = _need("torch", "KID")
    package = _need("torch_fidelity.metric_kid", "KID")
    found = package.kid_features_to_metric(
        *(torch.from_numpy(np.array(features, np.float32)) for features in (prediction, target)),
        kid_subsets=KID_SUBSETS,
        kid_subset_size=min(KID_SUBSET_SIZE, len(prediction), len(target)),
        rng_seed=KID_SEED,
        verbose=False,
    )
    return float(found[package.KEY_METRIC_KID_MEAN]), float(found[package.KEY_METRIC_KID_STD])


def _lpips(model: Any, least_px: int, prediction: Image, target: Image) -> float:
    """Run the package's LPIPS on two pictures."""
    import torch

    check_pair(prediction, target)
    if min(prediction.shape[:2]) < least_px:
        raise ShapeError(
            f"prediction and target must be at least {least_px} × {least_px} for LPIPS; got {prediction.shape}. "
            "Measure smaller pictures by psnr or l1."
        )
    pair = np.stack((prediction, target)).astype(np.float32, copy=False)
    with torch.inference_mode():
        first, second = torch.from_numpy(pair).permute(0, 3, 1, 2).contiguous().split(1)
        return float(model(first, second, normalize=True))  # normalize: from [0, 1] to [-1, 1]


def _inception(extractor: Any, image: Image) -> FloatArray:
    """Run the package's Inception on a picture."""
    import torch

    _check_picture(image)
    levels = np.rint(np.asarray(image, np.float32) * np.float32(255)).astype(np.uint8)
    with torch.inference_mode():
        (features,) = extractor(torch.from_numpy(levels).permute(2, 0, 1)[None].contiguous())
    return features[0].numpy().astype(np.float32)


def _need(module: str, measure: str) -> Any:
    """Import a module of the extra, or say how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        raise MissingExtraError(
            f"{measure} needs the package {missing}, which is not installed. "
            f"Install it with: pip install 'mendpix[{EXTRA}]'"
        ) from error
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        raise MissingExtraError(
            f"{measure} needs the package {module.partition('.')[0]}, which cannot be imported ({error}). Most often "
            "torchvision is of another build than torch: install both in one go, from one source, for instance both "
            "for processors only."
        ) from error


def _read(file: WeightFile, folder: str | os.PathLike[str], measure: str) -> tuple[Path, Mapping[str, Any]]:
    """Find a file of weights, check its content, and read it: its path, and its tensors by name.

    Raises:
        ModelError: If it is not there, is damaged, or is no file of weights.
    """
    path = _find(file, Path(folder), measure)
    torch: Any = importlib.import_module("torch")
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{measure} must be able to read {path}; it is not able to ({error.strerror}). Look at its permissions."
        ) from error
    if digest != file.sha256:
        raise ModelError(
            f"the SHA-256 of {path} must begin with {file.sha256[:8]}, as its name says; it is {digest[:8]}…"
            f"{'' if digest[:8] != file.sha256[:8] else ' and differs further on'}. The file is damaged, cut short or "
            "something else: get it anew."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about odd files; what is wrong with one is told below
            weights = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, OSError, EOFError, RuntimeError, ValueError, LookupError, AttributeError) as error:
        raise _foreign(path, measure, "it is no file of torch, or holds more than numbers") from error
    if not isinstance(weights, Mapping):
        raise _foreign(path, measure, f"it holds a {type(weights).__name__}")
    return path, cast("Mapping[str, Any]", weights)


def _find(file: WeightFile, folder: Path, measure: str) -> Path:
    if not folder.is_dir():
        raise ModelError(
            f"{measure} needs a folder that holds {' or '.join(file.names)}; there is no folder {folder}. "
            "Name the right one with --weights-dir."
        )
    for name in file.names:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(
        f"{measure} needs the file {' or '.join(file.names)} in {folder}; it is not there. {file.origin}; a machine "
        "that has measured this before has it in hub/checkpoints in torch's cache folder. Put it there under its own "
        "name: mendpix downloads nothing, and takes nothing else in its place."
    )


@contextlib.contextmanager
def _foreign_weights(path: Path, measure: str) -> Generator[None]:
    """Turn what goes wrong while weights are put into a network into our error."""
    try:
        yield
    except KeyError as error:
        raise _foreign(path, measure, f"it lacks {error.args[0]}") from error
    except (RuntimeError, TypeError, AttributeError) as error:
        raise _foreign(path, measure, str(error).replace("\n", " ").replace("\t", " ")) from error


def _foreign(path: Path, measure: str, why: str) -> ModelError:
    return ModelError(f"{path} must hold the published weights for {measure}; it does not: {why[:200]}. Get it anew.")


def _check_picture(image: AnyArray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ShapeError(f"image must be (H, W, 3); got {image.shape}. Repeat a grey channel three times.")
    if not np.issubdtype(image.dtype, np.floating):
        raise ShapeError(f"image must be floats in [0, 1]; got {image.dtype}. Divide by its maximum.")
    low, high = image.min(), image.max()
    if not (low >= 0 and high <= 1):  # a NaN fails both comparisons
        raise ShapeError(f"image must be finite and in [0, 1]; got values from {low} to {high}. Clip it.")


def _check_features(features: AnyArray, name: str) -> None:
    if features.ndim != 2 or features.shape[1] != FEATURES or len(features) < 2:
        raise ShapeError(
            f"{name} must be (N, {FEATURES}) with N at least 2; got {features.shape}. "
            "Stack the features of the pictures, np.stack(vectors)."
        )
    if not np.issubdtype(features.dtype, np.floating) or not np.isfinite(features).all():
        raise ShapeError(f"{name} must be finite floats; got {features.dtype}, or NaN or infinity. Compute it anew.")
