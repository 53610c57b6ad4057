"""`mendpix models`: what can be given as `--model`, `--detector` and `--finder`. Prints the library's list."""

from dataclasses import asdict
from typing import Annotated

import typer

from mendpix.cli.console import failures_as_sentences, print_json, say
from mendpix.weights.locate import list_models


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
) -> None:
    """List the models by name: those that fill, those that detect, those that find damage.

    The names serve as --model, --detector and --finder of the other verbs; so does the path of an .onnx file.
    """
    with failures_as_sentences():
        found = list_models()
        if as_json:
            print_json({"models": [asdict(model) for model in found]})
            return
        name_width = max(len(model.name) for model in found)
        kind_width = max(len(model.kind) for model in found)
        for model in found:
            missing = "" if model.available else " (not installed)"
            say(f"{model.name:<{name_width}}  {model.kind:<{kind_width}}  {model.description}{missing}")
