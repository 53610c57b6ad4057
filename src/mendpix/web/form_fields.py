"""Which fields each form has, for reading it and for OpenAPI. Knows no values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fields:
    """The fields of one form: name to what it means."""

    texts: Mapping[str, str]
    files: Mapping[str, str]

    @property
    def body(self) -> dict[str, Any]:
        """Describe the form for OpenAPI."""
        texts = {name: {"type": "string", "description": meaning} for name, meaning in self.texts.items()}
        files = {
            name: {"type": "string", "format": "binary", "description": meaning} for name, meaning in self.files.items()
        }
        schema = {"type": "object", "properties": {**files, **texts}, "additionalProperties": False}
        return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


IMAGE = {"image": "The picture's file: PNG, JPEG, WebP, TIFF, GIF, BMP, AVIF, JPEG 2000 or PPM."}
PICTURE = {"picture": "Or the id of a picture that the server has."}
MASK = {"mask": "White = fill, black = keep; of exactly the picture's size."}
MASK_PICTURE = {"mask_picture": "Or the id of a picture that is the mask."}
WAIT = {"wait": "false: answer at once with a job. As the header Prefer: respond-async."}
MODEL = {"model": "Name of the model that fills, from GET models."}

PICTURES = Fields({}, IMAGE)

INPAINT = Fields(
    {
        **PICTURE,
        **MASK_PICTURE,
        **MODEL,
        "dilate": "Grow the hole by this many pixels.",
        "finish": "poisson: blend what a model paints into its surroundings; none.",
        "holes": 'Other models for single holes, by number: {"1": "exemplar"}.',
        "exclude_picture": "Id of a picture that is the mask of what must not be copied from.",
        "detect": "false: do not look at the fill.",
        **WAIT,
    },
    {**IMAGE, **MASK, "exclude": "Mask of what must not be copied from, in white."},
)

DETECT = Fields({**PICTURE, **MASK_PICTURE, **WAIT}, {**IMAGE, "mask": "Look in the white part alone."})

RESTORE = Fields(
    {
        **PICTURE,
        **MASK_PICTURE,
        **MODEL,
        "preset": "What to look for: auto, scratches, text, watermark, noise.",
        "sensitivity": "0: mend what is beyond doubt; 1: what is barely suspected.",
        "region": "X,Y,W,H: mend in this part alone; pixels, or shares such as 0,80%,100%,20%.",
        "max_area": "Largest share of the picture that may be changed, up to 1.",
        "dry_run": "true: find only; the answer is the mask.",
        "finder": "What finds damage: network or classical.",
        **WAIT,
    },
    {**IMAGE, "mask": "Mend what is white here, look for nothing: a mask corrected."},
)
