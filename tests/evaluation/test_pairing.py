import hashlib

import numpy as np
import pytest
from PIL import Image

from mendpix.errors import DataError, ModelError, ProtocolError
from mendpix.evaluation.fitting import bin_names, bin_of, fit_hole, fit_picture
from mendpix.evaluation.measures import MEASURES, SET_MEASURES, TRUTH_MEASURES
from mendpix.evaluation.pairing import DEFINITIONS, open_protocol
from mendpix.evaluation.protocol import SIX_BINS, Pictures, load_protocol


def keys(opened):
    return [pair.key for pair in opened.pairs]


def test_every_bin_gives_each_picture_one_mask_of_each_bin_in_a_fixed_order(opened):
    assert keys(opened)[:6] == [
        "pictures-0+a0",
        "pictures-0+b1",
        "pictures-0+c0",
        "pictures-1+a1",
        "pictures-1+b0",
        "pictures-1+c1",
    ]
    assert len(opened.pairs) == 18
    columns = opened.columns()
    assert columns.bin_names == ("0–0.1", "0.2–0.3", "0.5–0.6")
    assert columns.columns[-1] == "all"
    assert columns.bins.tolist() == [0, 1, 2] * 6
    assert columns.pictures.tolist() == [number for number in range(6) for _ in range(3)]


def test_every_bin_leaves_out_masks_beyond_the_last_bin_and_the_others_give_them_a_bin(change):
    some = change(("[masks]", "[masks]\nbins = [0.1, 0.3]"))
    assert some.columns().bin_names == ("0–0.1", "0.1–0.3")
    assert len(some.pairs) == 12
    all_ = change(("[masks]", "[masks]\nbins = [0.1, 0.3]"), ('"every-bin"\nstep = 1', '"in-order"'))
    assert all_.columns().bin_names == ("0–0.1", "0.1–0.3", "0.3–1")


@pytest.mark.parametrize(
    ("pairing", "expected"),
    [
        ("in-order", ["0+a0", "1+a1", "2+b0", "3+b1", "4+c0", "5+c1"]),
        ("every-mask", ["0+a0", "1+a1", "2+b0", "3+b1", "4+c0", "5+c1"]),
    ],
)
def test_the_paper_s_order(change, pairing, expected):
    opened = change(('"every-bin"\nstep = 1', f'"{pairing}"'))
    assert keys(opened) == [f"pictures-{name}" for name in expected]


def test_in_order_starts_the_masks_anew_and_every_mask_the_pictures(place, change):
    for number in range(6, 8):
        write = Image.open(place / "pictures" / "0.png")
        write.save(place / "pictures" / f"{number}.png")
    assert keys(change(('"every-bin"\nstep = 1', '"in-order"')))[6:] == ["pictures-6+a0", "pictures-7+a1"]
    for number in range(2, 8):
        (place / "pictures" / f"{number}.png").unlink()
    opened = change(('"every-bin"\nstep = 1', '"every-mask"'))
    assert keys(opened) == [f"pictures-0+{mask}0" for mask in "abc"] + [f"pictures-1+{mask}1" for mask in "abc"]
    assert opened.by_picture == ((0, 1, 2), (3, 4, 5))


def test_same_name_tells_which_pictures_lack_a_mask(place, change):
    for number in range(6):
        (place / "masks" / f"{'abc'[number // 2]}{number % 2}.png").rename(place / "masks" / f"{number}.png")
    assert keys(change(('"every-bin"\nstep = 1', '"same-name"'))) == [f"pictures-{n}+{n}" for n in range(6)]
    (place / "masks" / "3.png").rename(place / "masks" / "x.png")
    with pytest.raises(DataError, match=r"1 of 6 have none: 3\."):
        change(('"every-bin"\nstep = 1', '"same-name"'))


def test_the_id_changes_with_contents_and_settings_and_with_nothing_else(place, opened, change):
    assert change(('name = "tiny"', 'name = "other"\nabout = "another name"')).id == opened.id
    assert change(("step = 1", "step = 0")).id != opened.id
    assert change(('"border-mae", ', "")).id != opened.id
    assert open_protocol(load_protocol(place / "protocol.toml"), limit=3).id != opened.id
    assert open_protocol(load_protocol(place / "protocol.toml"), limit=6).id == opened.id
    write_again = np.array(Image.open(place / "pictures" / "0.png"))
    write_again[0, 0, 0] ^= 1
    Image.fromarray(write_again).save(place / "pictures" / "0.png")
    assert open_protocol(load_protocol(place / "protocol.toml")).id != opened.id


def test_the_id_does_not_depend_on_where_the_files_lie(place, opened, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "protocol.toml"
    elsewhere.write_text((place / "protocol.toml").read_text())
    assert open_protocol(load_protocol(elsewhere, data=place)).id == opened.id


def test_a_protocol_with_an_id_refuses_other_contents(place, opened):
    text = (place / "protocol.toml").read_text()
    (place / "protocol.toml").write_text(f'id = "{opened.id}"\n{text}')
    assert open_protocol(load_protocol(place / "protocol.toml")).id == opened.id
    with pytest.raises(ProtocolError, match="A limited protocol has another id"):
        open_protocol(load_protocol(place / "protocol.toml"), limit=2)
    (place / "pictures" / "5.png").unlink()
    with pytest.raises(ProtocolError, match=f"must have the id {opened.id}; with these"):
        open_protocol(load_protocol(place / "protocol.toml"))


def test_a_limit_keeps_pictures_at_equal_distances_with_their_own_masks(place, opened):
    limited = open_protocol(load_protocol(place / "protocol.toml"), limit=2)
    assert keys(limited) == [key for key in keys(opened) if key.startswith(("pictures-0", "pictures-3"))]
    assert "2 of 6 (at equal distances in the list)" in limited.facts[0]


def test_pictures_of_another_size_are_refused_or_brought_to_it(place, change, write_picture):
    write_picture(place / "pictures" / "9.png", 9, side=80)
    with pytest.raises(DataError, match=r"must be 64 × 64 px \(height × width\); pictures/9\.png has 80 × 80"):
        change()
    assert change(('"exact"', '"crop"')).read_picture(6).shape == (64, 64, 3)


def test_crop_takes_the_centre_and_stretch_all_of_it():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 255
    settings = Pictures(("x",), "crop", (40, 40), "box")
    assert (fit_picture(picture, settings, "x") == 255).all()
    stretched = fit_picture(picture, Pictures(("x",), "stretch", (40, 40), "box"), "x")
    assert (stretched[:, 10:30] == 255).all()
    assert (stretched[:, :10] == 0).all()


def test_masks_of_another_size_are_refused_or_resized_without_losing_any_hole():
    hole = np.zeros((100, 100), np.float32)
    hole[50, 50] = 1
    with pytest.raises(DataError, match=r"64 × 64 px; m\.png has 100 × 100"):
        fit_hole(hole, (64, 64), False, "m.png")
    assert fit_hole(hole, (64, 64), True, "m.png").sum() >= 1
    with pytest.raises(DataError, match="leaves nothing known"):
        fit_hole(np.indices((8, 8)).sum(axis=0).astype(np.float32) % 2, (4, 4), True, "m.png")


def test_black_holes_are_read_as_holes(place, opened, change):
    for path in (place / "masks").iterdir():
        mask = np.asarray(Image.open(path))
        Image.fromarray(255 - mask).save(path)
    inverted = change(("[masks]\n", '[masks]\nhole = "black"\n'))
    assert [pair.hole_share for pair in inverted.pairs] == [pair.hole_share for pair in opened.pairs]
    pair = inverted.pairs[0]
    assert inverted.read_hole(pair, (64, 64)).mean() == pytest.approx(pair.hole_share)


def test_bins_hold_their_upper_ends():
    assert [bin_of(share, SIX_BINS) for share in (0.01, 0.1, 0.1001, 0.6, 0.61)] == [0, 0, 1, 5, 6]
    assert bin_names(SIX_BINS)[0] == "0–0.1"
    assert bin_names(SIX_BINS)[-1] == "0.6–1"


def test_a_detector_must_be_one(change):
    with pytest.raises(ModelError, match="telea only fills"):
        change(("[measure]", '[detector]\nmodel = "telea"\n\n[measure]'))
    with pytest.raises(ModelError, match=r"there is no file .*missing\.onnx"):
        change(("[measure]", '[detector]\nmodel = "missing.onnx"\n\n[measure]'))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "tiny"', 'nam = "tiny"', "Did you mean name?"),
        ('"exact"', '"keep"', "fit 'keep' goes without size_px"),
        ("size_px = [64, 64]", "", "fit 'exact' goes with size_px"),
        ("step = 1", "steps = 1", "Did you mean step?"),
        ('"every-bin"', '"in-order"', "step must be at least 0, and goes with pairing 'every-bin' only"),
        ('"every-bin"', '"random"', "masks.pairing must be"),
        ('"psnr", ', '"pnsr", ', "psnr"),
        ("[measure]", '[measure]\nworst_by = "l1-sum"', "worst_by must be one of the metrics measured"),
        ('"psnr", ', '"psnr", "detector-auc", ', "detector-auc need a detector; the protocol names none"),
        ("[masks]", "[masks]\nbins = [0.2, 0.1]", "bins must be rising"),
        ('sources = ["masks"]', "sources = []", "at least one folder of masks"),
        ("name", "folder = 'x'\nname", "no key 'folder'"),
        ("[masks]", "[masks", "must be TOML"),
    ],
)
def test_a_wrong_protocol_is_told_what_is_wrong(change, old, new, sentence):
    with pytest.raises(ProtocolError) as caught:
        change((old, new))
    assert sentence in str(caught.value)


def test_a_missing_protocol_and_missing_pictures(tmp_path, change):
    with pytest.raises(ProtocolError, match="readable TOML file"):
        load_protocol(tmp_path / "none.toml")
    with pytest.raises(DataError, match="nowhere"):
        change(('["pictures"]', '["nowhere"]'))
    with pytest.raises(DataError, match="nowhere"):
        change(('["masks"]', '["nowhere"]'))


def test_a_broken_picture_is_named(place, opened):
    (place / "pictures" / "2.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"2\.png"):
        opened.read_picture(2)


def test_a_single_mask_may_be_named(place, change):
    opened = change(('["masks"]', '["masks/b0.png"]'))
    assert [pair.key for pair in opened.pairs] == [f"pictures-{number}+b0" for number in range(6)]


def test_the_id_does_not_depend_on_names(place, opened, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for folder in ("pictures", "masks"):
        (other / f"my {folder}").mkdir()
        for path in (place / folder).iterdir():
            (other / f"my {folder}" / f"x{path.name}").write_bytes(path.read_bytes())
    text = (place / "protocol.toml").read_text()
    (other / "p.toml").write_text(text.replace('["pictures"]', '["my pictures"]').replace('["masks"]', '["my masks"]'))
    moved = open_protocol(load_protocol(other / "p.toml"))
    assert moved.id == opened.id
    assert moved.pairs[0].key == "my pictures-x0+xa0"


def test_same_name_refuses_two_masks_of_one_name(place, change, write_picture):
    for number in range(6):
        (place / "masks" / f"{'abc'[number // 2]}{number % 2}.png").rename(place / "masks" / f"{number}.png")
    (place / "masks" / "y").mkdir()
    (place / "masks" / "y" / "0.png").write_bytes((place / "masks" / "5.png").read_bytes())
    with pytest.raises(DataError, match="masks must have different names; 0 occurs twice"):
        change(('"every-bin"\nstep = 1', '"same-name"'))


def test_shares_and_bins_are_those_of_masks_as_they_are_used(place, change):
    for path in (place / "masks").iterdir():
        path.unlink()
    dots = np.zeros((256, 256), np.uint8)
    dots[::8, ::8] = 255
    Image.fromarray(dots).save(place / "masks" / "dots.png")
    keep = ('fit = "exact"\nsize_px = [64, 64]', 'fit = "keep"')
    cover = ("[masks]", '[masks]\nfit = "cover"')
    opened = change(keep, cover, ('"every-bin"\nstep = 1', '"in-order"'))
    assert opened.sizes == ((64, 64),) * 6
    used = opened.read_hole(opened.pairs[0], (64, 64))
    assert opened.pairs[0].hole_share == pytest.approx(used.mean())
    assert used.mean() > 4 * (dots > 0).mean()
    with pytest.raises(ProtocolError, match="bins do not depend on the picture"):
        change(keep, cover)


def test_a_mask_that_does_not_fit_its_picture_is_told_of_at_once(place, change):
    keep = ('fit = "exact"\nsize_px = [64, 64]', 'fit = "keep"')
    assert len(change(keep).pairs) == 18
    Image.new("RGB", (32, 32)).save(place / "pictures" / "7.png")
    with pytest.raises(DataError, match="masks must have the size of their picture, 32 × 32"):
        change(keep)


def test_sizes_are_those_of_pictures_turned_upright(place, change):
    picture = Image.open(place / "pictures" / "0.png").crop((0, 0, 64, 48))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(place / "pictures" / "0.png", exif=exif)
    keep = ('fit = "exact"\nsize_px = [64, 64]', 'fit = "keep"')
    opened = change(keep, ("[masks]", '[masks]\nfit = "cover"'), ('"every-bin"\nstep = 1', '"in-order"'))
    assert opened.sizes[0] == (64, 48)
    assert opened.read_picture(0).shape == (64, 48, 3)


def test_masks_beyond_every_bin_leave_no_pair(change):
    with pytest.raises(ProtocolError, match="must give at least one pair"):
        change(("[masks]", "[masks]\nbins = [0.01]"))


def test_a_picture_or_mask_that_changes_after_it_was_hashed_is_noticed(place, opened):
    Image.new("RGB", (64, 64)).save(place / "pictures" / "1.png")
    with pytest.raises(DataError, match=r"1\.png has changed"):
        opened.read_picture(1)
    (place / "masks" / "a0.png").write_bytes((place / "masks" / "b0.png").read_bytes())
    with pytest.raises(DataError, match=r"mask a0\.png has changed"):
        opened.read_hole(opened.pairs[0], (64, 64))


def test_names_that_are_not_utf_8_are_refused(place, change):
    name = bytes(place / "pictures") + b"/\xff.png"
    with open(name, "wb") as file:  # a Path cannot be made of these bytes
        file.write((place / "pictures" / "0.png").read_bytes())
    with pytest.raises(DataError, match="file names must be UTF-8"):
        change()


GOLDEN = "55607498aa5b1c9a"


def test_a_definition_that_changes_raises_the_number_of_definitions():
    """If only words changed, write the new hash here. If what a measure computes changed, raise DEFINITIONS as well."""
    every = {**MEASURES, **SET_MEASURES, **TRUTH_MEASURES}
    text = "\n".join(f"{name} {measure.unit} {measure.definition}" for name, measure in sorted(every.items()))
    assert (DEFINITIONS, hashlib.sha256(text.encode()).hexdigest()[:16]) == (1, GOLDEN)
