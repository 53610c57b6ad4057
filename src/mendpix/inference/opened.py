"""Keep models open: each is opened at its first use, once, and never twice. Knows no picture and no hole."""

import os
import threading
from typing import Literal

from mendpix.engines.finished import PoissonEngine
from mendpix.engines.interface import Engine
from mendpix.weights.locate import open_generator
from mendpix.weights.table import MODELS

Model = str | os.PathLike[str] | Engine
"""What fills: a name of the table, the path of a model file, or an engine that is open already."""

Finish = Literal["none", "poisson"]
"""What is done with a model's answer before it is pasted: nothing, or Poisson blending (`mendpix.poisson`)."""


class OpenModels:
    """Opens what fills by name or path. May be used by several threads at a time."""

    def __init__(self, threads: int | None = None, finish: Finish = "none") -> None:
        """Open nothing yet.

        Args:
            threads: Threads for one run of a network; None = one per core.
            finish: What every engine that is opened does with its answers.
        """
        self._threads = threads
        self._finish = finish
        self._engines: dict[str, Engine] = {}
        self._finished: dict[int, PoissonEngine] = {}  # around engines that were given, by their id; keeps them alive
        self._lock = threading.Lock()

    def open(self, model: Model) -> Engine:
        """Give the engine of a model.

        Args:
            model: A name, a path, or an engine, which comes back as it is, or inside one that finishes its answers.

        Raises:
            ModelError: If the name is unknown, or the file missing, broken or a detector's.
            MissingExtraError: If it needs a package that is not installed.
        """
        if not isinstance(model, str | os.PathLike):
            if self._finish == "none":
                return model
            with self._lock:
                return self._finished.setdefault(id(model), PoissonEngine(model))
        key = os.fspath(model)
        with self._lock:
            if key not in self._engines:
                engine = open_generator(model, threads=self._threads)
                self._engines[key] = engine if self._finish == "none" else PoissonEngine(engine)
            return self._engines[key]

    def name(self, model: Model) -> str:
        """Give a model's name for people; opens a file that has to be asked for it.

        Raises:
            ModelError: Like `open`.
            MissingExtraError: Like `open`.
        """
        return model if isinstance(model, str) and model in MODELS else self.open(model).facts.name
