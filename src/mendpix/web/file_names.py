"""Names of files as clients give and get them. No file is opened by any of them."""

import re
from pathlib import PurePath

from mendpix.image_encoding import FORMATS

LONGEST_NAME = 120
"""Characters of a file name that are kept."""

MEDIA_TYPES = {"PPM": "image/x-portable-anymap", "JPEG2000": "image/jp2", "TGA": "image/x-tga"}
"""Media types that are not just `image/` and the format."""


def clean_name(name: str) -> str:
    r"""Make a file name harmless: no folders, no control characters, not too long. It names no file here.

    Example:
        >>> clean_name("../../etc/passwd"), clean_name("C:\\photos\\me.jpg"), clean_name("")
        ('passwd', 'me.jpg', 'picture')
    """
    last = re.split(r"[/\\]", name)[-1]
    last = "".join(character for character in last if character.isprintable() and character not in '<>:"|?*;')
    last = last.strip(" .")
    path = PurePath(last or "picture")
    return path.stem[: LONGEST_NAME - len(path.suffix[:10])] + path.suffix[:10]


def suffix_of(kind: str, name: str) -> str | None:
    """Give the suffix for a format: the one that the name has, if it fits; None if the format cannot be written."""
    suffix = PurePath(name).suffix
    if FORMATS.get(suffix.lower()) == kind:
        return suffix
    return next((known for known, format_ in FORMATS.items() if format_ == kind), None)


def media_type(kind: str) -> str:
    """Give the media type of a format.

    Example:
        >>> media_type("JPEG"), media_type("PPM")
        ('image/jpeg', 'image/x-portable-anymap')
    """
    return MEDIA_TYPES.get(kind, f"image/{kind.lower()}")
