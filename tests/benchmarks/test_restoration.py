"""The restoration benchmark on a few small pictures made here: rows, measures, choice of thresholds, page, refusals."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import onnx
import pytest
from PIL import Image

import restoration
import restoration_cases as cases
import restoration_clean as clean
import restoration_damaged as damaged
import restoration_edges as edges
import restoration_families as families
import restoration_noise as noise
import restoration_page
from damage_finders import light_and_dark_finder
from mendpix.data.degrade import FAMILIES, KINDS
from mendpix.engines.interface import Facts
from mendpix.engines.onnx import OnnxDamageFinder
from mendpix.metrics.detection import iou, rank_scores
from mendpix.restoration.restore import restore
from mendpix.restoration.sensitivity import mark

SIDE = 64


def draw(path, seed):
    """Write slopes with grain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    picture = np.stack([60 + columns * 2, 60 + rows * 2, 180 - columns], axis=2) + rng.integers(0, 20, (SIDE, SIDE, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def shared(tmp_path):
    """A folder like the shared one: a few photos of each validation folder."""
    folder = tmp_path / "shared"
    for place, name in enumerate(cases.FOLDERS):
        for number in range(3):
            draw(folder / "validation" / name / f"{number}.png", 10 * place + number)
    return folder


@pytest.fixture
def finder(tmp_path):
    """A finder that takes light for wear, stains and watermarks, and dark for text and noise."""
    path = light_and_dark_finder(tmp_path / "finder.onnx", kinds=("wear", "text"))
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "both"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 0, 1, 0, 1]), "which"))
    model.graph.node.append(onnx.helper.make_node("Gather", ["both", "which"], ["damage"], axis=1))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(KINDS)
    facts = replace(Facts.from_json(model.metadata_props[0].value), kinds=KINDS)
    model.metadata_props[0].value = facts.to_json()
    onnx.save(model, path)
    return path


@pytest.fixture
def program(shared, finder, tmp_path):
    """Run the program."""

    def run(*arguments):
        places = ("--shared", shared, "--finder", finder, "--work", tmp_path / "work", "--docs", tmp_path / "docs")
        restoration.main([*map(str, places), *arguments])

    return run


def test_rows_go_on_where_a_killed_run_was_and_drop_those_of_other_code(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = cases.Rows(path, "one")
    rows.add({"key": "a", "value": 1})
    rows.add({"key": "b", "value": 2})
    path.write_text(path.read_text() + '{"key": "c", "val')
    again = cases.Rows(path, "one")
    assert again.in_order(["b", "c", "a"]) == [{"key": "b", "value": 2}, {"key": "a", "value": 1}]
    again.add({"key": "c", "value": 3})
    assert set(cases.Rows(path, "one").found) == {"a", "b", "c"}
    other = cases.Rows(path, "two")
    assert (other.found, other.others) == ({}, 3)
    other.add({"key": "a", "value": 4})
    assert cases.Rows(path, "two").found == {"a": {"key": "a", "value": 4}}
    assert cases.Rows(path, "one").found == {}


def test_means_have_intervals_unless_there_is_one_value():
    values = np.random.default_rng(0).normal(5, 1, 100)
    found = cases.mean([*values, math.nan])
    assert found.pairs == 100
    assert found.mean == pytest.approx(values.mean())
    assert found.half_width == pytest.approx(1.96 * values.std() / 10, rel=0.05)
    assert math.isnan(cases.mean([3.0]).low)
    assert cases.mean([]).pairs == 0


def test_best_overlap_is_that_of_the_best_threshold():
    rng = np.random.default_rng(1)
    truth = (rng.random((20, 20)) < 0.2).astype(np.float32)
    found = np.clip(0.3 * truth + rng.random((20, 20)), 0, 1).round(1).astype(np.float32)
    tried = [iou(found, truth, threshold) for threshold in np.arange(0, 1, 0.05)]
    assert cases.best_overlap(rank_scores(found, truth)) == pytest.approx(max(tried))


@pytest.mark.parametrize("family", FAMILIES)
def test_damage_is_the_same_each_time_and_fits_into_a_file(shared, family):
    image = cases.read(cases.validation_pictures(shared)[0])
    first, again, other = (damaged.damaged(image, family, number) for number in (0, 0, 1))
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)
    assert np.array_equal(first.image, cases.to_unit(cases.to_levels(first.image)))


def test_every_family_has_its_own_pictures_and_some_are_mended(shared):
    listed = damaged.list_cases(shared)
    assert {case.family for case in listed} == set(FAMILIES)
    numbers = {family: [case.picture.number for case in listed if case.family == family] for family in FAMILIES}
    assert sorted(numbers["scratches"]) == [0, 3, 6]
    assert sorted(numbers["cracks"]) == [1, 4, 7]
    assert sum(case.fills for case in listed) == len(FAMILIES)
    assert all(case.fills for case in damaged.list_cases(shared, 1))
    assert {case.key for case in damaged.list_cases(shared, 2)} < {case.key for case in listed}


@pytest.mark.parametrize(("who", "preset"), [("network", "auto"), ("classical", "auto"), ("classical", "noise")])
def test_masks_and_fills_are_those_of_restore(shared, finder, who, preset):
    image = cases.read(cases.validation_pictures(shared)[4]).copy()
    image[:, 30:32] = 1
    image[10, 10] = 0
    name = str(finder) if who == "network" else who
    marked = mark(cases.evidence(name, image, preset), exact=preset == "noise")
    levels = cases.to_levels(image)
    result = restore(levels, preset=preset, finder=name, max_area=1, model="scenes", detector=None, threads=1)
    assert marked.any()
    assert np.array_equal(marked, result.hole)
    assert np.array_equal(cases.to_levels(cases.filled(image, marked, "scenes")), result.image)


def test_nothing_marked_and_everything_marked_leave_a_picture_alone():
    image = np.full((32, 32, 3), 0.2, np.float32)
    for hole in (np.zeros((32, 32), np.float32), np.ones((32, 32), np.float32)):
        assert cases.filled(image, hole, "scenes") is image
    assert cases.is_too_large(np.ones((2, 2), np.float32), 1)


def test_what_is_marked_at_a_threshold_is_what_a_finder_with_it_marks(shared, finder):
    image = cases.read(cases.validation_pictures(shared)[0])
    engine = OnnxDamageFinder(finder, threads=1)
    sweep = clean.marks_by_threshold(engine, image, "wear")
    for place in (0, 12, 20):
        kinds = engine.facts.kinds
        odds = {kind: clean.to_share(clean.ODDS[place]) for kind in kinds}
        clean.write_thresholds(finder, tuple(odds[kind] for kind in kinds))
        marked = mark(cases.evidence(str(finder), image, "scratches"))
        assert np.mean(marked.astype(bool) != sweep[place]) < 0.001


def test_thresholds_keep_the_allowance_and_find_the_most():
    steps = np.arange(len(clean.ODDS))
    rng = np.random.default_rng(2)
    # The higher the threshold, the less is marked; text is marked up to high thresholds.
    marked = {
        kind: np.clip(0.02 - rate * steps + rng.normal(0, 0.002, (40, 1)), 0, 1)
        for kind, rate in (("wear", 0.0032), ("text", 0.0008), ("watermark", 0.0016), ("noise", 0.0016))
    }
    recall = {kind: 1 - steps / len(steps) for kind in marked}
    choice = clean.choose(marked, recall, allowed=0.1)
    places = {kind: clean.ODDS.index(odds) for kind, odds in choice.odds.items()}
    together = sum(marked[kind][:, places[kind]] for kind in ("wear", "text", "watermark"))
    assert np.mean(together > clean.CHANGED) <= 0.1
    assert np.mean(marked["noise"][:, places["noise"]] > clean.CHANGED) <= 0.1
    for kind in ("wear", "text", "watermark"):  # a step further down with any of them would be too much
        lower = {**places, kind: places[kind] - 1}
        total = sum(marked[name][:, lower[name]] for name in ("wear", "text", "watermark"))
        assert np.mean(total > clean.CHANGED) > 0.1
    assert np.mean(marked["noise"][:, places["noise"] - 1] > clean.CHANGED) > 0.1
    # What must be left alone above all may be changed no more often than all the pictures together.
    first, others = np.arange(40) < 20, np.arange(40) >= 20
    spoilt = {kind: values + 0.01 * first[:, None] * (steps < 25) for kind, values in marked.items()}
    strict = clean.choose(spoilt, recall, allowed=0.6, groups=[others, first])
    assert min(strict.odds.values()) >= min(clean.choose(spoilt, recall, allowed=0.6).odds.values())
    assert strict.odds["noise"] > clean.choose(spoilt, recall, allowed=0.6).odds["noise"]
    # Asked for alone, each kind may change as many pictures as all of them together.
    assert all(choice.preset_odds[kind] <= choice.odds[kind] for kind in marked)
    assert choice.preset_odds["watermark"] < choice.odds["watermark"]
    for kind in marked:
        assert np.mean(marked[kind][:, clean.ODDS.index(choice.preset_odds[kind])] > clean.CHANGED) <= 0.1
    found = [clean.values_at(recall, odds)["watermark"] for odds in (choice.odds, choice.preset_odds)]
    assert found[0] < found[1]
    assert clean.values_at(recall, {"wear": clean.ODDS[3]}) == {"wear": pytest.approx(recall["wear"][3])}
    never = {kind: np.ones((4, len(steps))) for kind in marked}
    assert set(clean.choose(never, recall).odds.values()) == {clean.ODDS[-1]}
    assert set(clean.choose(never, recall).preset_odds.values()) == {clean.ODDS[-1]}
    blind = clean.choose({kind: 0 * values for kind, values in marked.items()}, dict.fromkeys(marked, 0 * steps))
    assert {blind.odds[kind] for kind in ("wear", "text", "watermark")} == {clean.ODDS[-1]}


def test_what_was_chosen_by_one_half_is_tried_on_the_other():
    """The even photos can be left alone at a low threshold, the odd ones only at a high one."""
    steps = np.arange(len(clean.ODDS))
    rows = [
        {"key": f"bsds/{number} {form}", "form": form, "number": number}
        for number in range(10)
        for form in (clean.AS_DRAWN, "grey")
    ]
    rows += [
        {"key": f"{clean.TRAINING}{number}", "form": clean.AS_DRAWN, "number": number} for number in range(0, 8, 2)
    ]
    validation = np.array([not row["key"].startswith(clean.TRAINING) for row in rows])
    odd = np.array([row["number"] % 2 for row in rows]) * validation
    needed = np.where(odd, 20, 5)
    shares = np.where(steps < needed[:, None], 0.02, 0.0)
    found = clean.cross_checked(rows, {"text": shares}, {"text": 1 - steps / len(steps)})
    # By the even ones a threshold is chosen that spoils all odd ones, and the other way round none is spoilt.
    half = {clean.AS_DRAWN: 0.5, "grey": 0.5}
    assert found == {"auto": half, "text": half}
    groups = clean.grouped(rows)
    assert {name: int(group.sum()) for name, group in groups.items()} == {
        clean.AS_DRAWN: 10, "grey": 10, clean.ORIGINALS: 14
    }  # fmt: skip


def test_calibration_writes_thresholds_and_nothing_else_into_the_file(shared, finder, tmp_path, monkeypatch):
    def pictures(shared, count):
        for named in cases.validation_pictures(shared)[:count]:
            yield named.key, cases.read(named)

    monkeypatch.setattr(cases, "training_pictures", pictures)
    before, weights = OnnxDamageFinder(finder).facts, clean.file_weights(finder)
    done = clean.calibrate(shared, tmp_path / "work", finder, 1, limit=2)
    after = OnnxDamageFinder(finder).facts
    assert after.thresholds == pytest.approx([done["thresholds"][kind] for kind in after.kinds], abs=1e-6)
    assert after.preset_thresholds == pytest.approx([done["preset_thresholds"][kind] for kind in after.kinds], abs=1e-6)
    assert (after.kinds, after.inputs, after.name) == (before.kinds, before.inputs, before.name)
    assert clean.file_weights(finder) == weights
    assert json.loads((tmp_path / "work" / "calibrate.json").read_text()) == done
    assert clean.is_of(done, finder)
    clean.write_thresholds(finder, (0.5,) * len(after.kinds))
    assert not clean.is_of(done, finder)
    page = "\n".join(restoration_page.words_on_calibration([done]))
    assert all(f"`{preset}` as drawn " in page for preset in ("auto", "scratches", "text", "watermark", "noise"))


def test_a_preset_of_several_kinds_is_raised_until_few_pictures_are_changed(shared, finder, tmp_path, monkeypatch):
    monkeypatch.setattr(clean, "ALLOWED", 0.5)
    tasks = [
        clean.CleanTask(named.key, cases.to_levels(cases.read(named)), None, named.number)
        for named in cases.validation_pictures(shared)[:4]
    ]
    for task in tasks[:3]:  # three of four look damaged, and none of them beyond doubt
        task.levels[10:40, 20:22] = np.minimum(task.levels[10:40, 20:22].astype(int) + 85, 255)
    clean.write_thresholds(finder, (0.5,) * len(KINDS), (0.5,) * len(KINDS))
    first = clean.mark_together(tasks[0], str(finder))["shares"]
    assert set(first) == {"auto", "scratches"}
    assert all(shares == sorted(shares, reverse=True) for shares in first.values())
    assert first["auto"][0] > clean.CHANGED
    shifts = clean.stricter(tmp_path, finder, tasks, 1)
    assert set(shifts) == {"auto", "scratches"}
    assert all(shift in clean.STRICTER for shift in shifts.values())
    rows = [clean.mark_together(task, str(finder))["shares"]["auto"] for task in tasks]
    changed = np.mean(np.array(rows) > clean.CHANGED, axis=0)
    place = clean.STRICTER.index(shifts["auto"])
    assert 0 < place < len(clean.STRICTER) - 1
    assert changed[place] <= 0.5
    assert (changed[:place] > 0.5).all()


@pytest.mark.parametrize("one", noise.NOISES, ids=lambda one: one.name)
def test_noise_is_as_strong_as_it_is_called(one):
    image = np.full((128, 128, 3), np.float32(128 / 255))
    noisy, destroyed = noise.add_noise(np.random.default_rng(0), image, one)
    assert np.array_equal(noisy, cases.to_unit(cases.to_levels(noisy)))
    if one.kind == "impulses":
        assert destroyed.mean() == pytest.approx(one.amount, abs=0.02)
        assert set(np.unique(noisy[destroyed > 0])) == {0, 1}
    else:
        spread = one.amount / 255 if one.kind == "gaussian" else 0.5 * one.amount
        assert (noisy - image).std() == pytest.approx(spread, rel=0.05)
        assert 0 < destroyed.mean() < 1
    assert np.array_equal(noisy[destroyed == 0], image[destroyed == 0])


def test_edges_are_compared_in_the_picture_and_in_the_mask():
    rng = np.random.default_rng(3)
    wanted = (rng.random((32, 32)) < 0.1).astype(np.float32)
    inside = np.zeros((32, 32), np.float32)
    inside[8:16, 8:16] = 1
    assert edges.compare(wanted, wanted, inside) == {
        "psnr": edges.MOST_DB, "ssim": 1, "psnr_inside": edges.MOST_DB, "ssim_inside": 1
    }  # fmt: skip
    drawn = np.where(inside > 0, wanted, 1 - wanted).astype(np.float32)
    found = edges.compare(drawn, wanted, inside)
    assert (found["psnr_inside"], found["ssim_inside"]) == (edges.MOST_DB, 1)
    assert found["psnr"] < 1
    assert set(edges.compare(drawn, wanted, 0 * inside)) == {"psnr", "ssim"}


def test_runs_without_a_family_never_see_it(tmp_path):
    for group, left_out in families.GROUPS.items():
        recipe = families.recipe_of(restoration.ROOT, tmp_path, group)
        assert set(FAMILIES) - set(recipe.damage.families) == set(left_out)
    everything = families.recipe_of(restoration.ROOT, tmp_path, families.ALL)
    assert everything.damage.families == tuple(FAMILIES)
    assert everything.method.sizes["damage"]["widths"] == families.WIDTHS


def test_edge_runs_differ_by_their_phases_alone(tmp_path):
    recipes = {run: edges.recipe_of(restoration.ROOT, tmp_path, run) for run in edges.RUNS}
    for run, recipe in recipes.items():
        options = recipe.method.options
        assert options["mask_share"] + options["alone_share"] + options["joint_share"] == pytest.approx(1)
        assert (options["joint_share"] > 0) == (run != "alone")


def test_page_and_table_come_out_twice_the_same(program, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(noise, "NOISES", noise.NOISES[:1])
    monkeypatch.setattr(noise, "tune", lambda shared, work: {noise.NOISES[0].name: 10.0})
    program("--only", "damaged", "clean", "noise", "write", "--limit", "1")
    assert "damaged: 12 of 12" in capsys.readouterr().out
    first = {path.name: path.read_bytes() for path in (tmp_path / "docs").iterdir()}
    assert set(first) == {"restoration.md", "restoration.csv"}
    page = first["restoration.md"].decode()
    assert str(tmp_path) not in page
    assert all(f"| {family} |" in page for family in FAMILIES)
    assert page.count("Not measured yet") == 2
    with (tmp_path / "docs" / "restoration.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    damaged_psnr = {row["group"]: row for row in rows if (row["method"], row["measure"]) == ("damaged", "psnr")}
    assert 5 < float(damaged_psnr["text"]["mean"]) < 60
    program("--only", "damaged", "clean", "noise", "write", "--limit", "1")
    assert "to measure" not in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (tmp_path / "docs").iterdir()} == first


def test_what_is_not_there_is_said(program, shared, tmp_path):
    with pytest.raises(SystemExit, match="--shared must be"):
        restoration.main(["--shared", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="--finder must be"):
        restoration.main(["--shared", str(shared), "--finder", str(tmp_path / "none.onnx")])
    for path in (shared / "validation" / "kodak").iterdir():
        path.unlink()
    with pytest.raises(SystemExit, match="kodak must hold pictures"):
        program("--only", "clean")
