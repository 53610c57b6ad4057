import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from mendpix.data.ageing import age, compress, draw_ageing
from mendpix.data.damage_layers import LEAST_MOVE
from mendpix.data.degrade import FAMILIES, KINDS, DamageSpec, Degraded, damage, degrade, repeat
from mendpix.errors import InputError, ShapeError
from mendpix.types import Image

STEP = 1 / 255


def picture(number: int = 0, size: tuple[int, int] = (48, 64)) -> Image:
    """A smooth picture with some texture, in steps of 8 bits."""
    rng = np.random.default_rng(number)
    row, column = np.mgrid[: size[0], : size[1]] / max(size)
    waves = [np.sin(rng.uniform(2, 9) * row + rng.uniform(2, 9) * column + rng.uniform(0, 6)) for _ in range(3)]
    values = 0.5 + 0.35 * np.stack(waves, 2) + 0.05 * rng.standard_normal((*size, 3))
    return (np.rint(np.clip(values, 0, 1) * 255) / 255).astype(np.float32)


def many(count: int, spec: DamageSpec | None = None) -> list[Degraded]:
    return [degrade(np.random.default_rng(seed), picture(seed % 5), spec) for seed in range(count)]


def same(one: Degraded, other: Degraded) -> bool:
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("image", "clean", "destroyed"))
    return arrays and one.record == other.record


def test_the_result_is_a_function_of_the_state_of_the_generator():
    results = many(30)
    for seed, result in enumerate(results):
        assert same(result, degrade(np.random.default_rng(seed), picture(seed % 5)))
    assert not same(results[0], results[5])
    assert not np.array_equal(results[0].image, results[5].image)


def test_threads_do_not_disturb_each_other():
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(damage, np.random.default_rng(seed), picture(), "text") for seed in range(24)]
    for seed, job in enumerate(jobs):
        assert np.array_equal(job.result().image, damage(np.random.default_rng(seed), picture(), "text").image)


def test_the_callers_picture_is_left_alone():
    image = picture()
    before = image.copy()
    image.setflags(write=False)
    for seed in range(20):
        result = degrade(np.random.default_rng(seed), image, DamageSpec(clean=0))
        result.image[0, 0] = result.clean[0, 0]  # belongs to the caller: can be written to
    assert np.array_equal(image, before)


def test_shapes_ranges_and_steps():
    for result in many(60):
        assert result.image.shape == result.clean.shape == (48, 64, 3)
        assert result.destroyed.shape == (len(KINDS), 48, 64)
        assert result.mask.shape == (48, 64)
        for array in (result.image, result.clean, result.destroyed, result.mask):
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
            assert array.min() >= 0
            assert array.max() <= 1
        for array in (result.image, result.clean):
            steps = np.rint(array * 255)
            assert np.array_equal((steps / np.float32(255)).astype(np.float32), array)


def test_nothing_is_destroyed_where_nothing_moved_and_the_other_way_round():
    for result in many(120, DamageSpec(clean=0, jpeg=0, scan=0.5, half_colour=0)):
        if result.record["aged_after"] and result.record["ageing"]["jpeg"]:
            continue  # JPEG moves everything a little
        untouched = result.mask == 0
        assert np.array_equal(untouched, (result.destroyed == 0).all(0))
        assert np.array_equal(result.image[untouched], result.clean[untouched])
        moved = np.abs(result.image - result.clean).max(2)
        assert (moved[~untouched] >= LEAST_MOVE - 1e-5).all()


def test_the_mask_joins_the_kinds():
    result = degrade(np.random.default_rng(1), picture())
    planes = np.zeros((4, 48, 64), np.float32)
    planes[0], planes[2] = 0.5, 0.4
    assert np.allclose(replace(result, destroyed=planes).mask, 0.7)


def test_the_shares_of_clean_aged_scanned_and_compressed_samples():
    results = many(400, DamageSpec(families=("dust", "scratches"), clean=0.4, ageing=0.3, jpeg=0.2, scan=0.6))
    shares = {name: np.mean([result.record[name] is not None for result in results]) for name in ("ageing", "jpeg")}
    shares["scan"] = np.mean([result.record["scan"] is not None for result in results])
    shares["clean"] = np.mean([not result.record["families"] for result in results])
    shares["half"] = np.mean([result.record["half_colour"] for result in results])
    expected = {"clean": 0.4, "ageing": 0.3, "jpeg": 0.2, "scan": 0.6, "half": 0.8}
    assert shares == pytest.approx(expected, abs=0.08)
    for result in results:
        if not result.record["families"]:
            assert not result.destroyed.any()
            assert np.array_equal(result.image, result.clean)
        else:
            assert result.destroyed.any()


def test_damage_may_be_as_old_as_its_picture():
    first = DamageSpec(clean=0, ageing=1, aged_after=1, scan=0, jpeg=0, families=("stains", "scratches"))
    grey = 0
    for seed, result in enumerate(many(60, first)):
        drawn = result.record["ageing"]
        assert result.record["aged_after"]
        assert same(repeat(picture(seed % 5), result.record), result)
        if drawn["tone"] == "grey" and not drawn["jpeg"] and not drawn["frame"]:
            grey += 1
            assert np.ptp(result.image, axis=2).max() < 1e-6  # coloured stains have lost their colour, too
    assert grey > 3
    last = many(60, replace(first, aged_after=0, families=("stains",)))
    assert not any(result.record["aged_after"] for result in last)
    colourful = [np.ptp(one.image, axis=2).max() > 0.05 for one in last if one.record["ageing"]["tone"] == "grey"]
    assert any(colourful)
    for result in many(20, replace(first, families=("salt-and-pepper",))):
        assert not result.record["aged_after"]  # noise is the last thing that happens


def test_all_clean_and_none_clean():
    assert all(not result.mask.any() for result in many(20, DamageSpec(clean=1)))
    assert all(result.mask.any() for result in many(20, DamageSpec(clean=0)))


def test_without_ageing_the_picture_itself_is_wanted():
    for seed in range(10):
        result = degrade(np.random.default_rng(seed), picture(), DamageSpec(ageing=0, jpeg=0, scan=0, half_colour=0))
        assert np.array_equal(result.clean, picture())


def test_no_more_families_than_asked_for_and_one_noise_at_most():
    counts = set()
    for result in many(150, DamageSpec(clean=0, most=2)):
        names = [entry["family"] for entry in result.record["families"]]
        counts.add(len(names))
        assert len(set(names)) == len(names)
        assert sum(FAMILIES[name] == "noise" for name in names) <= 1
    assert counts == {1, 2}


def test_every_family_comes_and_left_out_ones_do_not():
    drawn = {entry["family"] for result in many(200) for entry in result.record["families"]}
    assert drawn == set(FAMILIES)
    kept = tuple(name for name in FAMILIES if name != "text")
    drawn = {entry["family"] for result in many(100, DamageSpec(families=kept)) for entry in result.record["families"]}
    assert "text" not in drawn


@pytest.mark.parametrize("family", FAMILIES)
def test_damage_is_of_its_familys_kind_alone(family: str):
    for seed in range(4):
        result = degrade(np.random.default_rng(seed), picture(), DamageSpec(families=(family,), clean=0))
        assert result.destroyed[KINDS.index(FAMILIES[family])].any()
        others = [number for number, kind in enumerate(KINDS) if kind != FAMILIES[family]]
        assert not result.destroyed[others].any()


def test_the_record_is_json_and_enough_to_damage_the_same_picture_again():
    for seed, result in enumerate(many(60)):
        record = json.loads(json.dumps(result.record))
        assert record == result.record
        assert same(repeat(picture(seed % 5), record), result)
        assert not result.record["families"] or all(entry["parameters"] for entry in record["families"])


def test_compression_touches_both_pictures_alike():
    for result in many(20, DamageSpec(jpeg=1, clean=0, ageing=0, families=("text",))):
        assert 60 <= result.record["jpeg"] <= 95
        assert not np.array_equal(result.clean, picture())
    for result in many(20, DamageSpec(jpeg=1, clean=1)):
        assert np.array_equal(result.image, result.clean)


def test_a_scan_makes_damage_as_soft_as_its_picture():
    spec = DamageSpec(families=("text",), clean=0, ageing=0, jpeg=0, scan=1)
    for seed in range(5):
        soft = degrade(np.random.default_rng(seed), picture(), spec)
        hard = repeat(picture(), {**soft.record, "scan": None})
        assert np.abs(np.diff(soft.mask)).max() < np.abs(np.diff(hard.mask)).max()
        assert np.abs(np.diff(soft.clean, axis=0)).mean() < np.abs(np.diff(hard.clean, axis=0)).mean()
    noisy = many(10, DamageSpec(families=("gaussian",), clean=0, scan=1))
    assert all(result.record["scan"] is None for result in noisy)  # how much noise destroyed would not be known


def test_colour_of_damage_is_no_sharper_than_that_of_its_picture():
    spec = DamageSpec(families=("text",), clean=0, ageing=0, jpeg=0, scan=0, half_colour=1)
    colour = lambda image: image[..., 0] - image[..., 2]  # noqa: E731
    for seed in range(8):
        half = degrade(np.random.default_rng(seed), picture(), spec)
        sharp = repeat(picture(), {**half.record, "half_colour": False})
        edges = [np.abs(np.diff(colour(result.image), axis=1)).max() for result in (half, sharp)]
        assert edges[0] < 0.8 * edges[1]
        light = [result.image @ np.array([0.299, 0.587, 0.114], np.float32) for result in (half, sharp)]
        assert np.abs(light[0] - light[1]).mean() < 0.02  # brightness stays sharp
        assert np.abs(half.image - half.clean)[half.mask > 0.5].max() > 0.1
    noisy = many(10, DamageSpec(families=("gaussian",), clean=0, half_colour=1))
    assert not any(result.record["half_colour"] for result in noisy)


def test_ageing_is_recorded_and_does_what_it_says():
    tones: set[str] = set()
    for seed in range(40):
        drawn = draw_ageing(np.random.default_rng(seed))
        assert json.loads(json.dumps(drawn)) == drawn
        aged = age(picture(), drawn)
        assert aged.dtype == np.float32
        assert aged.min() >= 0
        assert aged.max() <= 1
        assert np.array_equal(aged, age(picture(), drawn))
        tones.add(drawn["tone"])
        if drawn["tone"] == "grey" and drawn["frame"] is None:
            assert np.ptp(aged, axis=2).max() <= 3 * STEP  # JPEG rounds colours
    assert tones == {"none", "grey", "sepia", "faded"}


@pytest.mark.parametrize("form", ["straight", "rounded", "oval"])
def test_a_frame_lies_around_the_picture_alone(form: str):
    plain = {"tone": "none", "tint": [0, 0, 0], "colour": 1.0, "contrast": 1.0, "lift": 0.0, "blur_px": 0.0,
             "grain": 0.0, "jpeg": None, "frame": None}  # fmt: skip
    frame = {"form": form, "colour": [1.0, 1.0, 1.0], "sides": [1.0] * 4, "width": 0.1}
    assert np.allclose(age(picture(), plain), picture(), atol=1e-6)
    framed = age(picture(), {**plain, "frame": frame})
    assert (framed[0] == 1).all()
    assert (framed[:, -1] == 1).all()
    assert np.allclose(framed[20:28, 24:40], picture()[20:28, 24:40], atol=1e-6)


def test_compression_keeps_colours_in_their_channels():
    image = np.zeros((16, 16, 3), np.float32)
    image[..., 0] = 1
    assert np.abs(compress(image, 95) - image).max() < 0.02


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"families": ("scratch",)}, ["'scratch'", "scratches, cracks"]),
        ({"families": ()}, ["at least one", "got none"]),
        ({"families": ("text", "text")}, ["once", "text, text"]),
        ({"clean": 1.5}, ["clean", "between 0 and 1", "1.5"]),
        ({"clean": float("nan")}, ["clean", "nan"]),
        ({"ageing": -0.1}, ["ageing", "-0.1"]),
        ({"scan": 2}, ["scan", "2"]),
        ({"jpeg": -1}, ["jpeg", "-1"]),
        ({"most": 0}, ["most", "at least 1", "0"]),
    ],
)
def test_what_makes_no_sense_is_an_error(values: dict[str, object], words: list[str]):
    with pytest.raises(InputError) as error:
        DamageSpec(**values)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((8, 8), np.float32), "(8, 8)"),
        (np.zeros((8, 8, 4), np.float32), "(8, 8, 4)"),
        (np.zeros((0, 8, 3), np.float32), "not empty"),
        (np.zeros((8, 8, 3), np.uint8), "uint8"),
        (np.full((8, 8, 3), 200, np.float32), "Divide by 255"),
        (np.full((8, 8, 3), np.nan, np.float32), "nan"),
    ],
)
def test_what_is_no_picture_is_an_error(image: Image, words: str):
    for call in (
        lambda: degrade(np.random.default_rng(0), image),
        lambda: damage(np.random.default_rng(0), image, "dust"),
        lambda: repeat(
            image,
            {"ageing": None, "aged_after": False, "families": [], "scan": None, "jpeg": None, "half_colour": False},
        ),
    ):
        with pytest.raises(ShapeError) as error:
            call()
        assert words in str(error.value)


def test_an_unknown_family_is_an_error():
    with pytest.raises(InputError, match=r"must be one of scratches, .*; got 'rust'"):
        damage(np.random.default_rng(0), picture(), "rust")
