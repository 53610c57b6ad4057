import json

import pytest

pytest.importorskip("torch")

from mendpix.weights.convert.formats import FORMATS
from mendpix.weights.published import METHODS, NOTE
from tf_writer import gdn_shapes, gdn_variables, with_optimiser, write_checkpoint

WEIGHTS = len(gdn_shapes(2, 2, 2))


@pytest.fixture
def prefix(tmp_path):
    return write_checkpoint(tmp_path, with_optimiser(gdn_variables()))


def test_says_what_was_found_and_written(mendpix, prefix, tmp_path):
    out = tmp_path / "gdn.safetensors"
    result = mendpix("weights", "import", prefix, "--format", "gdn-tf", "-o", out)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(
        "generator: gdn, base_channels 2, residual_blocks 2, first_dilation 2, second_dilation 1, "
    )
    assert lines[1].startswith("detector: gdn-detector, base_channels 2, ")
    assert lines[2] == (
        f"{WEIGHTS} variables used, {2 * WEIGHTS + 5} ignored "
        f"(4 × Adam power, 1 × step counter, {2 * WEIGHTS} × Adam slot)"
    )
    assert lines[3].startswith(f"{out}: 0.1 MB; make a model of it with: mendpix export {out} -o gdn.onnx")
    assert out.is_file()


def test_says_when_there_is_no_detector(mendpix, tmp_path):
    prefix = write_checkpoint(tmp_path, gdn_variables(detector_base=None))
    result = mendpix("weights", "import", prefix, "--format", "gdn-tf", "-o", tmp_path / "gdn.safetensors")
    assert "detector: not in it" in result.stdout.splitlines()
    assert f"{len(gdn_shapes(2, 2))} variables used, 0 ignored" in result.stdout.splitlines()


def test_a_dry_run_lists_every_variable_and_writes_nothing(mendpix, prefix, tmp_path):
    there = set(tmp_path.iterdir())
    for more in ([], ["-o", tmp_path / "gdn.safetensors"]):
        result = mendpix("weights", "import", tmp_path, "--format", "gdn-tf", "--dry-run", *more)
        assert result.exit_code == 0
        lines = [line.split() for line in result.stdout.splitlines()]
        assert [
            "inpaint_generator/encoder_1/conv/conv2d/kernel",
            "7×7×4×2",
            "float32",
            "generator/stem.weight",
        ] in lines
        assert ["global_step", "1", "int64", "ignored:", "step", "counter"] in lines
        assert len(lines) == 3 * WEIGHTS + 5 + 4
        assert lines[-1] == ["nothing", "written"]
        assert set(tmp_path.iterdir()) == there


def test_json_is_one_object(mendpix, prefix, tmp_path):
    out = tmp_path / "gdn.safetensors"
    result = mendpix("weights", "import", prefix, "--format", "gdn-tf", "-o", out, "--json")
    assert result.stdout.count("\n") == 1
    report = json.loads(result.stdout)
    assert (report["source"], report["format"], report["out"]) == ("log-99", "gdn-tf", str(out))
    assert report["bytes"] == out.stat().st_size
    assert report["networks"]["generator"]["sizes"]["base_channels"] == 2
    assert report["networks"]["detector"]["name"] == "gdn-detector"
    assert report["used"] == WEIGHTS
    assert report["ignored"] == {"Adam power": 4, "Adam slot": 2 * WEIGHTS, "step counter": 1}
    assert len(report["variables"]) == 3 * WEIGHTS + 5
    stem = next(entry for entry in report["variables"] if entry["used_as"] == "generator/stem.weight")
    assert stem["shape"] == [7, 7, 4, 2]
    looked = json.loads(mendpix("weights", "import", prefix, "--format", "gdn-tf", "--dry-run", "--json").stdout)
    assert (looked["out"], looked["bytes"], looked["used"]) == (None, None, WEIGHTS)


def test_quiet_prints_nothing(mendpix, prefix, tmp_path):
    result = mendpix("weights", "import", prefix, "--format", "gdn-tf", "-o", tmp_path / "gdn.safetensors", "-q")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--dry-run"),
        (["-o", "gdn.pt"], ".safetensors"),
        (["-o", "no/gdn.safetensors"], "no"),
        (["-o", "."], "folder"),
    ],
)
def test_the_place_is_looked_at_first(mendpix, tmp_path, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    result = mendpix("weights", "import", "nothing", "--format", "gdn-tf", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert word in result.stderr
    assert not list(tmp_path.iterdir())


def cut(data: bytes) -> bytes:
    return data[:-100]


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def test_cut_short_flipped_and_another_network_give_three_sentences(mendpix, prefix, tmp_path):
    data = prefix.with_name("log-99.data-00000-of-00001")
    whole = data.read_bytes()
    said: list[str] = []
    for harm in (cut, flipped, None):
        if harm:
            data.write_bytes(harm(whole))
        else:
            write_checkpoint(
                tmp_path, {"inpaint_net/conv1/kernel": gdn_variables()["inpaint_discriminator/conv1/kernel"]}
            )
        result = mendpix("weights", "import", prefix, "--format", "gdn-tf", "-o", tmp_path / "gdn.safetensors")
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
        assert not (tmp_path / "gdn.safetensors").exists()
        said.append(result.stderr)
    for sentence, words in zip(said, ("cut short", "damaged", "another network"), strict=True):
        assert words in sentence
    assert len(set(said)) == 3


def test_an_unknown_format_lists_the_known_ones(mendpix, prefix, tmp_path):
    result = mendpix("weights", "import", prefix, "--format", "gdn", "-o", tmp_path / "gdn.safetensors")
    assert (result.exit_code, result.stderr) == (
        2,
        f"mendpix: --format must be one of {', '.join(FORMATS)}; got 'gdn'.\n",
    )


def test_the_help_names_every_format(mendpix):
    text = mendpix("weights", "import", "--help").stdout
    assert all(name in text for name in FORMATS)


def test_without_a_verb_the_help_is_shown(mendpix):
    result = mendpix("weights")
    assert result.exit_code == 2
    assert "import" in result.output


def test_the_list_tells_of_every_method(mendpix):
    result = mendpix("weights", "list")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:-1] if not line.startswith(" ")] == list(METHODS)
    start = lines.index("pennet: PEN-Net, pyramid-context encoder; Zeng et al., CVPR 2019")
    assert lines[start + 1 : start + 4] == [
        "  networks  pennet 10.2 M, pennet-discriminator 4.3 M parameters; the first is 41 MB in float32",
        "  facts     takes image, hole; multiples of 64 px from 64 px; at most 256 px at once; "
        "float16 and bfloat16 too; 25.7 G multiply-adds at 256 x 256",
        "  import    --format pennet",
    ]
    assert lines[-1] == NOTE
    assert all(f"--format {form}" in result.stdout for form in FORMATS)


def test_the_list_as_json_is_one_object(mendpix):
    result = mendpix("weights", "list", "--json")
    assert result.stdout.count("\n") == 1
    methods = {method["name"]: method for method in json.loads(result.stdout)["methods"]}
    assert methods.keys() == METHODS.keys()
    assert methods["gdn"]["parameters"]["gdn"] == 10_779_328
    assert methods["gdn"]["formats"] == ["gdn-tf"]
    assert methods["scenes"]["embedded"][0] == "scenes"
