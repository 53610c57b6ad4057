"""How much of all the work is done, from how much of a stage is. Knows shares and words; does no work itself."""

from mendpix.types import Progress


class Stages:
    """Turns pixels done within a stage into the share of all work, and passes it on. Never goes back."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._span = (0.0, 1.0)
        self._work, self._done, self._word = 1, 0, ""

    def enter(self, start: float, stop: float, work: int, word: str) -> None:
        """Begin a stage that lasts from one share to another and consists of so much work."""
        self._span, self._work, self._done, self._word = (start, stop), max(work, 1), 0, word
        self.advance(0)

    def advance(self, work: int) -> None:
        """Say that so much more of the stage is done."""
        self._done = min(self._done + work, self._work)
        start, stop = self._span
        if self._progress is not None:
            share = stop if self._done == self._work else start + (stop - start) * self._done / self._work
            self._progress(share, self._word)
