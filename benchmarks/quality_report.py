"""Turn measured rows into tables and a verdict, as Markdown. Measures nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Rows = dict[str, dict[str, dict[str, float]]]
"""Model -> pair -> ``bin`` and metrics."""

OURS = "scenes"
LEAST_BIN = 20
"""The verdict is over the bins from a hole ratio of 0.1 on; this is their first upper end, percent."""

LEAST_PICTURES = 10
"""A baseline measured on fewer pictures is shown, but not ranked: its mean is chance."""

PSNR_FLOOR_DB = 0.3
PSNR_AIM_DB = 1.0


@dataclass(frozen=True)
class Metric:
    """How a metric is printed and read."""

    title: str
    digits: int
    sign: int
    """1 = more is better, -1 = less is better."""


METRICS = {
    "psnr": Metric("PSNR, dB (more is better)", 2, 1),
    "ssim": Metric("SSIM (more is better)", 4, 1),
    "l1": Metric("l1, % (less is better)", 3, -1),
    "features": Metric("SqueezeNet feature distance × 1000 (less is better; not LPIPS)", 1, -1),
}


@dataclass(frozen=True)
class Advantage:
    """How far ours is ahead of the rival that comes nearest, on the pairs that both have measured."""

    rival: str
    value: float
    """Mean difference, positive = ours is better."""
    error: float
    """Standard error of that mean."""


def report(rows: Rows, bins: Sequence[int]) -> str:
    """Return one table per metric, the best baseline of each bin, and the verdict if ours was measured."""
    measured = [name for name in METRICS if all(name in row for kept in rows.values() for row in kept.values())]
    parts = [table(rows, bins, metric) for metric in measured]
    if rows.get(OURS) and _ranked(rows):
        parts.extend(verdict(rows, bins, metric) for metric in measured)
    return "\n\n".join(("", *parts))


def table(rows: Rows, bins: Sequence[int], metric: str) -> str:
    """Return a table: a row per model, a column per bin, the mean over the bins from 0.1 on, the count per bin."""
    facts = METRICS[metric]
    late = [key for key in bins if key >= LEAST_BIN]
    lines = [
        f"**{facts.title}**",
        "",
        f"| model | {' | '.join(_range(key) for key in bins)} | mean ≥ 0.1 | pictures |",
        "| --- |" + " ---: |" * (len(bins) + 2),
    ]
    for name, kept in rows.items():
        means = {key: _mean(row[metric] for row in kept.values() if row["bin"] == key) for key in bins}
        count = len(kept) / len(bins)
        cells = [f"{means[key]:.{facts.digits}f}" for key in bins]
        cells.append(f"{_mean(means[key] for key in late):.{facts.digits}f}")
        lines.append(f"| {name} | {' | '.join(cells)} | {count:g} |")
    best = [nearest_best(rows, [key], metric) for key in bins]
    overall = nearest_best(rows, late, metric)
    lines.append(f"| *best baseline* | {' | '.join(best)} | {overall} | |")
    return "\n".join(lines)


def nearest_best(rows: Rows, bins: Sequence[int], metric: str) -> str:
    """Return the baseline whose mean is best; one measured on fewer pairs is compared on those."""
    names = _ranked(rows)
    if not names:
        return "–"
    best = names[0]
    for name in names[1:]:
        if _difference(rows[name], rows[best], bins, metric).value > 0:
            best = name
    return best


def advantage(rows: Rows, bins: Sequence[int], metric: str) -> Advantage:
    """Return how far ours is ahead of the baseline that comes nearest in these bins; each bin weighs the same."""
    rivals = {name: _difference(rows[OURS], rows[name], bins, metric) for name in _ranked(rows)}
    rival = min(rivals, key=lambda name: rivals[name].value)
    return Advantage(rival, rivals[rival].value, rivals[rival].error)


def verdict(rows: Rows, bins: Sequence[int], metric: str) -> str:
    """Return a line per metric: ours against the best baseline of each bin, and whether the aim is met."""
    facts = METRICS[metric]
    late = [key for key in bins if key >= LEAST_BIN]
    each = {key: advantage(rows, [key], metric) for key in bins}
    cells = ", ".join(
        f"{_range(key)}: {found.value:+.{facts.digits}f} ± {found.error:.{facts.digits}f} ({found.rival})"
        for key, found in each.items()
    )
    if metric == "psnr":
        mean = _mean(each[key].value for key in late)
        word = (
            "aim met" if mean >= PSNR_AIM_DB else "floor met, aim missed" if mean >= PSNR_FLOOR_DB else "FLOOR MISSED"
        )
        end = f"mean over the bins ≥ 0.1: {mean:+.2f} dB (floor +{PSNR_FLOOR_DB}, aim +{PSNR_AIM_DB}): {word}"
    else:
        lost = [_range(key) for key in late if each[key].value <= 0]
        end = "ahead in every bin ≥ 0.1" if not lost else f"BEHIND in {', '.join(lost)}"
    return (
        f"{OURS} against the best baseline of each bin, {facts.title.partition(' (')[0]}, positive = {OURS} is better, "
        f"± standard error: {cells}; **{end}**."
    )


def means_by_bin(kept: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return bin -> count and mean of each metric."""
    found: dict[str, dict[str, float]] = {}
    for key in sorted({int(row["bin"]) for row in kept.values()}):
        of_bin = [row for row in kept.values() if row["bin"] == key]
        found[str(key)] = {"pictures": len(of_bin)}
        for metric in METRICS:
            if all(metric in row for row in of_bin):
                found[str(key)][metric] = _mean(row[metric] for row in of_bin)
    return found


def _difference(
    ours: Mapping[str, Mapping[str, float]], theirs: Mapping[str, Mapping[str, float]], bins: Sequence[int], metric: str
) -> Advantage:
    """Compare two models on the pairs that both have; positive = the first is better."""
    sign = METRICS[metric].sign
    means: list[float] = []
    variances: list[float] = []
    for key in bins:
        found = np.array(
            [
                sign * (row[metric] - theirs[pair][metric])
                for pair, row in ours.items()
                if row["bin"] == key and pair in theirs
            ]
        )
        means.append(float(found.mean()) if len(found) else float("nan"))
        variances.append(float(found.var(ddof=1)) / len(found) if len(found) > 1 else float("nan"))
    return Advantage("", _mean(means), float(np.sqrt(sum(variances))) / len(bins))


def _ranked(rows: Rows) -> list[str]:
    """Return the baselines that were measured on enough pictures in every bin."""
    names: list[str] = []
    for name, kept in rows.items():
        counts = Counter(row["bin"] for row in kept.values())
        if name != OURS and counts and min(counts.values()) >= LEAST_PICTURES:
            names.append(name)
    return names


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else float("nan")


def _range(upper: int) -> str:
    return f"{max(upper / 100 - 0.1, 0.01):g}–{upper / 100:g}"
