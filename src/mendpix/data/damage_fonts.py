"""Render words as planes: in the fonts of the machine, in LED digits, in strokes that look like unknown letters.

Which fonts a machine has decides how letters look, never how many random numbers are taken. Knows nothing of pictures.
"""

import math
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageFont, features

from mendpix.data.damage_layers import Canvas
from mendpix.types import FloatArray

SCRIPTS: dict[str, str] = {
    "latin": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "accents": "abcdeghilmnoprstuvéüñçøßàêîôäöåžčščřłęąÉÜÑÇØÀ",
    "digits": "0123456789.,:/-%$#",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщыьэюяАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭЮЯ",
    "greek": "αβγδεζηθικλμνξοπρστυφχψωΑΒΓΔΕΘΛΞΠΣΦΨΩ",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "armenian": "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցփքօֆ",
    "georgian": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "devanagari": "अआइईउकखगघचछजझटठडढतथदधनपफबभमयरलवशसह",
    "thai": "กขคงจฉชซญฐณดตถทธนบปผฝพฟภมยรลวศษสหอฮ",
    "chinese": "的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后",
    "japanese": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをんアイ",
    "korean": "가나다라마바사아자차카타파하고노도로모보소오조호구누두루무부수우주후기니디리미비시이지히",
    "signs": "★☆♥♪✓©®™☺☎✈♣♦→←↑↓∞§¶",
}
"""Letters to take from, by script; a font counts for a script if it has all of them."""

_MOST_FONTS = 400  # of a machine with thousands, these are enough


def font_folders() -> tuple[Path, ...]:
    """Name the usual folders of fonts, of those that there are."""
    home = Path.home()
    if sys.platform == "win32":
        folders = [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    elif sys.platform == "darwin":
        folders = [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    else:
        folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local" / "share" / "fonts",
                   home / ".fonts"]  # fmt: skip
    return tuple(folder for folder in folders if folder.is_dir())


@lru_cache(maxsize=1)
def fonts() -> tuple[str, ...]:
    """List the font files of the machine in the order of their names; "" stands for the font that Pillow brings."""
    found = [
        path
        for folder in font_folders()
        for path in folder.rglob("*")
        if path.suffix.lower() in {".ttf", ".otf", ".ttc"} and path.is_file()
    ]
    found.sort(key=lambda path: (path.name, str(path)))
    step = max(math.ceil(len(found) / _MOST_FONTS), 1)
    usable = [str(path) for path in found[::step] if _opens(str(path))]
    return (*usable, "")


@lru_cache(maxsize=len(SCRIPTS))
def fonts_for(script: str) -> tuple[str, ...]:
    """List the fonts that have every letter of a script; may be none."""
    if script == "arabic" and not features.check("raqm"):
        return ()  # its letters would stand apart
    return tuple(font for font in fonts() if _has(font, SCRIPTS[script]))


def _opens(path: str) -> bool:
    try:
        _font(path, 16, False)
    except OSError:
        return False
    return True


@lru_cache(maxsize=256)
def _font(path: str, px: int, shaped: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if not path:
        return ImageFont.load_default(px)
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(path, px, layout_engine=engine)


def _has(path: str, letters: str) -> bool:
    """Tell whether a font has letters of its own for all of these, not the box that stands for a missing one."""
    font = _font(path, 24, False)
    if not isinstance(font, ImageFont.FreeTypeFont):
        return letters.isascii()
    missing = {_drawing(font, sign) for sign in ("\U0010fffe", "\ufffe", "\u0378")}
    return all(_drawing(font, letter) not in missing and any(_drawing(font, letter)[1]) for letter in letters)


def _drawing(font: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, _bytes(mask)


def _bytes(mask: Any) -> bytes:
    """Read Pillow's own kind of plane, whose stubs do not say that it is a sequence."""
    return bytes(mask)


@lru_cache(maxsize=512)
def render(path: str, px: int, words: str, stroke_px: int = 0, shaped: bool = False) -> FloatArray:
    """Render one line of words.

    Args:
        path: One of `fonts()`.
        px: Size of the font.
        words: What to write; no line breaks.
        stroke_px: How far an outline reaches beyond the letters, px.
        shaped: Whether letters must be joined (Arabic).

    Returns:
        In [0, 1], shape (h, w), cut to what is drawn with `stroke_px` to spare; do not write into it. Empty if nothing
        is drawn.
    """
    font = _font(path, px, shaped)
    mask = font.getmask(words, stroke_width=stroke_px)
    width, height = mask.size
    plane = np.frombuffer(_bytes(mask), np.uint8).reshape(height, width).astype(np.float32) / np.float32(255)
    plane.setflags(write=False)
    return plane


_SEGMENTS = {"0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc",
             "8": "abcdefg", "9": "abcdfg", "-": "g"}  # fmt: skip
_ENDS = {"a": (0, 0, 1, 0), "b": (1, 0, 1, 1), "c": (1, 1, 1, 2), "d": (0, 2, 1, 2), "e": (0, 1, 0, 2),
         "f": (0, 0, 0, 1), "g": (0, 1, 1, 1)}  # fmt: skip


def render_led(words: str, px: int, lean: float) -> FloatArray:
    """Render digits, spaces, `'`, `:`, `.` and `-` in seven segments, as cameras burn dates in; shape (px, w)."""
    half, width, stroke = px * 0.42, px * 0.45, max(px * 0.09, 0.8)
    gap, at, margin = px * 0.24, px * 0.15, px * 0.08
    canvas = Canvas((px, round(len(words) * (width + gap) + abs(lean) * px + 2 * margin) + 1))
    for sign in words:
        for name in _SEGMENTS.get(sign, ""):
            x0, y0, x1, y1 = _ENDS[name]
            ends = [(at + x * width + lean * (2 - y) * half, margin + y * half) for x, y in ((x0, y0), (x1, y1))]
            middle = np.mean(ends, axis=0)
            canvas.line(np.asarray(middle + 0.86 * (np.asarray(ends) - middle), np.float32), stroke)
        dots = {":": (0.6, 1.4), ".": (2.0,), "'": (0.1,)}.get(sign, ())
        for y in dots:
            canvas.spot(at + lean * (2 - y) * half, margin + y * half, (stroke * 0.6, stroke * 0.6), 0)
        at += width + gap if sign in _SEGMENTS or sign == " " else gap
    return canvas.opacity()[:, : max(math.ceil(at), 1)]


def render_strokes(rng: np.random.Generator, letters: int, px: int, style: str) -> FloatArray:
    """Render letters that no script has, from the strokes that scripts are made of; shape (px, w).

    Args:
        rng: Where the letters come from.
        letters: How many.
        px: Height.
        style: "square" as ideographs, "hand" as running handwriting, "round" as letters of curves.
    """
    advance = {"square": 1.05, "hand": 0.5, "round": 0.7}[style] * px
    canvas = Canvas((px, math.ceil(letters * advance + 0.1 * px) + 1))
    width = px * rng.uniform(0.04, 0.11)
    inner = px - 2 * width
    if style == "hand":
        turns = np.linspace(0, letters, letters * 10 + 2)
        loops = rng.uniform(0.2, 1, letters + 2)[turns.astype(int)]
        x = (turns + 0.25 * np.sin(2 * math.pi * turns * 1.5)) * advance + width
        y = px * 0.55 + 0.4 * inner * loops * np.sin(2 * math.pi * (turns + 0.15 * np.sin(5 * turns)))
        canvas.line(np.stack([x, y], 1).astype(np.float32), width)
        return canvas.opacity()
    for letter in range(letters):
        corner = np.array([letter * advance + width, width])
        for _ in range(int(rng.integers(3, 9) if style == "square" else rng.integers(1, 4))):
            start, length = rng.uniform(0, 1, 2), rng.uniform(0.3, 1)
            if style == "square":
                angle = (0, math.pi / 2, 0.75 * math.pi, 0.25 * math.pi)[int(rng.random() * 3.4)]
                path = start + np.outer(np.linspace(-0.5, 0.5, 2), (math.cos(angle), math.sin(angle))) * length
            else:
                turn = rng.uniform(0, 7) + np.linspace(0, rng.uniform(2, 7), 12)
                radius = rng.uniform(0.2, 0.5)
                path = 0.5 + radius * np.stack([np.cos(turn), np.sin(turn)], 1) + 0.3 * (start - 0.5)
            canvas.line((corner + np.clip(path, 0, 1) * inner).astype(np.float32), width)
    return canvas.opacity()
