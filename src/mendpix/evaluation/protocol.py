"""What is measured, written down once: pictures, masks, their pairing, sizes, filter, quantisation, measures.

A protocol is a TOML file; `load_protocol` reads it. Its contents are listed, paired and hashed by `pairing.py`. Knows
no model.
"""

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mendpix.errors import InputError, ProtocolError
from mendpix.evaluation.measures import MEASURES, SET_MEASURES, Quantisation, expand
from mendpix.typed_toml import build_from_toml

SIX_BINS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Upper ends of the bins that papers since Liu et al. 2018 print."""

Fit = Literal["keep", "exact", "crop", "stretch"]
Filter = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]
Pairing = Literal["in-order", "every-mask", "every-bin", "same-name"]


@dataclass(frozen=True)
class Pictures:
    """Which pictures, and how they are brought to their size."""

    sources: tuple[str, ...]
    """Folders (searched recursively), tar shards, list files or pictures, in this order; sorted by name within."""
    fit: Fit = "keep"
    """`keep`: as they are. `exact`: must have `size_px`. `crop`: scaled until they cover `size_px`, then the centre.
    `stretch`: scaled to `size_px`, whatever their shape."""
    size_px: tuple[int, int] | None = None
    """Height and width, px; None only with `keep`."""
    filter: Filter = "lanczos"
    """Pillow's filter for scaling (antialiased, on 8 bits). Without effect on pictures that have their size."""

    def __post_init__(self) -> None:
        """Check that the fields fit together."""
        if not self.sources:
            raise InputError("sources must name at least one folder, shard, list or picture; got none.")
        if (self.size_px is None) != (self.fit == "keep"):
            raise InputError(f"fit {self.fit!r} goes {'without' if self.fit == 'keep' else 'with'} size_px.")
        if self.size_px is not None and min(self.size_px) < 1:
            raise InputError(f"size_px must be a height and a width of at least 1; got {list(self.size_px)}.")


@dataclass(frozen=True)
class Masks:
    """Which masks, and which of them meets which picture."""

    sources: tuple[str, ...]
    """Folders of black and white files, searched recursively, or files; sorted by name within each folder."""
    hole: Literal["white", "black"] = "white"
    """Colour of the hole in the files."""
    fit: Literal["exact", "cover"] = "exact"
    """`exact`: must be of their picture's size. `cover`: resized; a pixel is hole if any of its area is."""
    pairing: Pairing = "in-order"
    """`in-order`: picture x (from 0) gets mask x, the masks starting anew when they run out. `every-mask`: mask x
    goes to picture x, the pictures starting anew. `every-bin`: picture x gets a mask of every bin, number
    x + step × k of the k-th bin that has masks, starting anew; masks beyond the last bin are not used. `same-name`:
    each picture gets the mask with its name."""
    step: int = 0
    """For `every-bin`: by how many masks the bins are shifted against each other."""
    bins: tuple[float, ...] = SIX_BINS
    """Upper ends of the bins, rising, as shares of the picture that are hole; each end belongs to its bin. Holes
    beyond the last get a bin of their own, except with `every-bin`."""

    def __post_init__(self) -> None:
        """Check that the fields fit together."""
        if not self.sources:
            raise InputError("sources must name at least one folder of masks; got none.")
        if not self.bins or list(self.bins) != sorted(set(self.bins)) or not 0 < self.bins[0] <= self.bins[-1] <= 1:
            raise InputError(f"bins must be rising shares in (0, 1]; got {list(self.bins)}.")
        if len({f"{end:g}" for end in self.bins}) < len(self.bins):
            raise InputError(f"bins must differ in their first six digits, to be told apart; got {list(self.bins)}.")
        if self.step < 0 or (self.step and self.pairing != "every-bin"):
            raise InputError(f"step must be at least 0, and goes with pairing 'every-bin' only; got {self.step}.")


@dataclass(frozen=True)
class Measuring:
    """What is measured of each fill."""

    metrics: tuple[str, ...] = ("standard",)
    """Names of measures or of groups of them."""
    image: Literal["composite", "raw"] = "composite"
    """`composite`: known pixels from the true picture. `raw`: the model's answer everywhere; a network then runs once
    on the whole picture, without planning windows."""
    quantisation: Quantisation = "round"
    """`round` to 8 bits, as a saved file; `truncate`, as some published programs do; `none`."""
    worst_by: str = ""
    """Per-pair measure by which the report picks the worst cases; "" = the first measured that has a better side."""

    def __post_init__(self) -> None:
        """Check the names."""
        sided = [name for name in expand(self.metrics)[0] if MEASURES[name].sign]
        if not sided:
            raise InputError(
                f"metrics must hold a measure of pairs by which one is better than another, such as psnr; got "
                f"{', '.join(self.metrics)}."
            )
        if self.worst_by and self.worst_by not in sided:
            raise InputError(f"worst_by must be one of the metrics measured ({', '.join(sided)}); got {self.worst_by}.")

    @property
    def worst(self) -> str:
        """Measure by which the worst cases are picked."""
        return self.worst_by or next(name for name in expand(self.metrics)[0] if MEASURES[name].sign)


@dataclass(frozen=True)
class Detecting:
    """What looks for filled pixels in every result, without being told the mask."""

    model: str
    """Name of a detector, or path of its file."""


@dataclass(frozen=True)
class Protocol:
    """One way of measuring, complete."""

    name: str
    pictures: Pictures
    masks: Masks
    measure: Measuring = field(default_factory=Measuring)
    detector: Detecting | None = None
    """None = no detector looks at the results."""
    about: str = ""
    """What it is for, in a sentence."""
    id: str | None = None
    """What its hash must be, so that nobody measures on other contents unawares; None = whatever it is."""
    folder: Path = Path()
    """Where relative sources start; not part of the file."""

    def __post_init__(self) -> None:
        """Check that tables fit together, and that what the measures need is there."""
        if self.masks.pairing == "every-bin" and self.masks.fit == "cover" and self.pictures.fit == "keep":
            raise InputError(
                "pairing 'every-bin' needs masks whose bins do not depend on the picture; with fit 'keep' for pictures "
                "and 'cover' for masks they do. Give the pictures a size_px, or pair them in another way."
            )
        single, sets = expand(self.measure.metrics)
        wanting = [name for name in single if MEASURES[name].needs == "detector"]
        wanting += [name for name in sets if SET_MEASURES[name].vector == "detector"]
        if wanting and self.detector is None:
            raise InputError(
                f"{', '.join(wanting)} need a detector; the protocol names none. Add a table [detector] with a model, "
                "or take them out of the metrics."
            )


def load_protocol(path: str | Path, data: str | Path | None = None) -> Protocol:
    """Read a protocol.

    Args:
        path: A TOML file.
        data: Folder at which relative sources start; None = the file's own.

    Raises:
        ProtocolError: If the file is missing or no TOML, or a key or value is wrong.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProtocolError(
            f"a protocol must be a readable TOML file; got {path} ({error.strerror}). Check the path."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a protocol must be TOML; {path} is not: {error}.") from error
    if "folder" in values:
        raise ProtocolError("protocol has no key 'folder'. Sources start at the file's folder, or at --data.")
    folder = path.absolute().parent if data is None else Path(data).absolute()
    return replace(build_from_toml(Protocol, values, whole="protocol", error=ProtocolError), folder=folder)
