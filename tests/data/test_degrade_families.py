"""Each family of damage alone, and what they are made of."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mendpix.data import damage_fonts
from mendpix.data.damage_fonts import SCRIPTS, fonts, fonts_for, render, render_led, render_strokes
from mendpix.data.damage_layers import LEAST_MOVE, Canvas, join, lay, pick, rough_field, rounded, smooth_field
from mendpix.data.damage_noise import FULL_NOISE
from mendpix.data.degrade import FAMILIES, DamageSpec, damage, degrade

GREY = np.full((40, 56, 3), 0.5, np.float32)
SEEN = 12 / 255 - 1e-5


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(damage_fonts, "font_folders", lambda: ())
    fonts.cache_clear()
    fonts_for.cache_clear()
    yield
    fonts.cache_clear()
    fonts_for.cache_clear()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (40, 56)])
def test_every_family_can_be_seen_on_any_picture(family: str, value: float, size: tuple[int, int]):
    image = np.full((*size, 3), value, np.float32)
    for seed in range(5):
        result = damage(np.random.default_rng(seed), image, family)
        assert result.image.shape == image.shape
        assert result.image.dtype == result.destroyed.dtype == np.float32
        assert (np.abs(result.image - image).max(2) >= SEEN).any()
        assert 0 <= result.destroyed.min() <= result.destroyed.max() <= 1
        untouched = result.destroyed == 0
        assert np.array_equal(result.image[untouched], image[untouched])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_varies(family: str):
    results = [damage(np.random.default_rng(seed), GREY, family) for seed in range(12)]
    assert len({result.image.tobytes() for result in results}) == 12
    assert len({str(result.parameters) for result in results}) == 12
    again = damage(np.random.default_rng(3), GREY, family)
    assert np.array_equal(again.image, results[3].image)


@pytest.mark.parametrize("family", [name for name, kind in FAMILIES.items() if kind != "noise"])
def test_damage_by_paint_leaves_some_of_the_picture(family: str):
    shares = [(damage(np.random.default_rng(seed), GREY, family).destroyed > 0.5).mean() for seed in range(30)]
    assert np.mean(shares) < 0.5


def test_opacity_is_what_is_destroyed():
    opacity = np.zeros((4, 5), np.float32)
    opacity[1], opacity[2] = 0.25, 1
    result = lay(np.full((4, 5, 3), 0.2, np.float32), opacity, np.array([1, 0.2, 0.2], np.float32), {"a": 1})
    assert np.allclose(result.image[1], [0.4, 0.2, 0.2])
    assert np.allclose(result.image[2], [1, 0.2, 0.2])
    assert np.array_equal(result.destroyed, opacity)
    assert result.parameters == {"a": 1}


def test_what_nobody_sees_is_taken_back():
    image = np.full((1, 4, 3), 0.5, np.float32)
    opacity = np.array([[0, 0.9, 1, 1]], np.float32)
    paint = np.broadcast_to(image, image.shape).copy()
    paint[0, 1] += 0.9 * LEAST_MOVE
    paint[0, 2] += 1.1 * LEAST_MOVE
    result = lay(image, opacity, paint, {})
    assert result.destroyed.tolist() == [[0, 0, 1, 0]]
    assert np.array_equal(result.image[0, [0, 1, 3]], image[0, [0, 1, 3]])


def test_shares_destroyed_add_up_to_one_at_most():
    half = np.full((2, 2), 0.5, np.float32)
    assert np.allclose(join(half, half), 0.75)
    assert np.allclose(join(half, half * 0), 0.5)
    assert np.allclose(join(half, half * 2), 1)


@pytest.mark.parametrize("family", ["gaussian", "speckle"])
def test_added_noise_destroys_by_its_strength(family: str):
    for seed in range(6):
        result = damage(np.random.default_rng(seed), GREY, family)
        change = np.abs(result.image - GREY).max(2)
        assert np.allclose(result.destroyed, np.minimum(change / FULL_NOISE, 1), atol=1e-6)
        assert result.destroyed.max() < 1.001


def test_salt_and_pepper_destroys_wholly():
    for seed in range(6):
        result = damage(np.random.default_rng(seed), GREY, "salt-and-pepper")
        assert set(np.unique(result.destroyed)) == {0, 1}
        assert set(np.unique(result.image[result.destroyed == 1])) <= {0, 0.5, 1}


def test_damage_keeps_its_size_relative_to_the_picture():
    small, large = (np.full((side, side, 3), 0.5, np.float32) for side in (128, 384))  # thinner ones would fade
    for family in ("scratches", "text", "fading"):
        shares = [
            np.mean([(damage(np.random.default_rng(seed), image, family).destroyed > 0.2).mean() for seed in range(24)])
            for image in (small, large)
        ]
        assert 0.3 < shares[1] / shares[0] < 1.8, family


def test_fields_are_smooth_and_in_range():
    rng = np.random.default_rng(0)
    for field in (smooth_field(rng, (30, 41), 8), rough_field(rng, (30, 41), 8, 3)):
        assert field.shape == (30, 41)
        assert field.dtype == np.float32
        assert field.min() >= 0
        assert field.max() <= 1
        assert field.std() > 0.05
    assert np.abs(np.diff(smooth_field(rng, (64, 64), 32))).max() < 0.1


def test_thin_lines_are_thin():
    canvas = Canvas((40, 40))
    canvas.line(np.array([[20.5, -5], [20.5, 45]], np.float32), 1.0)
    assert canvas.opacity()[5:-5].sum(1) == pytest.approx(1, abs=0.3)


def test_picks_follow_their_weights_and_take_one_number():
    rng = np.random.default_rng(0)
    names = [pick(rng, {"a": 3, "b": 1}) for _ in range(2000)]
    assert names.count("a") / 2000 == pytest.approx(0.75, abs=0.04)
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    pick(one, {"a": 1})
    pick(other, {"a": 1, "b": 2, "c": 3})
    assert one.random() == other.random()


def test_records_hold_plain_values():
    got = rounded({"a": np.float32(0.123456), "b": [np.int64(3), True, None, "x"], "c": np.array([0.5, 1])})
    assert got == {"a": 0.1235, "b": [3, True, None, "x"], "c": [0.5, 1.0]}
    assert type(got["b"][0]) is int


def test_fonts_have_the_letters_of_their_scripts():
    assert fonts()[-1] == ""
    assert fonts_for("digits")
    for script, letters in SCRIPTS.items():
        for font in fonts_for(script)[:2]:
            drawn = {render(font, 24, letter).tobytes() for letter in letters}
            assert len(drawn) > 0.75 * len(letters), f"{font} draws boxes for {script}"


def test_renderings_are_planes_in_range_that_cannot_be_spoilt():
    planes = [
        render("", 20, "Word 12"),
        render_led("24 12 '98", 20, 0.1),
        *(render_strokes(np.random.default_rng(0), 4, 20, style) for style in ("square", "hand", "round")),
    ]
    for plane in planes:
        assert plane.ndim == 2
        assert plane.dtype == np.float32
        assert plane.max() > 0.7
        assert plane.min() == 0
        assert plane.shape[1] > plane.shape[0]
    with pytest.raises(ValueError, match="read-only"):
        planes[0][0, 0] = 1


@pytest.mark.usefixtures("no_fonts")
def test_without_fonts_there_is_writing_all_the_same():
    assert fonts() == ("",)
    scripts = set()
    for seed in range(30):
        result = damage(np.random.default_rng(seed), GREY, "text")
        assert result.destroyed.any()
        scripts.add(result.parameters.get("script"))
    assert {"latin", "strokes"} <= scripts
    assert "chinese" not in scripts


def test_the_machines_fonts_change_the_letters_and_nothing_else(request: pytest.FixtureRequest):
    spec = DamageSpec(families=("text", "watermark", "dust"), clean=0, ageing=0)
    before = [degrade(np.random.default_rng(seed), GREY, spec).record for seed in range(20)]
    request.getfixturevalue("no_fonts")
    after = [degrade(np.random.default_rng(seed), GREY, spec).record for seed in range(20)]
    for one, other in zip(before, after, strict=True):
        assert [(entry["family"], entry["seed"]) for entry in one["families"]] == [
            (entry["family"], entry["seed"]) for entry in other["families"]
        ]
        assert (one["scan"], one["jpeg"]) == (other["scan"], other["jpeg"])


def test_broken_font_files_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    (tmp_path / "empty.otf").write_bytes(b"")
    monkeypatch.setattr(damage_fonts, "font_folders", lambda: (tmp_path,))
    fonts.cache_clear()
    try:
        assert fonts() == ("",)
    finally:
        fonts.cache_clear()
