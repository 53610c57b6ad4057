import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import CheckpointError, InputError, OutputError  # noqa: E402 - torch is an extra
from mendpix.weights.convert.formats import FORMATS, import_weights  # noqa: E402
from mendpix.weights.convert.gdn_tf import read_gdn  # noqa: E402
from mendpix.weights.network_file import load_network_file, read_network_record  # noqa: E402
from tf_writer import gdn_shapes, gdn_variables, with_optimiser, write_checkpoint  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "tf-checkpoint"

GENERATOR, DETECTOR = "inpaint_generator", "inpaint_discriminator"
STEM = f"{GENERATOR}/encoder_1/conv/conv2d/kernel"


def write(folder: Path, **changes: Any) -> Path:
    """Write a small GDN; changes by the name of a variable, None takes it away."""
    variables = with_optimiser(gdn_variables())
    for name, values in changes.items():
        if values is None:
            del variables[name]
        else:
            variables[name] = values
    return write_checkpoint(folder, variables)


# What comes out


def test_both_networks_with_their_sizes_and_an_account(tmp_path):
    imported = read_gdn(write(tmp_path))
    assert imported.names == {"generator": "gdn", "detector": "gdn-detector"}
    assert imported.sizes("generator") == {
        "base_channels": 2, "residual_blocks": 2, "first_dilation": 2, "second_dilation": 1,
    }  # fmt: skip
    assert imported.sizes("detector")["base_channels"] == 2
    assert imported.source == "log-99"
    weights = len(gdn_shapes(2, 2, 2))
    assert (imported.used, imported.ignored) == (
        weights,
        {"Adam slot": 2 * weights, "Adam power": 4, "step counter": 1},
    )
    assert len(imported.tensors) == 3 * weights + 5
    stem = next(tensor for tensor in imported.tensors if tensor.name == STEM)
    assert (stem.shape, stem.dtype, stem.used_as) == ((7, 7, 4, 2), "float32", "generator/stem.weight")
    for network in imported.networks.values():
        assert not network.training
        assert all(parameter.requires_grad and parameter.is_leaf for parameter in network.parameters())


@pytest.mark.parametrize(("base", "blocks", "detector_base"), [(1, 0, None), (3, 1, 1), (2, 11, 5)])
def test_other_widths_and_numbers_of_blocks(tmp_path, base, blocks, detector_base):
    prefix = write_checkpoint(tmp_path, gdn_variables(base, blocks, detector_base))
    imported = read_gdn(prefix)
    assert imported.sizes("generator")["base_channels"] == base
    assert imported.sizes("generator")["residual_blocks"] == blocks
    assert list(imported.networks) == ["generator", *(["detector"] if detector_base else [])]
    assert imported.ignored == {}


def test_the_other_spelling_of_the_scopes(tmp_path):
    variables = with_optimiser(gdn_variables())
    plain = read_gdn(write_checkpoint(tmp_path, variables, name="plain"))
    other = {name.replace("inpaint_", "Inpainting_", 1): values for name, values in variables.items()}
    same = read_gdn(write_checkpoint(tmp_path, other, name="other"))
    assert (same.used, same.ignored) == (plain.used, plain.ignored)
    for part, network in plain.networks.items():
        for key, values in network.state_dict().items():
            assert torch.equal(values, same.networks[part].state_dict()[key])


def test_slots_of_a_detector_that_is_not_there_are_ignored(tmp_path):
    variables = with_optimiser(gdn_variables())
    for name in gdn_shapes(2, 2, 2):
        if name.startswith(DETECTOR):
            del variables[name]
    imported = read_gdn(write_checkpoint(tmp_path, variables))
    assert list(imported.networks) == ["generator"]
    assert imported.ignored["Adam slot"] == 2 * len(gdn_shapes(2, 2, 2))


def test_doubles_become_floats(tmp_path):
    kernel = gdn_variables()[STEM]
    imported = read_gdn(write(tmp_path, **{STEM: kernel.astype(np.float64)}))
    stem = imported.networks["generator"].state_dict()["stem.weight"]
    assert stem.dtype == torch.float32
    np.testing.assert_array_equal(stem.numpy(), kernel.transpose(3, 2, 0, 1))


# The numbers are those of the published program


def load_golden(name: str) -> tuple[Any, dict[str, Any], np.ndarray]:
    """Return the recipe of the golden files, one file's description and its output."""
    spec = importlib.util.spec_from_file_location("golden_fill", GOLDEN / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    with np.load(GOLDEN / f"{name}.npz") as file:
        return fill, json.loads(str(file["meta"])), file["output_0"]


def published_name(theirs: str) -> str:
    """Map a name of the golden generator to the published program's: `res.3.n2.bias`, `e1.weight`, `d2n.weight`."""
    layer, kind = theirs.rsplit(".", 1)
    norm = {"weight": "gamma", "bias": "beta"}[kind]
    if layer.startswith("res."):
        _, number, part = layer.split(".")
        place = f"{GENERATOR}/resblock_{int(number) + 1}/res{part[1]}"
        return f"{place}/conv/conv2d/kernel" if part[0] == "c" else f"{place}/ins_norm/{norm}"
    scope = {
        "e1": "encoder_1", "e2": "encoder_downsample_2", "e3": "encoder_downsample_3",
        "d1": "decoder_upsample_1", "d2": "decoder_upsample_2", "out": "decoder3",
    }[layer.removesuffix("n")]  # fmt: skip
    if layer.endswith("n"):
        return f"{GENERATOR}/{scope}/{'ins_norm' if layer == 'e1n' else 'ins_norm_1'}/{norm}"
    inner = (
        "deconv/conv2d_transpose" if layer[0] == "d" else "conv_1/conv2d" if layer in ("e2", "e3") else "conv/conv2d"
    )
    return f"{GENERATOR}/{scope}/{inner}/kernel"


def published_detector_name(theirs: str) -> str:
    """Map a name of the golden detector: `c3.weight`, `t1.bias`."""
    layer, kind = theirs.split(".")
    scope = f"conv{layer[1]}" if layer[0] == "c" else f"deconv_{layer[1]}/conv2d_transpose"
    return f"{DETECTOR}/{scope}/{'kernel' if kind == 'weight' else 'bias'}"


def as_published(made: dict[str, np.ndarray], rename: Any) -> dict[str, np.ndarray]:
    """Bring golden weights into the published names and layouts: (h, w, in, out), transposed ones (h, w, out, in)."""
    return {
        rename(name): np.ascontiguousarray(np.moveaxis(values, (0, 1), (3, 2))) if values.ndim == 4 else values
        for name, values in made.items()
    }


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Any:
    """The published sizes, all 78 variables, optimiser's slots for some of them, filled like the golden files."""
    variables: dict[str, np.ndarray] = {}
    for name, rename in (("gdn-generator-1", published_name), ("gdn-detector-1", published_detector_name)):
        fill, meta, _ = load_golden(name)
        made = fill.weights({key: tuple(shape) for key, shape in meta["shapes"].items()}, meta["seed"])
        variables |= as_published(made, rename)
    assert {name: values.shape for name, values in variables.items()} == gdn_shapes(64, 8, 32)
    assert len(variables) == 78
    slots = {
        f"{name}/Adam{which}": values for name, values in variables.items() for which in ("", "_1") if "res" not in name
    }
    prefix = write_checkpoint(tmp_path_factory.mktemp("published"), variables | slots, block_bytes=4096)
    return read_gdn(prefix)


def test_the_imported_generator_gives_the_published_output(published):
    fill, meta, expected = load_golden("gdn-generator-1")
    image = torch.from_numpy(fill.picture(meta["seed"], (1, 3, 64, 96)))
    with torch.inference_mode():
        found = published.networks["generator"](image, torch.from_numpy(fill.hole(64, 96))).numpy()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert published.parameters("generator") == 10_779_328


def test_the_imported_detector_gives_the_published_output(published):
    fill, meta, expected = load_golden("gdn-detector-1")
    with torch.inference_mode():
        found = published.networks["detector"](torch.from_numpy(fill.picture(meta["seed"], (1, 3, 64, 96)))).numpy()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert published.parameters("detector") == 2_267_490


# What is refused


def deepfill_variables() -> dict[str, np.ndarray]:
    """Make some of the variables of another published network."""
    shapes = {"conv1": (5, 5, 5, 48), "conv2_downsample": (3, 3, 24, 96), "xconv1": (5, 5, 3, 48)}
    made = {f"inpaint_net/{layer}/kernel": np.zeros(shape, np.float32) for layer, shape in shapes.items()}
    return made | {f"inpaint_net/{layer}/bias": np.zeros(shape[3], np.float32) for layer, shape in shapes.items()}


def harmed(folder: Path, how: str) -> Path:
    prefix = write(folder)
    data, index = folder / "log-99.data-00000-of-00001", folder / "log-99.index"
    if how == "data cut short":
        data.write_bytes(data.read_bytes()[:-1])
    elif how == "index cut short":
        index.write_bytes(index.read_bytes()[:-10])
    elif how in ("data flipped", "slot flipped", "index flipped"):
        from mendpix.weights.convert.tf_checkpoint import open_checkpoint

        name = STEM if how == "data flipped" else f"{STEM}/Adam"
        path, place = (index, 100) if how == "index flipped" else (data, open_checkpoint(prefix).variables[name].offset)
        content = bytearray(path.read_bytes())
        content[place] ^= 16
        path.write_bytes(content)
    else:
        write_checkpoint(folder, deepfill_variables())
    return prefix


HARM = {
    "data cut short": r"log-99\.data-00000-of-00001 must hold at least \d+ bytes by its index; it was cut short",
    "index cut short": r"log-99\.index must end with TensorFlow's mark; it was cut short",
    "data flipped": rf"the values of {STEM} must have the checksum",
    "slot flipped": rf"the values of {STEM}/Adam must have the checksum",
    "index flipped": r"the block of log-99\.index at bytes 0 to \d+ must have the checksum",
    "another network": r"log-99 is of another network: its variables are inpaint_net/conv1/bias, .* and 4 more",
}


@pytest.mark.parametrize(("how", "words"), HARM.items(), ids=HARM)
def test_each_harm_has_its_sentence_and_nothing_is_written(tmp_path, how, words):
    prefix = harmed(tmp_path, how)
    there = set(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match=words) as caught:
        import_weights(prefix, "gdn-tf", tmp_path / "gdn.safetensors")
    assert set(tmp_path.iterdir()) == there
    assert "\n" not in str(caught.value)
    assert sum(word in str(caught.value) for word in ("cut short", "damaged", "another network")) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({f"{GENERATOR}/resblock_2/res1/ins_norm/beta": None}, r"variable .*_2/res1/ins_norm/beta; log-99 lacks"),
        ({f"{GENERATOR}/resblock_4/res1/ins_norm/beta": np.zeros(8, np.float32)}, r"resblock_3/.* 4 more; log-99 l"),
        ({STEM: None}, rf"must have the variable {STEM}; log-99 lacks"),
        ({f"{DETECTOR}/conv4/bias": None}, r"conv4/bias; log-99 lacks"),
        ({f"{DETECTOR}/conv1/kernel": None}, r"conv1/kernel; log-99 lacks"),
        ({f"{GENERATOR}/attention/kernel": np.zeros((1, 1), np.float32)}, r"no variables but .*/attention/kernel\."),
        ({"vgg/conv1/Adam": np.zeros(1, np.float32)}, r"has vgg/conv1/Adam\."),
        ({STEM: np.zeros((7, 7, 3, 2), np.float32)}, r"shape \(7, 7, 4, base width\); log-99 has \(7, 7, 3, 2\)"),
        ({STEM: np.zeros((7, 7, 4, 0), np.float32)}, r"base width\)"),
        ({STEM: np.zeros((), np.float32)}, r"log-99 has \(\)"),
        ({f"{DETECTOR}/conv1/kernel": np.zeros((4, 4, 4, 2), np.float32)}, r"shape \(4, 4, 3, base width\)"),
        (
            {f"{GENERATOR}/decoder_upsample_2/deconv/conv2d_transpose/kernel": np.zeros((4, 4, 4, 2), np.float32)},
            r"shape \(4, 4, 2, 4\) \(by the first kernel and the names: base_channels 2, residual_blocks 2\); "
            r"log-99 has \(4, 4, 4, 2\)",
        ),
        ({f"{DETECTOR}/deconv_2/conv2d_transpose/bias": np.zeros(1, np.float32)}, r"shape \(2,\)"),
        ({f"{DETECTOR}/conv1/bias": np.zeros(2, np.int32)}, r"float32 or float64; log-99 has int32"),
        ({f"{DETECTOR}/conv1/bias": np.zeros(2, np.float16)}, r"conv1/bias of log-99 is float16"),
        ({f"{DETECTOR}/conv1/bias": np.array([0, np.nan], np.float32)}, r"finite numbers; inpaint_disc.*/conv1/bias"),
        ({f"{GENERATOR}/decoder3/conv/conv2d/kernel": np.full((7, 7, 2, 3), np.inf, np.float32)}, r"finite"),
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_gdn_is_refused(tmp_path, changes, words):
    with pytest.raises(CheckpointError, match=words):
        read_gdn(write(tmp_path, **changes))


def test_a_checkpoint_without_weights(tmp_path):
    with pytest.raises(CheckpointError, match="it holds no weights"):
        read_gdn(write_checkpoint(tmp_path, {"global_step": np.array(3, np.int64)}))
    detector = {name: values for name, values in gdn_variables().items() if name.startswith(DETECTOR)}
    with pytest.raises(CheckpointError, match="another network"):
        read_gdn(write_checkpoint(tmp_path, detector))


# Into a network file


def test_the_network_file_holds_the_same_weights_and_where_they_came_from(tmp_path):
    prefix = write(tmp_path)
    report = import_weights(prefix, "gdn-tf", tmp_path / "gdn.safetensors")
    assert report.size_bytes == (tmp_path / "gdn.safetensors").stat().st_size
    for part, network in report.imported.networks.items():
        loaded = load_network_file(tmp_path / "gdn.safetensors", part)
        for key, values in network.state_dict().items():
            assert torch.equal(values, loaded.state_dict()[key])
    source = read_network_record(tmp_path / "gdn.safetensors")["source"]
    assert source == {
        "format": "gdn-tf",
        "file": "log-99",
        "used": report.imported.used,
        "ignored": report.imported.ignored,
    }


def test_looking_writes_nothing(tmp_path):
    prefix = write(tmp_path)
    there = set(tmp_path.iterdir())
    assert import_weights(prefix, "gdn-tf", None).size_bytes is None
    assert set(tmp_path.iterdir()) == there


def test_an_unknown_format_and_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match=rf"must be one of {', '.join(FORMATS)}; got 'gdn'"):
        import_weights(tmp_path, "gdn", None)
    with pytest.raises(OutputError):
        import_weights(write(tmp_path), "gdn-tf", tmp_path / "missing" / "gdn.safetensors")


# The sample that TensorFlow wrote


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared checkpoint is not here")
def test_the_shared_checkpoint(tmp_path):
    expected = json.loads((SHARED / "expected.json").read_text())
    report = import_weights(SHARED, "gdn-tf", tmp_path / "gdn.safetensors")
    imported = report.imported
    assert list(imported.networks) == ["generator"]
    assert imported.sizes("generator")["base_channels"] == expected["base_channels"]
    assert imported.sizes("generator")["residual_blocks"] == expected["residual_blocks"]
    assert imported.used == len(expected["variables"]) == 64
    assert imported.ignored == {"Adam slot": 128, "Adam power": 4}
    state = load_network_file(tmp_path / "gdn.safetensors", "generator").state_dict()
    used = {tensor.name: tensor.used_as for tensor in imported.tensors if tensor.used_as}
    assert set(used) == set(expected["checksum"])
    for name, total in expected["checksum"].items():
        values = state[used[name].removeprefix("generator/")]
        assert values.abs().double().sum().item() == pytest.approx(total, rel=1e-6)
