"""What a request brings along: the fields of a form, counted, bounded, and turned into numbers and words.

Knows no pictures: files are bytes here.
"""

import difflib
import json
import logging
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from mendpix.web.problems import ProblemError

log = logging.getLogger("mendpix.web")

FIELD_BYTES = 64 * 1024
"""Largest field that is no file."""

TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True)
class File:
    """A file out of a form."""

    data: bytes = field(repr=False)
    name: str
    """What the client calls it."""


@dataclass(frozen=True)
class Form:
    """The fields of a request."""

    texts: dict[str, str]
    files: dict[str, File]

    def text(self, name: str) -> str | None:
        """Give a field; None if it is not there or empty."""
        return self.texts.get(name, "").strip() or None

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Give a number.

        Raises:
            ProblemError: 422 if it is none, or none from `low` to `high`.
        """
        text = self.text(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ProblemError(422, f"{name} must be a number from {low:g} to {high:g}; got {text[:40]!r}.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Give a yes or no.

        Raises:
            ProblemError: 422 if it is neither.
        """
        text = self.text(name)
        if text is None:
            return default
        if text.lower() in (*TRUE, *FALSE):
            return text.lower() in TRUE
        raise ProblemError(422, f"{name} must be true or false; got {text[:40]!r}.")

    def word(self, name: str, default: str, words: Collection[str]) -> str:
        """Give one of some words.

        Raises:
            ProblemError: 422 if it is none of them.
        """
        text = self.text(name) or default
        if text not in words:
            raise ProblemError(422, f"{name} must be one of {', '.join(words)}; got {text[:40]!r}.")
        return text

    def numbered(self, name: str) -> dict[int, str]:
        """Give an object such as `{"1": "exemplar"}`.

        Raises:
            ProblemError: 422 if it is no such object.
        """
        text = self.text(name)
        if text is None:
            return {}
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict) or not all(
            key.isascii() and key.isdecimal() and len(key) < 10 and isinstance(value, str)
            for key, value in content.items()
        ):
            raise ProblemError(
                422,
                f'{name} must be a JSON object of numbers and names, such as {{"1": "exemplar"}}; got {text[:40]!r}.',
            )
        return {int(key): value for key, value in content.items()}


async def read_form(request: Request, *, texts: Collection[str], files: Collection[str]) -> Form:
    """Read a form.

    Args:
        request: The request.
        texts: Fields that it may have.
        files: Files that it may have.

    Raises:
        ProblemError: 415 if it is no form in UTF-8, 400 if it is malformed or has other fields, 507 if it cannot be
            kept.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise ProblemError(
            415,
            f"a request must be a form, multipart/form-data; got {kind[:60] or 'nothing'}. With curl: -F image=@FILE",
        )
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", request.headers.get("content-type", ""), re.IGNORECASE)
    if charset is not None and charset[1].lower() != "utf-8":  # some take minutes to decode
        raise ProblemError(415, f"a form must be in UTF-8; got {charset[1][:40]!r}. Leave charset away.")
    found, sent = Form({}, {}), set[str]()
    try:
        async with request.form(max_files=len(files), max_fields=len(texts) + 1, max_part_size=FIELD_BYTES) as content:
            for name, value in content.multi_items():
                _check_name(name, [*texts, *files], sent)
                if isinstance(value, UploadFile):
                    if name not in files:
                        raise ProblemError(400, f"{name} must be a plain field; got a file. Send its text.")
                    data = await value.read()
                    if data or value.filename:  # a page sends an empty file where none was chosen
                        found.files[name] = File(data, value.filename or "")
                elif name in files:
                    if value:
                        raise ProblemError(400, f"{name} must be a file; got text. With curl: -F {name}=@FILE")
                else:
                    found.texts[name] = value
    except HTTPException as error:
        raise ProblemError(400, f"the form must be whole and small; it is not: {str(error.detail)[:200]}") from error
    except (ValueError, UnicodeError) as error:
        raise ProblemError(400, "the form must be whole and in UTF-8; it is not. Send it again.") from error
    except OSError as error:
        log.error("cannot write an upload to a temporary file: %s", error)
        raise ProblemError(
            507, "the server must have room for the upload; its disk took no more. Make room there, or send less."
        ) from error
    return found


def _check_name(name: str, known: Collection[str], sent: set[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name[:40], known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ProblemError(400, f"a field must be one of {', '.join(known)}; got {name[:40]!r}.{hint}")
    if name in sent:
        raise ProblemError(400, f"each field must come once; {name} came twice. Leave one away.")
    sent.add(name)


def read_box(text: str | None) -> tuple[int, int, int, int] | None:
    """Read `X,Y,W,H`.

    Raises:
        ProblemError: 422 if it is something else.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.removeprefix("-").isdecimal() and len(part) < 10]
    if len(parts) != 4 or len(numbers) != 4 or numbers[2] < 1 or numbers[3] < 1:
        raise ProblemError(422, f"a box must be X,Y,W,H in whole pixels; got {text[:40]!r}.")
    return numbers[0], numbers[1], numbers[2], numbers[3]
