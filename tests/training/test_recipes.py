import tomllib
from pathlib import Path

import pytest

from mendpix.errors import RecipeError
from mendpix.training.config import Recipe
from mendpix.training.recipes import format_recipe, load_recipe, parse_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
SMALL = {
    "name": "x",
    "data": {"pictures": ["a"]},
    "generator": {"name": "scenes"},
    "detector": {"name": "scenes-detector"},
    "schedule": {"steps": 3},
}


def with_value(section: str, key: str, value: object) -> dict[str, object]:
    table = dict(SMALL.get(section, {}))  # type: ignore[call-overload]
    table[key] = value
    return {**SMALL, section: table}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_and_its_resolved_text_reads_back_to_the_same_recipe(path: Path):
    recipe = load_recipe(path)
    assert isinstance(recipe, Recipe)
    assert parse_recipe(tomllib.loads(format_recipe(recipe))) == recipe


VARIANTS = {
    "det": [],
    "weight": ["framework"],
    "adv": ["framework", "adversarial"],
    "ce": ["detector_loss"],
    "bce": ["detector_loss"],
    "focal": ["seed"],
    "linear": ["mapping"],
    "base-e": ["mapping"],
    "det-given": ["learn_through_map"],
    "gdn-faces-small": ["pictures"],
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_papers_variants_differ_in_one_or_two_lines(name: str):
    """What the paper compares, and nothing else, tells these recipes apart."""
    folder = RECIPES[0].parent
    ours, base = (
        [line for line in (folder / f"{stem}.toml").read_text().splitlines() if line and line[0] != "#"]
        for stem in (name, "gdn-scenes-small")
    )
    changed = [line.split(" =")[0] for line in ours if line not in base]
    assert changed == ["name", *VARIANTS[name]]
    assert len(ours) - len(base) in (0, 1)


@pytest.mark.parametrize(
    ("name", "steps", "held_out"), [("celebahq", 337_500, 3000), ("places2", 750_000, 96), ("paris", 186_250, 0)]
)
def test_the_full_scale_recipes_are_the_papers(name: str, steps: int, held_out: int):
    recipe = load_recipe(RECIPES[0].parent / f"gdn-{name}.toml")
    pictures = {"celebahq": 27_000, "places2": 30 * 2000, "paris": 14_900}[name]
    assert recipe.schedule.steps == steps == 100 * pictures / 8
    assert [(s.crop_px, s.batch_pictures) for s in recipe.schedule.stages] == [(256, 8)]
    assert (recipe.optimizer.name, recipe.optimizer.beta1, recipe.optimizer.beta2) == ("adam", 0.0, 0.9)
    assert (recipe.optimizer.generator_lr, recipe.optimizer.detector_lr) == (1e-4, 1e-5)
    assert (recipe.schedule.decay, recipe.schedule.warmup_steps, recipe.optimizer.clip_norm) == ("none", 0, 0)
    assert (recipe.optimizer.ema_halflife_pictures, recipe.precision) == (0, "32-true")
    assert (recipe.objective.framework, recipe.objective.mapping, recipe.objective.detector_loss) == (
        "det",
        10.0,
        "focal",
    )
    assert (recipe.objective.squared, recipe.objective.perceptual, recipe.objective.other_fills_share) == (0, 0, 0)
    assert (recipe.data.fit, recipe.data.flip, recipe.data.holdout_pictures) == ("stretch", False, held_out)
    assert recipe.objective.focal_gamma == 2.0


def test_unknown_key_names_the_nearest_valid_one():
    with pytest.raises(RecipeError, match=r"optimizer has no key 'generator_ir'. Did you mean generator_lr\?"):
        parse_recipe(with_value("optimizer", "generator_ir", 1e-3))


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("schedule", "steps", "many", "schedule.steps must be int; got 'many'"),
        ("schedule", "steps", True, "schedule.steps must be int; got True"),
        ("objective", "detector_loss", "hinge", "objective.detector_loss must be"),
        ("schedule", "steps", 0, "schedule: steps must be at least 1; got 0"),
        ("schedule", "log_every_steps", 0, "log_every_steps must be at least 1"),
        ("schedule", "stages", [{"crop_px": 8, "batch_pictures": 0}], "schedule.stages[0]: batch_pictures must be"),
        ("data", "pictures", "a", "data.pictures must be a list of str; got 'a'"),
        ("data", "scale_min", 0.0, "scale_min must be above 0"),
        ("objective", "mapping", "square", "objective.mapping must be float or 'linear'; got 'square'"),
        ("objective", "mapping", 1.0, "mapping must be a number above 1 or 'linear'; got 1.0"),
        ("optimizer", "generator_lr", 0.0, "generator_lr must be above 0"),
        ("optimizer", "muon_lr", float("nan"), "muon_lr must be at least 0; got nan"),
        ("validation", "picture_px", 8, "picture_px must be at least 11"),
        ("masks", "bin_weights", 3, "masks.bin_weights must be a list of float; got 3"),
        ("masks", "border", "sometimes", "masks.border must be 'free' or 'touch' or 'any'"),
        ("masks", "margin_px", -1, "margin_px must be at least 0"),
        ("masks", "bins", [[0.3, 0.2]], "bins must be pairs"),
        ("objective", "perceptual", 0.1, "objective.backbone"),
        ("schedule", "stages", [{"crop_px": 8, "batch_pictures": 1, "until": 0.5}], "the last at 1.0"),
        ("objective", "framework", "gan", "objective.framework must be 'det' or 'weight' or 'adv'; got 'gan'"),
        ("objective", "hole_weight", 0.0, "hole_weight must be above 0 and finite; got 0.0"),
        ("objective", "adversarial", {"weight": -1.0}, "objective.adversarial: weight must be above 0"),
        ("objective", "adversarial", {"lambda": 1.0}, "objective.adversarial has no key 'lambda'"),
        ("data", "fit", "squash", "data.fit must be 'crop' or 'stretch'; got 'squash'"),
        ("data", "pictures_per_folder", -1, "pictures_per_folder must be at least 0"),
    ],
)
def test_wrong_value_is_named(section: str, key: str, value: object, words: str):
    with pytest.raises(RecipeError, match=words.replace("(", r"\(").replace("[", r"\[")):
        parse_recipe(with_value(section, key, value))


def test_missing_key_is_named():
    with pytest.raises(RecipeError, match="recipe must have the key 'generator'"):
        parse_recipe({key: value for key, value in SMALL.items() if key != "generator"})


def test_paths_start_at_the_recipe(tmp_path: Path):
    (tmp_path / "r.toml").write_text(
        'name="x"\n[data]\npictures=["p/*.png"]\n[generator]\nname="scenes"\n[detector]\nname="scenes-detector"\n'
        "[schedule]\nsteps=1\n"
    )
    assert load_recipe(tmp_path / "r.toml").data.pictures == (str(tmp_path / "p/*.png"),)


def test_resolved_paths_do_not_depend_on_where_the_text_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "r.toml").write_text(
        'name="x"\n[data]\npictures=["p"]\n[generator]\nname="scenes"\nstart="old"\n'
        '[detector]\nname="scenes-detector"\n[schedule]\nsteps=1\n'
    )
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("here/r.toml")
    assert (recipe.data.pictures, recipe.generator.start) == (
        (str(tmp_path / "here" / "p"),),
        str(tmp_path / "here" / "old"),
    )
    (tmp_path / "config.toml").write_text(format_recipe(recipe))
    assert load_recipe(tmp_path / "config.toml") == recipe


def test_a_path_of_the_wrong_type_is_named(tmp_path: Path):
    (tmp_path / "r.toml").write_text('name="x"\n[data]\npictures=3\n')
    with pytest.raises(RecipeError, match=r"data\.pictures must be a list of str; got 3"):
        load_recipe(tmp_path / "r.toml")


def test_missing_and_broken_files_are_errors(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"none\.toml"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("name = \n")
    with pytest.raises(RecipeError, match="must be TOML"):
        load_recipe(tmp_path / "broken.toml")
