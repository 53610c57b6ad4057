"""Fill hole by hole with several models: who comes first, what each of them sees, who steps in if one gives up.

Models that do not copy come first, so that those that copy find thin damage mended. Of these, thin holes come first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mendpix.engines.interface import Engine
from mendpix.errors import MaskError, MissingExtraError
from mendpix.inference.blend import Advance, fill_into
from mendpix.inference.highres import Plan, plan_fill
from mendpix.inference.holes import Hole, paint
from mendpix.inference.opened import Model, OpenModels
from mendpix.inference.routing import Choice
from mendpix.inference.windows import Missing
from mendpix.types import Image
from mendpix.weights.table import FOR_STROKES


@dataclass(frozen=True, eq=False)
class Assigned:
    """A hole, what is to fill it, and why."""

    hole: Hole
    model: Model
    choice: Choice
    chosen: bool
    """True if our own rule chose, and so may choose again."""


@dataclass(frozen=True, eq=False)
class Round:
    """Holes that one engine fills under one plan."""

    engine: Engine
    assigned: tuple[Assigned, ...]
    plan: Plan

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The holes alone."""
        return tuple(each.hole for each in self.assigned)


def open_all(assigned: Sequence[Assigned], models: OpenModels) -> tuple[tuple[Assigned, ...], dict[int, Engine]]:
    """Open what is needed; where our own choice is not installed, choose the network instead, and say so.

    Args:
        assigned: What was chosen.
        models: Opens models.

    Returns:
        What will fill, and the engine of each hole by its number.

    Raises:
        ModelError: If a model cannot be opened.
        MissingExtraError: If a model that somebody asked for needs a package that is not installed.
    """
    settled: list[Assigned] = []
    engines: dict[int, Engine] = {}
    for each in assigned:
        try:
            engines[each.hole.number] = models.open(each.model)
        except MissingExtraError:
            if not each.chosen:
                raise
            each = _given_up(each, f"but {each.choice.model} is not installed")
            engines[each.hole.number] = models.open(each.model)
        settled.append(each)
    return tuple(settled), engines


def plan_rounds(assigned: Sequence[Assigned], engines: dict[int, Engine], missing: Missing) -> tuple[Round, ...]:
    """Plan who fills what, and in which order.

    Args:
        assigned: Every hole.
        engines: The engine of each hole by its number.
        missing: True in every hole, shape (H, W).

    Returns:
        Rounds in the order in which they run. What our own rule gives to an engine is kept apart from what somebody
        asked it for, since only the former may be handed to another one.
    """
    groups: dict[tuple[int, bool], list[Assigned]] = {}
    for each in assigned:
        engine = engines[each.hole.number]
        groups.setdefault((id(engine), each.chosen and engine.facts.copies), []).append(each)
    rounds: list[Round] = []
    for group in groups.values():
        engine, holes = engines[group[0].hole.number], tuple(each.hole for each in group)
        wanted = missing if len(group) == len(assigned) else paint(holes, (missing.shape[0], missing.shape[1]))
        rounds.append(Round(engine, tuple(group), plan_fill(wanted, engine.facts, holes)))
    return tuple(
        sorted(rounds, key=lambda each: (each.engine.facts.copies, max(hole.thickness_px for hole in each.holes)))
    )


def run_rounds(
    rounds: Sequence[Round],
    models: OpenModels,
    filled: Image,
    missing: Missing,
    excluded: Missing | None,
    advance: Advance,
) -> tuple[Assigned, ...]:
    """Fill every hole, in place.

    Args:
        rounds: From `plan_rounds`.
        models: Opens the network, if it has to step in.
        filled: RGB in [0, 1], shape (H, W, 3). Written to where `missing`, nowhere else.
        missing: True in every hole, shape (H, W). Not written to.
        excluded: True where nothing may be copied from, shape (H, W), or None.
        advance: Told of the pixels done.

    Returns:
        What really filled each hole, in order of the holes' numbers.

    Raises:
        MaskError: If a model that somebody asked for finds nothing to copy.
        ModelError: If a model's answer cannot be used.
    """
    size = (missing.shape[0], missing.shape[1])
    waiting = missing.copy()
    done: list[Assigned] = []
    queue = list(rounds)
    everything = sum(len(each.assigned) for each in rounds)
    while queue:
        each = queue.pop(0)
        wanted = missing if len(each.assigned) == everything else paint(each.holes, size)
        waiting &= ~wanted
        others = waiting if waiting.any() else None
        try:
            fill_into(each.engine, each.plan, filled, wanted, advance, waiting=others, excluded=excluded)
            done.extend(each.assigned)
        except MaskError:
            if not all(assigned.chosen for assigned in each.assigned):
                raise
            if len(each.assigned) > 1:  # hole by hole, so that only those go to the network for which it must be
                waiting |= wanted
                queue[:0] = [_alone(each.engine, assigned, size) for assigned in each.assigned]
                continue
            engine = models.open(FOR_STROKES)
            plan = plan_fill(wanted, engine.facts, each.holes)
            fill_into(engine, plan, filled, wanted, advance, waiting=others)
            done.extend(_given_up(assigned, "but too little to copy was found") for assigned in each.assigned)
    return tuple(sorted(done, key=lambda assigned: assigned.hole.number))


def _alone(engine: Engine, assigned: Assigned, size: tuple[int, int]) -> Round:
    """Plan one hole for itself."""
    return Round(engine, (assigned,), plan_fill(paint((assigned.hole,), size), engine.facts, (assigned.hole,)))


def _given_up(assigned: Assigned, why: str) -> Assigned:
    """Hand a hole over to the network."""
    reason = f"{assigned.choice.reason}, {why}"
    choice = replace(assigned.choice, model=FOR_STROKES, cause="gave-up", reason=reason)
    return replace(assigned, model=FOR_STROKES, choice=choice)
