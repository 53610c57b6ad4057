import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks.glcic import (  # noqa: E402
    GlcicConfig,
    GlcicDiscriminator,
    GlcicDiscriminatorConfig,
    GlcicGenerator,
    glcic_discriminator_faces,
    glcic_paper,
    square_around,
)
from mendpix.networks.table import without_numbers  # noqa: E402
from mendpix.training.export import export_network, model_facts  # noqa: E402

TINY = GlcicConfig(base_channels=4, hole_rgb=(0.2, 0.5, 0.7))
TINY_CRITIC = GlcicDiscriminatorConfig(base_channels=2, hidden=16, local_px=16, global_px=32, global_layers=5)


def picture(height: int = 32, width: int = 48, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(3))


def hole(height: int = 32, width: int = 48, batch: int = 2) -> Tensor:
    made = torch.zeros(batch, 1, height, width)
    made[:, :, height // 4 : height // 2, width // 4 : width // 2] = 1
    made[1:] = made[1:].flip(3)
    return made


@pytest.fixture
def generator() -> GlcicGenerator:
    torch.manual_seed(0)
    return GlcicGenerator(TINY).eval()


@pytest.fixture
def critic() -> GlcicDiscriminator:
    torch.manual_seed(0)
    return GlcicDiscriminator(TINY_CRITIC).eval()


# Sizes


def test_published_sizes_have_the_published_number_of_parameters() -> None:
    with without_numbers():
        for network, expected in (
            (GlcicGenerator(), 6_072_131),
            (GlcicGenerator(glcic_paper()), 6_072_131),
            (GlcicDiscriminator(), 45_063_681),
            (GlcicDiscriminator(glcic_discriminator_faces()), 39_557_121),
        ):
            assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="even and at least 2; got 3"):
        GlcicConfig(base_channels=3)
    with pytest.raises(InputError, match="three numbers in"):
        GlcicConfig(hole_rgb=(0.5, 0.5, 127.0))
    with pytest.raises(InputError, match="local_px at most global_px"):
        GlcicDiscriminatorConfig(local_px=64, global_px=32)


def test_wrong_pictures_and_holes_are_refused(generator: GlcicGenerator, critic: GlcicDiscriminator) -> None:
    with pytest.raises(ShapeError, match="multiples of 4 and at least 4 px; got 32 x 46"):
        generator(picture(32, 46), hole(32, 46))
    with pytest.raises(ShapeError, match="at least 32 px; got 28 x 40"):
        critic(picture(28, 40), hole(28, 40))
    with pytest.raises(ShapeError, match=r"hole must be \(2, 1, 32, 48\)"):
        critic(picture(), hole()[:1])


# The completion network


def test_what_lies_under_the_hole_has_no_influence(generator: GlcicGenerator) -> None:
    other = torch.where(hole() > 0, torch.tensor(1e6), picture())
    with torch.no_grad():
        assert torch.equal(generator(picture(), hole()), generator(other, hole()))


def test_holes_are_painted_in_the_given_colour(generator: GlcicGenerator) -> None:
    seen: list[Tensor] = []
    generator.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        generator(picture(), hole())
    inside = hole().bool().expand(-1, 3, -1, -1)
    expected = torch.tensor(TINY.hole_rgb)[:, None, None].expand_as(picture())[inside]
    torch.testing.assert_close(seen[0][:, :3][inside], expected)
    assert torch.equal(seen[0][:, 3:], hole())


def test_the_order_of_norm_and_activation_matters_and_is_the_config_s() -> None:
    torch.manual_seed(0)
    after, before = GlcicGenerator(GlcicConfig(4)), GlcicGenerator(GlcicConfig(4, norm_first=True))
    before.load_state_dict(after.state_dict())
    seen: dict[str, Tensor] = {}
    for name, network in (("after", after), ("before", before)):
        network.layers[0].register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
        with torch.no_grad():
            network(picture(), hole())
    assert seen["before"].min() == 0  # an activation's output
    assert seen["after"].min() < 0  # a norm's
    torch.testing.assert_close(seen["after"].mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions_give_about_the_same(generator: GlcicGenerator, dtype: torch.dtype) -> None:
    with torch.no_grad():
        expected = generator(picture(), hole())
        found = generator.to(dtype)(picture().to(dtype), hole().to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, atol=1e-2 if dtype == torch.bfloat16 else 1e-3, rtol=0)


@pytest.mark.slow
def test_an_exported_file_agrees_at_two_sizes(generator: GlcicGenerator, tmp_path) -> None:
    report = export_network(generator, tmp_path / "glcic.onnx", model_facts("glcic", "generator", generator))
    assert report.max_abs_difference < 5e-3
    assert report.facts.multiple_of == 4


# The critic


def test_each_picture_is_seen_around_its_own_hole() -> None:
    places = torch.arange(32 * 48.0).reshape(1, 1, 32, 48).expand(3, 1, 32, 48)
    made = torch.zeros(3, 1, 32, 48)
    made[0, :, 10:14, 20:24] = 1  # centre (12, 22)
    made[1, :, 0, 0] = 1  # a corner: the square is moved inside
    found = square_around(places, made, 8)  # the third has no hole: its middle, (16, 24)
    for index, (top, left) in enumerate(((8, 18), (0, 0), (12, 20))):
        assert torch.equal(found[index], places[index, :, top : top + 8, left : left + 8])


def test_gradients_reach_the_squares_alone() -> None:
    image = picture().requires_grad_()
    square_around(image, hole(), 8).sum().backward()
    assert image.grad is not None
    assert image.grad.sum() == image.grad.count_nonzero() == 2 * 3 * 8 * 8


def test_the_critic_judges_both_views(critic: GlcicDiscriminator) -> None:
    with torch.no_grad():
        before = critic(picture(32, 32), hole(32, 32))
        assert before.shape == (2, 1)
        far = picture(32, 32)
        far[0, :, -2:, -2:] = 0  # outside the local square of the first picture
        after = critic(far, hole(32, 32))
        elsewhere = critic(picture(32, 32), hole(32, 32).roll(1, 0))
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert not torch.equal(before, elsewhere)  # the same whole, another local square


def test_a_larger_picture_is_seen_around_its_hole(critic: GlcicDiscriminator) -> None:
    made = torch.zeros(1, 1, 64, 80)
    made[..., 30:34, 40:44] = 1
    image = picture(64, 80, 1)
    with torch.no_grad():
        expected = critic(image[..., 16:48, 26:58], made[..., 16:48, 26:58])
        torch.testing.assert_close(critic(image, made), expected)
