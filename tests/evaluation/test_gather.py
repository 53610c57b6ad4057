"""What becomes of rows, against computations that share no code with it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mendpix.evaluation.candidates import Candidate
from mendpix.evaluation.evaluate import evaluate
from mendpix.evaluation.gather import gather, gather_truth
from mendpix.evaluation.measurer import Work
from mendpix.evaluation.pairing import Pair, open_protocol
from mendpix.evaluation.protocol import load_protocol
from mendpix.evaluation.rows import Row, RowFile
from mendpix.inference.inpainter import Inpainter
from mendpix.metrics.crops import crop_around_hole
from mendpix.metrics.detection import average_precision, calibration_error, roc_auc
from mendpix.metrics.squeezenet import SqueezeNet

SIDE = 32
LARGE = frozenset(range(3, 70, 7))
"""Masks of the second bin; the other 60 of 70 are in the first."""


def frechet(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The Fréchet distance by other ways: traces of np.cov, and tr (A B)^½ from the vectors themselves.

    With centred vectors X and Y in rows, A B = Xᵀ X Yᵀ Y / (n − 1)² has the eigenvalues of (X Yᵀ)(X Yᵀ)ᵀ / (n − 1)².
    """
    ours, theirs = np.float64(ours), np.float64(theirs)
    spread = sum(np.trace(np.cov(vectors, rowvar=False)) for vectors in (ours, theirs))
    product = (ours - ours.mean(axis=0)) @ (theirs - theirs.mean(axis=0)).T / (len(ours) - 1)
    roots = np.linalg.svd(product, compute_uv=False).sum()
    return float(((ours.mean(axis=0) - theirs.mean(axis=0)) ** 2).sum() + spread - 2 * roots)


def made_up(opened, bins, pictures):
    """An opened protocol with other pairs, whose files do not exist."""
    pairs = tuple(
        Pair(f"pair{number}", picture, number, bin_number, (bin_number + 0.5) / 10)
        for number, (picture, bin_number) in enumerate(zip(pictures, bins, strict=True))
    )
    return dataclasses.replace(opened, locations=opened.locations[:1] * (max(pictures) + 1), pairs=pairs)


@pytest.mark.parametrize("count", [63, 64, 65, 128, 150])
def test_vectors_are_summed_up_whole_however_many_there_are(opened, tmp_path, least, monkeypatch, count):
    """Around BATCH, rows in any order, two models, uneven bins; KID by a stand-in that notes what it gets."""
    least(frechet_squeezenet=4, fid=5, kid=3)
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def noting(prediction, target):
        seen.append((prediction, target))
        return float(1000 * len(prediction) + len(target)), 0.0

    monkeypatch.setattr("mendpix.metrics.learned.kid", noting)
    rng = np.random.default_rng(count)
    pictures = np.sort(rng.integers(0, count // 3, count))
    pictures = np.unique(pictures, return_inverse=True)[1]
    bins = np.where(np.arange(count) % 16 == 5, 4, 1)  # 4 to 10 pairs in the second one
    made = made_up(opened, bins.tolist(), pictures.tolist())
    work = Work(
        made,
        tuple(Candidate(name, name, name, None) for name in "ab"),
        ("psnr", "l1"),
        ("frechet-squeezenet", "fid", "kid"),
    )

    def draw(number: int) -> dict[str, np.ndarray]:
        return {
            "squeezenet": np.float32(rng.normal(3, 1, (number, 6)) @ rng.normal(size=(6, 6))),
            "inception": np.float32(rng.normal(-1, 2, (number, 4))),
        }

    truth = draw(pictures.max() + 1)
    models = [draw(count), draw(count)]
    numbers = rng.normal(size=(2, 2, count))
    truth_file = RowFile(tmp_path / "truth.jsonl", {})
    for picture in rng.permutation(pictures.max() + 1):
        vectors = {name: found[picture] for name, found in truth.items()}
        truth_file.append([Row(str(picture), {"edge-ratio": float(picture)}, 0, vectors)])
    files = []
    for place, model in enumerate(models):
        files.append(RowFile(tmp_path / f"{place}.jsonl", {}))
        for pair in rng.permutation(count):
            values = {"psnr": float(numbers[place, 0, pair]), "l1": float(numbers[place, 1, pair])}
            vectors = {name: found[pair] for name, found in model.items()}
            files[-1].append([Row(f"pair{pair}", values, int(pair) + place, vectors)])

    found = gather(work, files, truth_file)
    np.testing.assert_array_equal(gather_truth(made, truth_file)["edge-ratio"], pictures)
    columns = {"0.1–0.2": bins == 1, "0.4–0.5": bins == 4, "all": bins > 0}
    calls = iter(seen)
    for place, (model, measured) in enumerate(zip(models, found, strict=True)):
        assert measured.name == "ab"[place]
        np.testing.assert_array_equal(measured.values["psnr"], numbers[place, 0])
        np.testing.assert_array_equal(measured.values["l1"], numbers[place, 1])
        np.testing.assert_array_equal(measured.altered, np.arange(count) + place)
        assert set(measured.set_values) == {"frechet-squeezenet", "fid", "kid"}
        for measure, vector, enough in (("frechet-squeezenet", "squeezenet", 4), ("fid", "inception", 5)):
            assert set(measured.set_values[measure]) == set(columns)
            for column, members in columns.items():
                value = measured.set_values[measure][column]
                if members.sum() < enough:
                    assert np.isnan(value)
                else:
                    theirs = truth[vector][pictures[members]]  # a true picture as often as it has pairs
                    assert value == pytest.approx(frechet(model[vector][members], theirs), rel=1e-9)
        for column, value in measured.set_values["kid"].items():
            members = columns[column]
            ours, theirs = next(calls)
            np.testing.assert_array_equal(ours, model["inception"][members])
            np.testing.assert_array_equal(theirs, truth["inception"][np.unique(pictures[members])])  # once each
            assert value == 1000 * len(ours) + len(theirs)
    assert next(calls, None) is None


@pytest.fixture
def seventy(tmp_path, write_picture, detector) -> Path:
    """Fourteen pictures, each with five of seventy masks, 60 in one bin and 10 in another; two folders of results."""
    for number in range(14):
        write_picture(tmp_path / "pictures" / f"{number:02}.png", number, SIDE)
    (tmp_path / "masks").mkdir()
    for number in range(70):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        height = 18 if number in LARGE else 8
        top, left = number % (SIDE - height), number % 7
        mask[top : top + height, left : left + height] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number:02}.png")
    (tmp_path / "protocol.toml").write_text(
        'name = "seventy"\npictures = { sources = ["pictures"] }\n'
        'masks = { sources = ["masks"], pairing = "every-mask", bins = [0.1, 0.2] }\n'
        f'detector = {{ model = "{detector}" }}\n'
        "[measure]\n"
        'metrics = ["psnr", "l1", "frechet-squeezenet", "detector-auc-pooled", "detector-ap-pooled", "detector-ece"]\n',
        encoding="utf-8",
    )
    return tmp_path


@dataclasses.dataclass(frozen=True)
class Known:
    """A pair as this test knows it, read from the files without mendpix."""

    target: np.ndarray
    shown: np.ndarray
    hole: np.ndarray
    column: str


def write_results(place: Path, name: str, opened, strength: int) -> list[Known]:
    """Write results that differ from the true pictures everywhere, and give their composites."""
    rng = np.random.default_rng(strength)
    (place / name).mkdir()
    known = []
    for pair in opened.pairs:
        number = int(pair.key[-2:])
        target = np.asarray(Image.open(place / "pictures" / f"{number % 14:02}.png"))
        hole = np.asarray(Image.open(place / "masks" / f"{number:02}.png")) > 0
        result = np.clip(target + rng.normal(2 * strength, strength, target.shape), 0, 255).astype(np.uint8)
        Image.fromarray(result).save(place / name / f"{pair.key}.png")
        shown = np.where(hole[..., None], result, target)
        known.append(Known(target / 255, shown / 255, hole, "0.2–1" if number in LARGE else "0–0.1"))
    return known


def test_measures_of_sets_from_files_to_columns(seventy, least):
    least(frechet_squeezenet=11)
    opened = open_protocol(load_protocol(seventy / "protocol.toml"))
    pairs = {name: write_results(seventy, name, opened, strength) for name, strength in (("a", 10), ("b", 60))}
    report = evaluate(opened, [str(seventy / name) for name in pairs], seventy / "report", cases=0)
    columns = {name: {one for one, pair in enumerate(pairs["a"]) if pair.column == name} for name in ("0–0.1", "0.2–1")}
    assert sorted(map(len, columns.values())) == [10, 60]
    columns["all"] = set(range(70))
    evaluation = report.summary.evaluation
    assert evaluation.pairs.columns == tuple(columns)
    backbone = SqueezeNet()
    for model in evaluation.models:
        known = pairs[model.name]
        assert (model.altered > 0).all()
        np.testing.assert_allclose(
            model.values["l1"], [100 * np.abs(pair.shown - pair.target).mean() for pair in known], rtol=1e-5
        )
        ours = np.stack([backbone.pooled(np.float32(pair.shown)) for pair in known])
        truth = np.stack([backbone.pooled(np.float32(pair.target)) for pair in known])
        for name, members in columns.items():
            chosen = sorted(members)
            distance = model.set_values["frechet-squeezenet"][name]
            if len(chosen) < 11:
                assert np.isnan(distance)
            else:
                assert distance == pytest.approx(frechet(ours[chosen], truth[chosen]), rel=1e-4)
            # All pixels of the column beside one another, rated by their brightness.
            rated = np.concatenate([np.float32(known[one].shown).mean(axis=2) for one in chosen])
            filled = np.float32(np.concatenate([known[one].hole for one in chosen]))
            assert model.set_values["detector-auc-pooled"][name] == pytest.approx(roc_auc(rated, filled), abs=0.005)
            precision = model.set_values["detector-ap-pooled"][name]
            assert precision == pytest.approx(average_precision(rated, filled), abs=0.005)
            # Single precision may put a pixel on the edge of a bin to either side.
            assert model.set_values["detector-ece"][name] == pytest.approx(calibration_error(rated, filled), abs=1e-3)
    for measure in ("frechet-squeezenet", "detector-auc-pooled", "detector-ap-pooled", "detector-ece"):
        first, second = (model.set_values[measure] for model in evaluation.models)
        assert all(np.isnan(first[name]) or abs(first[name] - second[name]) > 0.01 for name in columns), measure


def test_fid_and_kid_from_files_to_columns(seventy, least, monkeypatch):
    """The published networks are replaced: by five numbers of a picture, and by a difference of means."""
    least(fid=5, kid=61)

    def five(image):
        return np.float32([*image.mean(axis=(0, 1)), image.std(), image[0].mean()])

    def signed(prediction, target):
        return float(prediction[:, 0].mean() - target[:, 0].mean()), 0.0

    monkeypatch.setattr("mendpix.metrics.learned.open_inception", lambda folder: five)
    monkeypatch.setattr("mendpix.metrics.learned.kid", signed)
    text = (seventy / "protocol.toml").read_text("utf-8").replace('"frechet-squeezenet"', '"fid", "kid"')
    (seventy / "learned.toml").write_text(text, encoding="utf-8")
    opened = open_protocol(load_protocol(seventy / "learned.toml"))
    known = write_results(seventy, "a", opened, 10)
    report = evaluate(opened, [str(seventy / "a")], seventy / "report", cases=0, weights_dir=seventy)
    (model,) = report.summary.evaluation.models
    for name in ("0–0.1", "0.2–1", "all"):
        members = [pair for pair in known if name in ("all", pair.column)]
        ours = np.stack([five(np.float32(pair.shown)) for pair in members])
        truth = np.stack([five(np.float32(pair.target)) for pair in members])
        assert model.set_values["fid"][name] == pytest.approx(frechet(ours, truth), rel=1e-3)
        if len(members) < 61:
            assert np.isnan(model.set_values["kid"][name])
        else:
            distinct = np.unique(truth, axis=0)
            assert len(distinct) == 14
            expected = ours[:, 0].mean() - distinct[:, 0].mean()
            assert expected > 0.004  # fills are brighter: the other way round it would be negative
            assert model.set_values["kid"][name] == pytest.approx(expected, rel=1e-4)
    assert (seventy / "report" / "report.md").read_text("utf-8").count("FID")


@pytest.mark.slow
def test_crops_around_holes_are_compared_with_the_same_crops_of_the_true_pictures(seventy):
    """The distance of hole crops through files and all, against one from the pictures themselves."""
    text = (seventy / "protocol.toml").read_text(encoding="utf-8")
    at = text.index("metrics = [")
    (seventy / "protocol.toml").write_text(text[:at] + 'metrics = ["psnr", "frechet-hole"]\n', encoding="utf-8")
    opened = open_protocol(load_protocol(seventy / "protocol.toml"))
    report = evaluate(opened, ["telea"], seventy / "report", cases=0)
    backbone = SqueezeNet()
    inpainter = Inpainter("telea", detector=None, threads=1)
    ours: list[np.ndarray] = []
    theirs: list[np.ndarray] = []
    bins: list[int] = []
    for pair in opened.pairs:
        target = opened.read_picture(pair.picture).astype(np.float32) / np.float32(255)
        hole = opened.read_hole(pair, target.shape[:2])
        theirs.append(backbone.pooled(crop_around_hole(target, hole)))
        bins.append(pair.bin)
        filled = inpainter(np.rint(255 * target).astype(np.uint8), hole).prediction
        shown = np.where(hole[..., None] > 0, np.rint(np.clip(filled, 0, 1) * 255) / np.float32(255), target)
        ours.append(backbone.pooled(crop_around_hole(shown.astype(np.float32), hole)))
    first = np.array(bins) == 0
    assert first.sum() == 60
    values = report.summary.evaluation.models[0].set_values["frechet-hole"]
    vectors, truth = np.array(ours), np.array(theirs)
    assert values["all"] == pytest.approx(frechet(vectors, truth), rel=1e-4)
    assert values["0–0.1"] == pytest.approx(frechet(vectors[first], truth[first]), rel=1e-4)
    assert np.isnan(values[opened.columns().bin_names[1]])  # ten pairs are too few
    assert values["all"] > 0
    again = evaluate(opened, ["telea"], seventy / "report", cases=0)
    assert again.measured == 0
    np.testing.assert_equal(again.summary.evaluation.models[0].set_values["frechet-hole"], values)
