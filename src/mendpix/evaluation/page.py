"""Write an evaluation as one HTML page that needs nothing else: numbers, plots, and cases with all their pictures.

Works from a file, without a request to anywhere, in light and dark, on a phone and on paper. Its script sorts cases and
answers keys; without it everything else still works. Measures nothing and runs no model.
"""

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from mendpix.atomic_files import atomic_write
from mendpix.evaluation import page_numbers, page_words
from mendpix.evaluation.page_cases import Case, CasePicture, CaseWriter
from mendpix.evaluation.page_style import SCRIPT, policy, style
from mendpix.evaluation.statistics import Summary

__all__ = ["Case", "CasePicture", "write_page"]


def write_page(summary: Summary, cases: Iterable[Case], path: Path, *, worst_by: str) -> None:
    """Write the page.

    The cases are read one by one, and each is written before the next is asked for.

    Args:
        summary: All numbers.
        cases: The pairs to show with their pictures, in the order in which they are to stand.
        path: The HTML file; replaced whole or not at all.
        worst_by: Measure by which the cases were chosen, worst first.

    Raises:
        InputError: If a case names a model or bin that the evaluation does not have, or a model twice.
        ShapeError: If a picture is no uint8 RGB array or has another size than the true picture.
        OutputError: If the file cannot be written.
    """
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for piece in _pieces(summary, cases, worst_by):
            file.write(piece)
            file.write("\n")


def _pieces(summary: Summary, cases: Iterable[Case], worst_by: str) -> Iterator[str]:
    evaluation = summary.evaluation
    numbers = (
        ("first", "What to read first", page_numbers.first(summary)),
        ("shares", "By hole share", page_numbers.by_hole_share(summary)),
        ("papers", "As papers print it", page_numbers.papers(summary)),
        ("detection", "Detection", page_numbers.detection(summary)),
        ("time", "Time and memory", page_numbers.times(evaluation)),
        ("pairwise", "Model against model", page_numbers.pairwise(summary)),
    )
    written = [(address, title, [text]) for address, title, lines in numbers if (text := "\n".join(lines))]
    streamed = (
        ("cases", "Cases", CaseWriter(evaluation, worst_by).write(cases)),
        ("definitions", "Definitions", page_words.definitions(evaluation)),
        ("made", "How it was made", page_words.made(summary)),
    )
    matrices = page_numbers.matrix_measures(evaluation)
    sheet = style(len(evaluation.models), len(evaluation.pairs.bin_names), matrices)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy(SCRIPT)}">'
    yield f"<title>Evaluation: {escape(evaluation.protocol_name)}</title>"
    yield f"<style>{sheet}</style>\n</head>\n<body>"
    yield from page_words.header(evaluation, [section[:2] for section in (*written, *streamed)])
    yield "<main>"
    for address, title, content in (*written, *streamed):
        yield f'<section id="{address}"><h2>{title}</h2>'
        yield from content
        yield "</section>"
    yield f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>"
