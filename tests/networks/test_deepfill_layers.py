import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402 - torch is an extra

from mendpix.networks.deepfill_layers import EvenConv2d, pad_same  # noqa: E402


def same_border(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Give TensorFlow's rule for one axis, as its documentation has it."""
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 1, 1), (5, 2, 1), (3, 1, 8)])
def test_a_convolution_has_tensorflows_border(kernel, stride, dilation):
    torch.manual_seed(0)
    conv, x = EvenConv2d(2, 3, kernel, stride=stride, dilation=dilation), torch.rand(1, 2, 8, 12)
    padded = F.pad(x, (*same_border(12, kernel, stride, dilation), *same_border(8, kernel, stride, dilation)))
    wanted = F.conv2d(padded, conv.weight, conv.bias, stride, dilation=dilation)
    assert wanted.shape[2:] == (8 // stride, 12 // stride)
    torch.testing.assert_close(conv(x), wanted)


def test_an_equal_border_samples_other_pixels():
    conv, x = EvenConv2d(1, 1, 3, stride=2, same=False), torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, conv.bias, 2, padding=1))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_padding_goes_by_the_size(size):
    x = torch.ones(1, 1, size, 8)
    padded = pad_same(x, 5, 2)
    assert padded.shape[2:] == (size + sum(same_border(size, 5, 2)), 8 + 3)
    before = same_border(size, 5, 2)[0]
    assert torch.equal(padded[:, :, before : before + size, 1:9], x)
