"""Where results may go: looked at before the long work starts, so that minutes of work do not end in a refusal.

Writing itself is `images.py`'s: that a disk is full shows only there.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mendpix.errors import OutputError
from mendpix.image_encoding import FORMATS, encode
from mendpix.images import Picture

MAP_SUFFIX = ".png"
"""Maps and overlays are PNG: a lossy map would no longer be the map."""


def check_outputs(
    outputs: Mapping[str, Path | None], inputs: Sequence[Path], *, maps: Sequence[str] = (), force: bool = False
) -> None:
    """Refuse files that could not be written, or that would overwrite what somebody still needs.

    Args:
        outputs: Option to file; None where the option was not given.
        inputs: Files that the work reads.
        maps: Those options among `outputs` that hold a map and so must be PNG.
        force: Allow an output to replace an input.

    Raises:
        OutputError: If a folder does not exist or takes no files, if there is something at the place that is no
            plain file, if a map is no PNG, or if two files of one call are the same.
    """
    taken: dict[Path, str] = {}
    sources = {path.resolve() for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        folder = path.parent
        if not folder.is_dir():
            raise OutputError(
                f"The folder of {option} must exist; there is no {folder}. Create it with: mkdir -p {folder}"
            )
        if path.is_dir():
            raise OutputError(
                f"{option} must name a file; {path} is a folder. Add a file name, such as {path / 'mended.png'}"
            )
        if path.exists() and not path.is_file():
            raise OutputError(f"{option} must name a plain file; {path} is a device or pipe. Give a file name.")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(
                f"The folder of {option} must take new files; {folder} is write-protected. Choose another."
            )
        if option in maps and path.suffix.lower() != MAP_SUFFIX:
            raise OutputError(f"{option} must be a {MAP_SUFFIX} file; got {path.name}. Give it the suffix {MAP_SUFFIX}")
        place = path.resolve()
        if place in taken:
            raise OutputError(f"{taken[place]} and {option} must be two files; both are {path}. Rename one.")
        if place in sources and not force:
            raise OutputError(f"{option} would replace {path}, which is an input. Choose another name, or add --force")
        taken[place] = option


def check_format(picture: Picture, path: Path) -> None:
    """Refuse a name whose format cannot hold the picture, by encoding one pixel of it.

    Raises:
        OutputError: If the suffix is unknown or the format does not have the picture's mode.
    """
    if picture.template is not None:
        encode(picture.template.crop((0, 0, 1, 1)), path, picture.facts)


def notes_on(picture: Picture, path: Path) -> list[str]:
    """List what a user should know about the result of a picture that has been written to this file."""
    kind = FORMATS.get(path.suffix.lower())
    if kind in ("JPEG", "AVIF") or (kind == "WEBP" and picture.facts.lossy):
        name = "WebP" if kind == "WEBP" else kind
        return [f"{name} encodes the known pixels again; a PNG or TIFF keeps them bit for bit."]
    return []
