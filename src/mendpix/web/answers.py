"""What each address may answer, for OpenAPI: status, kind of content, headers. Makes no answer itself."""

from typing import Any

from mendpix.web import schema
from mendpix.web.problems import MEDIA_TYPE

Answers = dict[int | str, dict[str, Any]]
"""Description of each answer, by status."""

BYTES = {"schema": {"type": "string", "format": "binary"}}


def _problem(name: str) -> dict[str, Any]:
    return {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _header(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "schema": {"type": "string"}}


def _bytes(meaning: str, *kinds: str, **headers: str) -> Answers:
    told = {name.replace("_", "-"): _header(text) for name, text in headers.items()}
    return {200: {"description": meaning, "content": dict.fromkeys(kinds, BYTES), "headers": told}}


PROBLEMS: Answers = {"default": {"description": "What is wrong.", "content": _problem("Problem")}}

ACCEPTED: Answers = {
    202: {
        "model": schema.Accepted,
        "description": "With wait=false or Prefer: respond-async: a job.",
        "headers": {"Location": _header("Address of the job.")},
    }
}

NAME = "The file's name."
SCORE = "0 = nothing looks filled, 1 = all does; missing if nobody looked."
PICTURE = "Id of the picture."
NOTES = "A JSON list of sentences."

UPLOADED: Answers = {
    201: {"description": "The picture.", "headers": {"Location": _header("Address of the picture's file.")}}
}
PREVIEW = _bytes("The picture, scaled down.", "image/jpeg", "image/png")
FILE = _bytes("The file.", "image/*", Content_Disposition=NAME)
PLANE = _bytes("A grey picture of 8 bits.", "image/png")
EVENTS = _bytes("Events: progress, then done, failed or cancelled; the data is a JobState.", "text/event-stream")

INPAINT: Answers = {
    **_bytes(
        "The filled picture's file; JSON with Accept: application/json.",
        "image/*",
        Content_Disposition=NAME,
        Mendpix_Score=SCORE,
        Mendpix_Picture=PICTURE,
        Mendpix_Notes=NOTES,
    ),
    **ACCEPTED,
}
DETECT: Answers = {
    **_bytes("The map; JSON with Accept: application/json.", "image/png", Mendpix_Score=SCORE, Mendpix_Picture=PICTURE),
    **ACCEPTED,
}
RESTORE: Answers = {
    **INPAINT,
    200: {**INPAINT[200], "description": "The mended picture's file, of a dry run the mask; JSON with Accept."},
    409: {"description": "More than max_area looks damaged.", "content": _problem("DamageProblem")},
}
