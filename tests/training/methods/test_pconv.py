from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, RecipeError  # noqa: E402
from mendpix.networks.pconv import DEVIATION_RGB, PconvConfig, PconvGenerator  # noqa: E402
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.methods.pconv import PCONV, PconvMethod, gradients, rate  # noqa: E402
from mendpix.training.methods.table import METHODS, method_options  # noqa: E402
from mendpix.training.step import TensorBatch, predict  # noqa: E402


class Pixels:
    """A backbone whose one layer is the picture itself; remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def perceptual(self, image: Tensor) -> list[Tensor]:
        self.seen.append(image)
        return [image]

    style = perceptual


@pytest.fixture
def generator() -> PconvGenerator:
    torch.manual_seed(0)
    return PconvGenerator(PconvConfig(base_channels=4, levels=3)).train()


@pytest.fixture
def batch() -> TensorBatch:
    image = torch.rand(3, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    hole = torch.zeros(3, 1, 16, 24)
    hole[:, :, 4:9, 6:14] = 1
    return TensorBatch(image, hole, image[:, :0])


def at(done: float, backbone: Pixels | None = None) -> Moment:
    return Moment(step=7, done=done, autocast=nullcontext, backbone=backbone)


def test_every_parameter_gets_a_finite_gradient(generator, batch) -> None:
    values = gradients({"generator": generator}, batch, PconvMethod(), at(0, Pixels()))
    assert set(values) == {"generator", "valid", "hole", "perceptual", "style", "variation"}
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
    assert sum(bool(parameter.grad.any()) for parameter in generator.parameters()) >= 10


def test_terms_by_hand(generator, batch) -> None:
    with torch.no_grad():
        prediction = predict(generator, batch)
    values = gradients({"generator": generator}, batch, PconvMethod(), at(0, Pixels()))
    error = (prediction - batch.image).abs() / torch.tensor(DEVIATION_RGB)[:, None, None]
    torch.testing.assert_close(values["hole"], error[:, :, 4:9, 6:14].sum() / error.numel())
    torch.testing.assert_close(values["valid"] + values["hole"], error.mean())
    apart = (prediction - batch.image).abs()  # the composite differs in the hole alone
    torch.testing.assert_close(values["perceptual"], apart.mean() + (apart * batch.hole).mean())
    weights = PconvMethod().weights
    total = sum(weights[name] * value for name, value in values.items() if name != "generator")
    torch.testing.assert_close(values["generator"], total)


def test_the_variation_counts_in_the_hole_and_around_it_or_everywhere(generator, batch) -> None:
    found = {
        region: gradients({"generator": generator}, batch, PconvMethod(variation_region=region), at(0))["variation"]
        for region in ("hole", "picture")
    }
    assert 0 < found["hole"] < found["picture"]


def test_features_of_a_share_of_the_batch(generator, batch) -> None:
    backbone = Pixels()
    gradients({"generator": generator}, batch, PconvMethod(feature_share=0.34), at(0, backbone))
    assert [len(shown) for shown in backbone.seen] == [2, 1]  # prediction and composite of one sample; its truth
    assert backbone.seen[0].requires_grad
    assert torch.equal(backbone.seen[1], batch.image[:1])


def test_the_truth_is_not_seen(generator, batch) -> None:
    other = TensorBatch(torch.where(batch.hole > 0, 0.5, batch.image), batch.hole, batch.fills)
    with torch.no_grad():
        assert torch.equal(predict(generator, batch), predict(generator, other))


def test_statistics_of_the_encoder_are_frozen_in_the_second_phase(generator, batch) -> None:
    parts = {"generator": generator}
    for done, changes in ((0.2, True), (0.5, False), (0.9, False)):
        encoder = [norm.running_mean.clone() for norm in generator.encoder_norms()]
        decoder = generator.decoder[0].norm.running_mean.clone()
        gradients(parts, batch, PconvMethod(), at(done))
        same = [torch.equal(a, norm.running_mean) for a, norm in zip(encoder, generator.encoder_norms(), strict=True)]
        assert same == [not changes] * len(same)
        assert not torch.equal(decoder, generator.decoder[0].norm.running_mean)
        assert all(norm.training for norm in generator.encoder_norms())  # as it was
        assert all(norm.weight.grad is not None for norm in generator.encoder_norms())  # these still learn


def test_the_rate_falls_to_a_quarter() -> None:
    assert [rate(PconvMethod(), "generator", done) for done in (0, 0.49, 0.5, 1)] == [1, 1, 0.25, 0.25]


def test_a_step_is_a_function_of_its_moment(generator, batch) -> None:
    found: list[dict[str, Tensor]] = []
    for _ in range(2):
        generator.zero_grad()
        gradients({"generator": generator}, batch, PconvMethod(), at(0.7, Pixels()))
        found.append({name: parameter.grad.clone() for name, parameter in generator.named_parameters()})
        generator.encoder.eval()  # its statistics play no part in this phase
        generator.train()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_published_values_and_the_table() -> None:
    assert METHODS["pconv"] is PCONV
    assert PCONV.backbone
    assert not PCONV.networks
    weights = {"valid": 1, "hole": 6, "perceptual": 0.05, "style": 120, "variation": 0.1}
    assert method_options("pconv", {}).weights == weights
    with pytest.raises(RecipeError, match="hole or picture; got 'seam'"):
        method_options("pconv", {"variation_region": "seam"})
    with pytest.raises(InputError, match="at least 0; got -1"):
        PconvMethod(style=-1)
    with pytest.raises(InputError, match="feature_share must be above 0"):
        PconvMethod(feature_share=0)
    with pytest.raises(InputError, match="fine_tuning_from must lie in"):
        PconvMethod(fine_tuning_from=1.5)
