"""The paper's figures from models whose answers can be worked out by hand: what is measured, drawn and written."""

import base64
import html.parser
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import mendpix
from mendpix.data.mask_sampler import MaskSpec, draw_mask, sample_mask
from mendpix.errors import DataError, InputError, ModelError, OutputError
from mendpix.evaluation.figure_inputs import NEEDS, SIZE_PX, Pairs, find_models, fit, spread
from mendpix.evaluation.figure_page import embed
from mendpix.evaluation.figure_parts import frame, heat_overlay, hottest_square
from mendpix.evaluation.figures import Report, write_report
from mendpix.evaluation.paper_figures import FIGURES, edge_picture, most_different_square
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.psnr import psnr
from tiny_models import brightness_detector, first_fill_generator, grey_generator

NAMES = ("apple & pear.png", "b<c>.png", "z.png")


def photo(seed: int, height: int = SIZE_PX, width: int = SIZE_PX) -> np.ndarray:
    """Slopes, a box and some grain, uint8."""
    rows, columns = np.mgrid[:height, :width]
    grain = np.random.default_rng(seed).integers(0, 4, (height, width))
    picture = np.stack([columns * 200 // width, rows * 200 // height, 120 + 0 * rows], axis=2) + grain[..., None]
    picture[height // 4 : height // 2, width // 3 : width // 2] = (230, 200, 40)
    return picture.astype(np.uint8)


def hole(seed: int) -> np.ndarray:
    spec = MaskSpec(bins=((0.1, 0.2),), border="free")
    return draw_mask(sample_mask(np.random.default_rng(seed), (SIZE_PX, SIZE_PX), spec))


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Weight fills grey, the others with a first fill each; the detector takes bright pixels for filled ones."""
    folder = tmp_path_factory.mktemp("models")
    grey_generator(folder / "weight.onnx")
    for name, which in (("adv", 1), ("linear", 1), ("base-e", 0), ("det", 0)):
        first_fill_generator(folder / f"{name}.onnx", which)
    brightness_detector(folder / "det-detector.onnx")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(photo(number)).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def masks(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "masks"
    folder.mkdir()
    for number in range(2):
        Image.fromarray((hole(number) * 255).astype(np.uint8)).save(folder / f"mask-{number}.png")
    return folder


@pytest.fixture(scope="module")
def made(models, photos, masks, tmp_path_factory) -> Report:
    out = tmp_path_factory.mktemp("report") / "new" / "folder"
    return write_report(models, out, [photos], masks, rows=1, title="<b>Ours</b> & theirs", threads=1)


class Page(html.parser.HTMLParser):
    """Collects what matters of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(made) -> Page:
    return Page(made.page.read_text(encoding="utf-8"))


# ----------------------------------------------------------------------------------------------------------------------
# What is written


def test_writes_a_page_and_a_sheet_for_each_figure(made):
    assert sorted(path.name for path in made.page.parent.iterdir()) == [
        "figure-3.png",
        "figure-6.png",
        "figure-7.png",
        "index.html",
    ]
    assert (made.pairs, made.rows) == (3, 1)
    sizes = {}
    for number, path in made.sheets.items():
        with Image.open(path) as sheet:
            assert sheet.mode == "RGB"
            sizes[number] = sheet.size
    assert {width for width, _ in sizes.values()} == {5 * 256 + 4 * 8 + 2 * 28}
    assert min(sizes[3][1], sizes[6][1]) > 2 * 256  # two strips
    assert 256 < sizes[7][1] < sizes[6][1] - 256  # one


def test_the_page_needs_nothing_from_elsewhere(made, page):
    text = made.page.read_text(encoding="utf-8")
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    outside = [a["href"] for a in page.all("a") if a["href"].lstrip("#") not in ids]
    assert outside == ["https://arxiv.org/abs/2011.02293"]  # followed only by a click
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))


def test_every_picture_on_the_page_is_whole_and_described(page):
    images = page.all("img")
    assert len(images) == 10 + 10 + 5
    for image in images:
        assert len(image["alt"]) > 10
        with Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))) as picture:
            assert picture.size == (int(image["width"]), int(image["height"]))
            picture.load()


def test_words_are_escaped_and_pictures_named(page):
    assert page.text.count("<b>Ours</b> & theirs") == 2  # title and heading
    assert not page.all("b")
    assert page.text.count("photos/b<c>.png, mask mask-1.png") == 3  # under its row in each figure
    assert "photos/z.png, mask" not in page.text  # measured, not shown


def test_the_page_says_what_it_was_made_from(made, page):
    assert {one.name for one in made.models} == {name for names in NEEDS.values() for name in names}
    for one in made.models:
        assert one.path.name in page.text
        assert one.sha256 in page.text
    for words in ("256 × 256", "Canny with σ = 1 px", "thresholds 0.1 and 0.2", "raw prediction", "composites"):
        assert words in page.text


def test_the_same_input_gives_the_same_files(models, photos, masks, tmp_path):
    for name in ("one", "other"):
        write_report(models, tmp_path / name, [photos / "z.png"], masks, figures=[3], threads=1)
    for name in ("figure-3.png", "index.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_no_torch_is_needed():
    program = "import sys, mendpix.evaluation.figures, mendpix.metrics.edges; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(mendpix.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=environment)


# ----------------------------------------------------------------------------------------------------------------------
# What is measured


def pairs_by_hand() -> list[tuple[np.ndarray, np.ndarray]]:
    return [(photo(n).astype(np.float32) / np.float32(255), hole(n % 2)) for n in range(len(NAMES))]


def test_edge_ratios_are_those_of_the_pictures(made):
    by_hand = np.mean([edge_ratio(picture) for picture, _ in pairs_by_hand()])
    means = made.means[3]
    assert means["target"] == pytest.approx(by_hand)
    assert means["base-e"] == means["det"]  # the same model
    assert means["linear"] != means["det"]
    assert 0 < means["det_hole"] < 1


def test_composites_are_measured_not_predictions(made):
    """The grey model's composite can be made by hand: 0.5 in the hole is 128 of 255 in a file."""
    by_hand = [
        psnr(np.where(missing[..., None] > 0, np.float32(128 / 255), picture), picture)
        for picture, missing in pairs_by_hand()
    ]
    assert made.means[6]["weight_psnr"] == pytest.approx(np.mean(by_hand), abs=1e-4)
    assert made.means[6]["det_psnr"] > made.means[6]["weight_psnr"]


def test_the_detector_sees_the_picture_itself(made):
    known = [picture.mean(axis=2)[missing == 0].mean() for picture, missing in pairs_by_hand()]
    inside = [picture.mean(axis=2)[missing > 0].mean() for picture, missing in pairs_by_hand()]
    assert made.means[7]["target_known"] == pytest.approx(np.mean(known), abs=1e-5)
    assert made.means[7]["target_hole"] == pytest.approx(np.mean(inside), abs=1e-5)


def test_and_the_raw_prediction(models, photos, masks, tmp_path):
    """The grey model adds 0.5 in the hole to a picture that is black there: so bright is its raw prediction."""
    folder = tmp_path / "models"
    folder.mkdir()
    grey_generator(folder / "det.onnx")
    shutil.copy(models / "det-detector.onnx", folder)
    alone = write_report(folder, tmp_path / "out", [photos / "z.png"], masks, figures=[7], threads=1)
    assert alone.means[7]["result_hole"] == pytest.approx(0.5, abs=1e-6)
    assert alone.means[7]["result_known"] == pytest.approx(alone.means[7]["target_known"], abs=1e-6)


# ----------------------------------------------------------------------------------------------------------------------
# Which figures, which pairs


def test_one_figure_needs_its_own_models_only(models, photos, masks, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in NEEDS[7]:
        shutil.copy(models / f"{name}.onnx", folder)
    alone = write_report(folder, tmp_path / "out", [photos], masks, figures=[7, 7], rows=1, threads=1)
    assert list(alone.sheets) == [7]
    assert sorted(path.name for path in alone.page.parent.iterdir()) == ["figure-7.png", "index.html"]
    assert "Figure 3" not in alone.page.read_text(encoding="utf-8")


def test_missing_models_are_named_with_what_can_be_made(models, photos, masks, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    (folder / "adv.onnx").unlink()
    (folder / "linear.onnx").unlink()
    with pytest.raises(ModelError) as caught:
        write_report(folder, tmp_path / "out", [photos], masks)
    message = str(caught.value)
    assert "figure 3 lacks linear.onnx; figure 6 lacks adv.onnx" in message
    assert message.endswith("you can make 7: --figure 7")
    assert not (tmp_path / "out").exists()
    (folder / "det.onnx").unlink()
    with pytest.raises(ModelError, match=r"figure 7 lacks det\.onnx.*no figure can be made.*mendpix export"):
        find_models(folder, [7])
    with pytest.raises(ModelError, match="is no folder"):
        find_models(tmp_path / "nowhere")


@pytest.mark.parametrize("figures", [[5], [3, 8], []])
def test_other_figures_are_refused(models, figures):
    with pytest.raises(InputError, match="figure must be among 3, 6 and 7; got"):
        find_models(models, figures)


def test_a_model_of_the_wrong_kind_is_refused_and_nothing_is_written(models, photos, masks, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    shutil.copy(models / "det-detector.onnx", folder / "weight.onnx")
    with pytest.raises(ModelError, match=r"weight\.onnx is a detector"):
        write_report(folder, tmp_path / "out", [photos], masks)
    assert list((tmp_path / "out").iterdir()) == []


def test_pairs_keep_one_order_whatever_the_order_of_the_files(photos, masks):
    files = sorted(photos.iterdir())
    forward, backward = Pairs.open(files, masks), Pairs.open(files[::-1], masks)
    names = [forward.name(index) for index in range(len(forward))]
    assert names == [backward.name(index) for index in range(len(backward))]
    assert [picture.partition("/")[2] for picture, _ in names] == sorted(NAMES)
    assert [mask for _, mask in names] == ["mask-0.png", "mask-1.png", "mask-0.png"]
    assert forward.content_hashes() == backward.content_hashes()
    assert len(set(forward.content_hashes())) == 2


def test_hashes_follow_the_content(photos, masks, tmp_path):
    copies = tmp_path / "photos"
    shutil.copytree(photos, copies)
    before = Pairs.open([copies], masks).content_hashes()
    assert before == Pairs.open([photos], masks).content_hashes()
    Image.fromarray(photo(9)).save(copies / "z.png")
    after = Pairs.open([copies], masks).content_hashes()
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_rows_more_than_pairs_show_them_all(models, photos, masks, tmp_path):
    few = write_report(models, tmp_path, [photos / "z.png"], masks, figures=[6], rows=9, threads=1)
    assert (few.pairs, few.rows) == (1, 1)
    assert "mean of 1 pair" in few.page.read_text(encoding="utf-8")


def test_at_least_one_row(models, photos, masks, tmp_path):
    with pytest.raises(InputError, match="rows must be at least 1; got 0"):
        write_report(models, tmp_path / "out", [photos], masks, rows=0)


@settings(max_examples=50)
@given(st.integers(1, 500), st.integers(1, 20))
def test_rows_are_spread_evenly(count, wanted):
    chosen = spread(count, wanted)
    assert len(chosen) == min(count, wanted)
    assert all(0 <= number < count for number in chosen)
    gaps = np.diff(chosen)
    assert len(gaps) == 0 or 1 <= gaps.min() <= gaps.max() <= gaps.min() + 1


def test_bad_places_are_named(models, photos, masks, tmp_path):
    with pytest.raises(InputError, match="needs pictures"):
        write_report(models, tmp_path / "out", [], masks)
    with pytest.raises(DataError, match="nowhere"):
        write_report(models, tmp_path / "out", [tmp_path / "nowhere"], masks)
    with pytest.raises(DataError, match="masks should be in the folder"):
        write_report(models, tmp_path / "out", [photos], tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="results go into a folder"):
        write_report(models, tmp_path / "file", [photos], masks)


def test_a_broken_picture_is_named_and_nothing_is_written(models, masks, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        write_report(models, tmp_path / "out", [folder], masks, threads=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_mask_that_becomes_all_hole_is_refused(photos, tmp_path):
    dots = np.full((2 * SIZE_PX, 2 * SIZE_PX), 255, np.uint8)
    dots[::2, ::2] = 0  # a known pixel in every four
    Image.fromarray(dots).save(tmp_path / "dots.png")
    with pytest.raises(DataError, match=r"dots\.png leaves nothing known"):
        Pairs.open([photos], tmp_path)[0]


@pytest.mark.parametrize(("height", "width"), [(256, 256), (300, 451), (1000, 256), (64, 90), (512, 512)])
def test_every_picture_is_brought_to_one_size_around_its_centre(height, width):
    pixels = photo(0, height, width)
    fitted = fit(pixels)
    assert fitted.shape == (SIZE_PX, SIZE_PX, 3)
    assert fitted.dtype == np.float32
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    assert fitted.mean() == pytest.approx(square.mean() / 255, abs=0.01)
    if side == SIZE_PX:
        assert np.array_equal(np.rint(fitted * 255), square)


# ----------------------------------------------------------------------------------------------------------------------
# Parts


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_hottest_square_is_the_hottest_of_all(height, width, side, seed):
    values = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    top, left, got = hottest_square(values, side)
    assert got == min(side, height, width)
    windows = np.lib.stride_tricks.sliding_window_view(values, (got, got)).mean(axis=(2, 3), dtype=np.float64)
    assert windows[top, left] == pytest.approx(windows.max(), rel=1e-6)


def test_squares_that_are_alike_give_the_first():
    assert hottest_square(np.full((20, 20), 0.1, np.float32), 5) == (0, 0, 5)
    assert hottest_square(np.zeros((20, 20), np.float32), 5) == (0, 0, 5)


def test_the_magnified_square_is_where_the_fills_differ_inside_the_hole():
    missing = np.zeros((100, 100), np.float32)
    missing[40:90, 10:90] = 1
    one, other = np.zeros((2, 100, 100, 3), np.float32)
    other[70:80, 60:70] = 1
    other[0:30, 0:100] = 1  # known: nobody should look there
    top, left, side = most_different_square([one, one, other], missing, 20)
    assert top <= 70
    assert top + side >= 80
    assert left <= 60
    assert left + side >= 70
    top, left, _ = most_different_square([one, one, one], missing, 20)  # nothing differs: the hole itself
    assert missing[top : top + 20, left : left + 20].all()


@pytest.mark.parametrize("box", [(0, 0, 8), (10, 12, 8), (24, 32, 8), (0, 0, 32)])
def test_the_frame_leaves_the_inside_and_the_picture_alone(box):
    pixels = np.full((32, 40, 3), 90, np.uint8)
    framed = frame(pixels, box)
    top, left, side = box
    assert (pixels == 90).all()
    assert (framed[top + 1 : top + side - 1, left + 1 : left + side - 1] == 90).all()
    assert (framed[top, left : left + side] == (220, 20, 30)).all()
    assert (framed[top : top + side, left + side - 1] == (220, 20, 30)).all()


def test_heat_goes_from_blue_to_red():
    values = np.array([[0, 0.5, 1]], np.float32)
    cold, _, hot = heat_overlay(np.full((1, 3, 3), 0.5, np.float32), values)[0].astype(int)
    assert cold[2] > cold[0] + 50
    assert hot[0] > hot[2] + 50


def test_edges_in_the_hole_are_red():
    edges, missing = np.zeros((2, 4, 4))
    edges[1], missing[:, 2:] = 1, 1
    drawn = edge_picture(edges > 0, missing.astype(np.float32)).astype(int)
    assert (drawn[1, :2] < 50).all()
    assert (drawn[1, 2:, 0] > drawn[1, 2:, 1] + 100).all()
    assert (drawn[0, :2] == 255).all()


def test_few_colours_are_embedded_without_loss():
    pixels = edge_picture(np.random.default_rng(0).random((64, 64)) > 0.9, hole(0)[:64, :64])
    with Image.open(io.BytesIO(base64.b64decode(embed(pixels).partition(",")[2]))) as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), pixels)


def test_every_figure_has_its_models_and_five_columns():
    assert FIGURES.keys() == NEEDS.keys()
    assert {len(figure.columns) for figure in FIGURES.values()} == {5}


def test_names_that_the_font_lacks_are_drawn_all_the_same(models, masks, tmp_path):
    Image.fromarray(photo(0)).save(tmp_path / "写真 – ×.png")
    few = write_report(models, tmp_path / "out", [tmp_path / "写真 – ×.png"], masks, figures=[7], threads=1)
    assert "写真 – ×.png" in few.page.read_text(encoding="utf-8")


def test_a_folder_in_the_place_of_a_result_is_named_before_anything_is_written(models, photos, masks, tmp_path):
    (tmp_path / "figure-6.png").mkdir()
    with pytest.raises(OutputError, match=r"figure-6\.png is written into"):
        write_report(models, tmp_path, [photos], masks)
    assert [path.name for path in tmp_path.iterdir()] == ["figure-6.png"]
