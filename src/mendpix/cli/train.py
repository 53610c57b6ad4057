"""`mendpix train`: run one recipe. Parses options and prints; what is learnt, and when, is `mendpix.training`'s."""

import os
import re
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from mendpix.cli.console import LateProgress, failures_as_sentences, say
from mendpix.cli.extras import need_train_extra
from mendpix.errors import InputError

UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds in a unit of `--budget`."""

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""What `--budget` may count, in seconds."""


def parse_budget(text: str) -> float:
    """Read a time span such as 90s, 150m, 2h or 1h30m.

    Args:
        text: Whole or decimal numbers, each with its unit s, m or h, the larger unit first.

    Returns:
        Seconds, more than 0.

    Raises:
        InputError: If the text is something else, or no time at all.

    Example:
        >>> parse_budget("150m"), parse_budget("1h30m")
        (9000.0, 5400.0)
    """
    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s)?", text.strip().lower())
    parts = match.groups() if match else ()
    total_s = sum(float(part) * UNIT_S[unit] for part, unit in zip(parts, "hms", strict=False) if part)
    if total_s <= 0:
        raise InputError(f"--budget must be a time with its unit, such as 90s, 150m or 1h30m; got {text!r}.")
    return total_s


def train(
    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE", readable=False, help="The run as a .toml file, such as recipes/smoke.toml."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the recipe with all defaults filled in, and stop.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Fit the training into this time, such as 90s, 150m or 1h30m."),
    ] = None,
    clock: Annotated[
        Literal["wall", "cpu"],
        typer.Option(help="What --budget counts: time on the clock, or the processors' time of all threads together."),
    ] = "wall",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint in the run's folder.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's folder.  [default: runs/ and the recipe's name]")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train a model from a recipe. Needs the extra: pip install 'mendpix[train]'.

    The run's folder holds config.toml, metrics.jsonl, samples/ and checkpoints/. A run that was killed goes on with
    --resume to the weights that it would have reached without the interruption.
    """
    with failures_as_sentences():
        budget_s = None if budget is None else parse_budget(budget)
        with need_train_extra("Training"):
            from mendpix.training.parts import check_recipe
            from mendpix.training.recipes import format_recipe, load_recipe
        settings = load_recipe(recipe)
        if dry_run:
            check_recipe(settings)
            say(format_recipe(settings).rstrip())
            return
        with need_train_extra("Training"):
            from mendpix.training.loop import train as run
        with LateProgress(quiet=quiet) as progress:
            folder = out or Path("runs") / recipe.stem
            checkpoint = run(
                settings, folder, budget_s=budget_s, clock=CLOCKS[clock], resume=resume, say=progress.say,
                progress=progress,
            )  # fmt: skip
        if not quiet and os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0":  # one of several processes
            say(f"newest checkpoint: {checkpoint}")
