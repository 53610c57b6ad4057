"""The formats of foreign weights by name, as one table to read, and the one way in: read, convert, write."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mendpix.errors import InputError
from mendpix.weights.convert.deepfill_v1 import read_deepfill_v1
from mendpix.weights.convert.deepfill_v2 import read_deepfill_v2
from mendpix.weights.convert.edgeconnect import read_edgeconnect
from mendpix.weights.convert.gdn_tf import read_gdn
from mendpix.weights.convert.glcic import read_glcic
from mendpix.weights.convert.imported import Imported
from mendpix.weights.convert.isnet import read_isnet
from mendpix.weights.convert.pconv_naoto import read_pconv
from mendpix.weights.convert.pennet import read_pennet
from mendpix.weights.network_file import save_network_file

FORMATS: dict[str, Callable[[Path], Imported]] = {
    "deepfillv1-torch": read_deepfill_v1,
    "deepfillv2-torch": read_deepfill_v2,
    "edgeconnect": read_edgeconnect,
    "gdn-tf": read_gdn,
    "isnet": read_isnet,
    "glcic": read_glcic,
    "pconv-naoto": read_pconv,
    "pennet": read_pennet,
}
"""To add a format: write a function that reads it, and add its line here."""


@dataclass(frozen=True)
class ImportReport:
    """What was found and written."""

    imported: Imported
    """Networks, and every tensor of the source."""
    size_bytes: int | None
    """Size of the network file; None if none was written."""


def import_weights(checkpoint: Path, form: str, out: Path | None) -> ImportReport:
    """Read foreign weights and write them as a network file.

    Args:
        checkpoint: File, name or folder, as the format has it.
        form: A name of `FORMATS`.
        out: The file to write, .safetensors; None = only look.

    Raises:
        InputError: If the format is unknown.
        CheckpointError: If the checkpoint is broken or of another network.
        OutputError: If the file cannot be written; nothing is left behind.
    """
    if form not in FORMATS:
        raise InputError(f"--format must be one of {', '.join(FORMATS)}; got {form!r}.")
    imported = FORMATS[form](checkpoint)
    if out is None:
        return ImportReport(imported, None)
    source = {"format": form, "file": imported.source, "used": imported.used, "ignored": imported.ignored}
    save_network_file(out, imported.networks, imported.names, source)
    return ImportReport(imported, out.stat().st_size)
