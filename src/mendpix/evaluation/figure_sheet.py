"""Draw a figure as one picture with Pillow: columns under their titles, numbers below, the table at the end.

Knows nothing of what a figure means. The font is the one that comes with Pillow; what it lacks is spelt out.
"""

import io

import cv2
import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from mendpix.evaluation.figure_parts import Cell, Figure, Pixels, Row, Table, heat, to_pixels

CELL_PX = 256
"""Side of a cell on the sheet, px; smaller pictures are magnified to it."""

MARGIN_PX = 28
GAP_PX = 8
ROW_GAP_PX = 26
BAR_PX = (CELL_PX, 14)
"""Width and height of the bar of heat colours."""

TITLE, HEAD, NOTE, SMALL = 27, 20, 18, 16  # sizes of type, px
LINE = 1.35  # height of a line by its size of type
NUMBER_COLUMN_PX = 150
INK, FAINT, RULE, PAPER = (24, 26, 30), (96, 100, 108), (205, 208, 214), (255, 255, 255)

SPELT = {"×": "x", "–": "-", "−": "-", "—": "-", "σ": "sigma", "²": "2", "’": "'"}
"""Signs that Pillow's own font lacks."""


def draw_sheet(figure: Figure, foot: str) -> bytes:
    """Draw a figure as a PNG file.

    Args:
        figure: What to draw.
        foot: A line at the very end, such as what it was made from.

    Returns:
        The file, 8-bit RGB.
    """
    columns = len(figure.columns)
    width = 2 * MARGIN_PX + columns * CELL_PX + (columns - 1) * GAP_PX
    table_top = MARGIN_PX + _line(TITLE) + _line(HEAD) + 16 + sum(_row_height(row) for row in figure.rows)
    foot_lines = _wrap(foot, SMALL, width - 2 * MARGIN_PX)
    height = table_top + (len(figure.table.lines) + 1) * _line(NOTE) + 20 + len(foot_lines) * _line(SMALL) + MARGIN_PX
    sheet = PilImage.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    y = MARGIN_PX
    draw.text((MARGIN_PX, y), _plain(f"Figure {figure.number}: {figure.title}"), INK, _font(TITLE))
    if figure.has_heat:
        _draw_bar(sheet, draw, width - MARGIN_PX, y + 8)
    y += _line(TITLE) + 8
    for column, title in enumerate(figure.columns):
        draw.text((_left(column) + CELL_PX // 2, y), _plain(title), INK, _font(HEAD), anchor="ma")
    y += _line(HEAD) + 8
    for row in figure.rows:
        _draw_row(sheet, draw, row, y)
        y += _row_height(row)
    _draw_table(draw, figure.table, y, width)
    y = height - MARGIN_PX - len(foot_lines) * _line(SMALL)
    for line in foot_lines:
        draw.text((MARGIN_PX, y), line, FAINT, _font(SMALL))
        y += _line(SMALL)
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def magnify(pixels: Pixels, side: int) -> Pixels:
    """Bring a picture's longer side to `side`, smoothly; one that has it already comes back as it is."""
    scale = side / max(pixels.shape[:2])
    if scale == 1:
        return pixels
    size = (max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1))
    return np.asarray(
        cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA), np.uint8
    )


def _draw_row(sheet: PilImage.Image, draw: ImageDraw.ImageDraw, row: Row, y: int) -> None:
    for strip in row.strips:
        for column, cell in enumerate(strip):
            picture = PilImage.fromarray(magnify(cell.pixels, CELL_PX))
            sheet.paste(picture, (_left(column), y))
            # A hairline, so that a white hole at the edge of a picture does not run out into the paper.
            corner = (_left(column) + picture.width, y + picture.height)
            draw.rectangle((_left(column) - 1, y - 1, *corner), outline=RULE)
        y += CELL_PX + 6
        for column, cell in enumerate(strip):
            for number, note in enumerate(cell.notes):
                place = (_left(column) + CELL_PX // 2, y + number * _line(NOTE))
                draw.text(place, _plain(note), FAINT if number else INK, _font(NOTE), anchor="ma")
        y += _notes_height(strip)
    whole = sheet.width - 2 * MARGIN_PX
    draw.text((MARGIN_PX, y), _shorten(row.caption, SMALL, whole), FAINT, _font(SMALL))


def _draw_bar(sheet: PilImage.Image, draw: ImageDraw.ImageDraw, right: int, y: int) -> None:
    """Draw what the heat colours mean, its right end at `right`."""
    high, low = "1 looks filled", "looks real 0"
    right -= round(draw.textlength(high, _font(SMALL))) + 8
    values = np.repeat(np.linspace(0, 1, BAR_PX[0], dtype=np.float32)[None], BAR_PX[1], axis=0)
    sheet.paste(PilImage.fromarray(to_pixels(heat(values))), (right - BAR_PX[0], y + 2))
    draw.text((right + 8, y), high, INK, _font(SMALL))
    draw.text((right - BAR_PX[0] - 8, y), low, INK, _font(SMALL), anchor="ra")


def _draw_table(draw: ImageDraw.ImageDraw, table: Table, y: int, width: int) -> None:
    """Draw a table: names to the left, numbers under their titles."""
    names = width - 2 * MARGIN_PX - NUMBER_COLUMN_PX * (len(table.head) - 1)
    names = min(names, 520)
    for number, line in enumerate((table.head, *table.lines)):
        colour = FAINT if number == 0 else INK
        draw.text((MARGIN_PX, y), _shorten(line[0], NOTE, names), colour, _font(NOTE))
        for column, text in enumerate(line[1:]):
            right = MARGIN_PX + names + (column + 1) * NUMBER_COLUMN_PX
            draw.text((right, y), _plain(text), colour, _font(NOTE), anchor="ra")
        y += _line(NOTE)
        if number == 0:
            end = MARGIN_PX + names + (len(table.head) - 1) * NUMBER_COLUMN_PX
            draw.line((MARGIN_PX, y - 4, end, y - 4), RULE)


def _row_height(row: Row) -> int:
    strips = sum(CELL_PX + 6 + _notes_height(strip) for strip in row.strips)
    return strips + _line(SMALL) + ROW_GAP_PX


def _notes_height(strip: tuple[Cell, ...]) -> int:
    lines = max(len(cell.notes) for cell in strip)
    return lines * _line(NOTE) + (8 if lines else 2)


def _left(column: int) -> int:
    return MARGIN_PX + column * (CELL_PX + GAP_PX)


def _line(size: int) -> int:
    return round(size * LINE)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _plain(text: str) -> str:
    """Spell out what the font lacks."""
    for sign, spelt in SPELT.items():
        text = text.replace(sign, spelt)
    return text.encode("latin-1", "replace").decode("latin-1")


def _shorten(text: str, size: int, width: int) -> str:
    """Cut a text in its middle until it fits."""
    text = _plain(text)
    if _font(size).getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 2:
        kept -= 1
        shorter = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
        if _font(size).getlength(shorter) <= width:
            return shorter
    return "..."


def _wrap(text: str, size: int, width: int) -> list[str]:
    """Break a text into lines that fit, between words."""
    lines = [""]
    for word in _plain(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _font(size).getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
