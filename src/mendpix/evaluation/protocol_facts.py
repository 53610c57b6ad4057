"""Say a protocol in words, as it stands above every table. Reads no file."""

from pathlib import Path

from mendpix.evaluation.protocol import Detecting, Protocol


def describe(
    protocol: Protocol, pictures: tuple[int, int, str], masks_: tuple[int, str], pairs: int, detector: str | None
) -> tuple[str, ...]:
    """Write the protocol in words."""
    look, holes, measure = protocol.pictures, protocol.masks, protocol.measure
    used, found, picture_hash = pictures
    some = "all" if used == found else "at equal distances in the list"
    if look.size_px is None:
        size = "pictures keep their own sizes"
    else:
        how = {
            "exact": "nothing is resized",
            "crop": f"scaled to cover it ({look.filter}, Pillow, 8 bits), centre",
            "stretch": f"stretched to it ({look.filter}, Pillow, 8 bits)",
        }[look.fit]
        size = f"{look.size_px[0]} × {look.size_px[1]} px, {how}"
    place = f"x + {holes.step} k" if holes.step else "x"
    way = {
        "in-order": "picture x gets mask x, masks starting anew when they run out",
        "every-mask": "mask x goes to picture x, pictures starting anew when they run out",
        "every-bin": f"picture x gets mask {place} of the k-th bin, starting anew when a bin runs out; "
        "masks beyond the last bin are not used",
        "same-name": "a picture gets the mask with its name",
    }[holes.pairing]
    shown = {
        "composite": "composite (known pixels from the true picture)",
        "raw": "raw answer (networks run once on the whole picture)",
    }[measure.image]
    rounding = {"round": "rounded to 8 bits", "truncate": "truncated to 8 bits", "none": "not quantised"}
    return (
        f"pictures: {used} of {found} ({some}), sha256 {picture_hash}",
        f"masks: {masks_[0]}, sha256 {masks_[1]}, hole = {holes.hole}"
        + (", resized so that nothing of a hole is lost" if holes.fit == "cover" else ""),
        f"pairs: {pairs}; {way}",
        "bins: share of the picture that is hole, upper ends " + ", ".join(f"{end:g}" for end in holes.bins),
        f"size: {size}",
        f"measured: {shown}, {rounding[measure.quantisation]}; the hole's content is zeroed before filling",
        *([_describe_detector(protocol.detector, detector)] if protocol.detector and detector else ()),
    )


def _describe_detector(settings: Detecting, content: str) -> str:
    return f"detector: {Path(settings.model).stem}, sha256 {content}, looks at what is measured and knows no mask"
