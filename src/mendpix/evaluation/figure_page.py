"""Write figures as one HTML page that needs nothing else: pictures inside, no script, no request to anywhere.

Good in light and dark, from a phone's width up, and on paper. Knows nothing of what a figure means.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest

from PIL import Image as PilImage

from mendpix.artifacts.maps import HEAT, HEAT_AT
from mendpix.evaluation.figure_parts import Cell, Figure, Pixels, Row, Table

WEBP_QUALITY = 84
"""Quality of photos inside the page, of 100. The PNG sheets are lossless."""

MOST_EFFORT = 6
"""WebP's slowest setting, for pages that are written once and read often."""

SMALL_PX = 64 * 64
"""A photo of at most so many pixels is kept without loss, px."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1d21; --faint: #5c616b; --rule: #d5d8de; --link: #1a56b0; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e7e9ed; --faint: #a2a8b3; --rule: #383c45; --link: #8ab4f8; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem clamp(1rem, 3vw, 2.5rem) 3rem; max-width: 92rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: clamp(1.4rem, 3.2vw, 2rem); line-height: 1.2; margin: 0 0 .5rem; text-wrap: balance; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p, ul { margin: .4rem 0; max-width: 75ch; }
ul { padding-left: 1.2rem; }
a { color: var(--link); }
section { margin-top: 2.2rem; padding-top: 1.4rem; border-top: 1px solid var(--rule); }
.faint, li { color: var(--faint); font-size: .9rem; }
.row { margin: 1.2rem 0 1.8rem; break-inside: avoid; }
.row > figcaption { color: var(--faint); font-size: .9rem; }
.cells { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(9.5rem, 44%), 1fr)); gap: .9rem .6rem; }
.cell { margin: 0; text-align: center; break-inside: avoid; }
.cell img { display: block; width: 100%; height: auto; margin-top: .25rem; outline: 1px solid var(--rule); }
.column { font-weight: 600; }
.notes { display: block; min-height: calc(var(--lines) * 1.35rem); margin: .2rem 0 .3rem; }
.note { display: block; line-height: 1.35rem; font-variant-numeric: tabular-nums; }
.note + .note { color: var(--faint); font-size: .88rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .95rem; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid var(--rule); }
th, td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 8.5rem; }
th { color: var(--faint); font-weight: 600; vertical-align: bottom; }
.heat { display: flex; gap: .6rem; align-items: center; font-size: .9rem; margin: .6rem 0; }
.heat span { white-space: nowrap; }
.heat i { flex: 0 1 16rem; height: .9rem; background: linear-gradient(to right, HEAT_STOPS);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
code { font: .88em ui-monospace, monospace; }
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --faint: #444; --rule: #bbb; --link: #000; }
  html { font-size: 8.5pt; }
  body { max-width: none; padding: 0; }
  p, ul { max-width: none; }
  nav { display: none; }
  section + section { break-before: page; border-top: 0; }
  .cells { grid-template-columns: repeat(var(--columns), 1fr); }
}
"""


@dataclass(frozen=True)
class Words:
    """The text around the figures."""

    title: str
    lead: tuple[str, ...]
    """Paragraphs below the title."""
    made: tuple[tuple[str, tuple[str, ...]], ...]
    """Headings and their items, at the end: what all figures were made from."""
    models: Table
    """The model files."""
    link: tuple[str, str]
    """Address and text of the one link that leads out; it is followed only when somebody clicks on it."""


def write_page(figures: Sequence[Figure], words: Words) -> str:
    """Write the page.

    Args:
        figures: In the order in which they are to stand.
        words: The text around them.

    Returns:
        HTML, complete.
    """
    address, name = words.link
    contents = " · ".join(f'<a href="#figure-{one.number}">Figure {one.number}</a>' for one in figures)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">",
        f"<title>{escape(words.title)}</title>",
        f"<style>{STYLE.replace('HEAT_STOPS', _heat_stops())}</style>",
        "</head>",
        "<body>",
        f"<header><h1>{escape(words.title)}</h1>",
        *(f"<p>{escape(paragraph)}</p>" for paragraph in words.lead),
        f'<p class="faint"><a href="{escape(address)}">{escape(name)}</a></p>',
        f'<nav><p>{contents} · <a href="#made">How it was made</a></p></nav></header>',
        "<main>",
        *(_section(figure) for figure in figures),
        '<section id="made"><h2>How it was made</h2>',
        _table(words.models),
        *(f"<h3>{escape(heading)}</h3>{_items(items)}" for heading, items in words.made),
        "</section>",
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def embed(pixels: Pixels, effort: int = MOST_EFFORT) -> str:
    """Write a picture as a data address: PNG without loss for drawings and small cuttings, WebP for photos.

    Args:
        pixels: What to write.
        effort: How long WebP looks for a smaller file of the same quality, 0 to 6.
    """
    image = PilImage.fromarray(pixels)
    colours = image.getcolors(256)
    stream = io.BytesIO()
    if colours or pixels.shape[0] * pixels.shape[1] <= SMALL_PX:
        kind = "png"
        # Few colours: a palette of exactly those, which Pillow finds as long as they are at most 256.
        image = image.quantize(len(colours), dither=PilImage.Dither.NONE) if colours else image
        image.save(stream, "PNG", optimize=True)
    else:
        kind = "webp"
        image.save(stream, "WEBP", quality=WEBP_QUALITY, method=effort)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _section(figure: Figure) -> str:
    heat = (
        '<p class="heat"><span>0 looks real</span><i role="img" aria-label="from blue by cyan and yellow to red"></i>'
        "<span>1 looks filled</span></p>"
        if figure.has_heat
        else ""
    )
    return "\n".join(
        (
            f'<section id="figure-{figure.number}"><h2>Figure {figure.number}: {escape(figure.title)}</h2>',
            f"<p>{escape(figure.caption)}</p>{heat}",
            *(_row(figure, row) for row in figure.rows),
            _table(figure.table),
            _items(figure.made),
            "</section>",
        )
    )


def _row(figure: Figure, row: Row) -> str:
    """Write a row: the cells of a column stay together, however many columns fit side by side."""
    lines = [max(len(cell.notes) for cell in strip) for strip in row.strips]  # so that the next strip is level
    cells = "\n".join(
        f'<div class="cell"><span class="column">{escape(title)}</span>{"".join(map(_cell, stacked, lines))}</div>'
        for title, stacked in zip(figure.columns, zip(*row.strips, strict=True), strict=True)
    )
    return (
        f'<figure class="row"><div class="cells" style="--columns: {len(figure.columns)}">\n{cells}\n</div>'
        f"<figcaption>{escape(row.caption)}</figcaption></figure>"
    )


def _cell(cell: Cell, lines: int) -> str:
    height, width = cell.pixels.shape[:2]
    notes = "".join(f'<span class="note">{escape(note)}</span>' for note in cell.notes)
    return (
        f'<img src="{embed(cell.pixels)}" width="{width}" height="{height}" alt="{escape(cell.alt)}">'
        f'<span class="notes" style="--lines: {lines}">{notes}</span>'
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in table.head)
    lines = "\n".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in line)}</tr>" for line in table.lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{lines}</tbody></table></div>'


def _items(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _heat_stops() -> str:
    """Write the heat colours as stops of a CSS gradient."""
    stops = zip_longest(HEAT, HEAT_AT)
    return ", ".join(f"rgb({' '.join(f'{value * 100:g}%' for value in colour)}) {at * 100:g}%" for colour, at in stops)
