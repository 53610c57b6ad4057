import numpy as np
import pytest

from mendpix.checkpoints import asked, checkpoint
from mendpix.exemplar.fill import exemplar


class StopError(Exception):
    pass


def test_nobody_is_asked_unless_somebody_wants_to_be():
    checkpoint()
    asks = []
    with asked(lambda: asks.append(1)):
        checkpoint()
        with asked(lambda: asks.append(2)):
            checkpoint()
        checkpoint()
    checkpoint()
    assert asks == [1, 2, 1]


def test_a_long_fill_asks_often_and_can_be_stopped():
    picture = np.random.default_rng(0).random((128, 128, 3), np.float32)
    hole = np.zeros((128, 128), np.float32)
    hole[40:80, 50:90] = 1
    asks = []
    with asked(lambda: asks.append(1)):
        whole = exemplar(picture, hole)
    assert len(asks) > 10
    assert np.array_equal(whole, exemplar(picture, hole))

    def stop():
        asks.pop()
        if len(asks) < 5:
            raise StopError

    with asked(stop), pytest.raises(StopError):
        exemplar(picture, hole)
