"""The speed benchmark's pictures, holes and medians; the timings themselves are not tested."""

import numpy as np

import speed


def test_picture_and_hole_are_the_same_at_every_run_and_scale_with_the_size():
    shares = []
    for size in (64, 128, 256):
        picture, hole = speed.render_picture(size), speed.render_hole(size)
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8
        assert picture.std() > 20
        assert set(np.unique(hole)) == {0, 255}
        assert np.array_equal(picture, speed.render_picture(size))
        shares.append((hole > 0).mean())
    assert max(shares) - min(shares) < 0.02
    assert min(shares) > 0.05


def test_calls_take_turns_and_warm_up_is_not_timed(monkeypatch, capsys):
    order, clock = [], iter(range(1000))

    def call(name, ticks):
        def run():
            order.append(name)
            for _ in range(ticks):
                next(clock)

        return run

    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    medians = speed.median_ms({"fast": call("fast", 2), "slow": call("slow", 9)}, runs=3, warm_up=1)
    assert order == ["fast", "slow"] * 4
    assert medians == {"fast": 3000, "slow": 10000}
    assert "4 of 4 runs" in capsys.readouterr().err


def test_options_default_to_the_three_sizes():
    options = speed.parse([])
    assert options.sizes == [256, 512, 1024]
    assert options.threads >= 1
