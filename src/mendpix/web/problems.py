"""What can go wrong with a request, as RFC 9457 writes it: `application/problem+json`. Knows no routes and no pictures.

Every problem has one sentence (`detail`) that a person can act on; a page may show it as it is.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from mendpix.errors import DamageAreaError, ImageError, InputError, MendpixError, MissingExtraError, ModelError

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """Be the answer to a request that cannot be done."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        """Describe what is wrong.

        Args:
            status: HTTP status.
            detail: One sentence: expected, got, way out.
            headers: More headers of the answer, such as `Retry-After`.
            more: More members of the JSON object.
        """
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.content: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            **(more or {}),
        }

    def response(self) -> Response:
        """Make the answer."""
        headers = {"Cache-Control": "no-store", **self.headers}
        content = json.dumps(self.content, ensure_ascii=False).encode()
        return Response(content, self.status, media_type=MEDIA_TYPE, headers=headers)


class GoneError(ProblemError):
    """Say that there is no picture or job of this name, or no more."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(404, f"there is no such {what}, or it was let go; {way_out}")


def problem_of(error: BaseException) -> ProblemError:
    """Put an error of the library into an answer; what is not one is our own bug, and says nothing of its inside."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, DamageAreaError):
        return ProblemError(409, one_line(error))
    if isinstance(error, ImageError | ModelError | InputError | MissingExtraError):
        return ProblemError(422, one_line(error))
    if isinstance(error, MendpixError):
        return ProblemError(422, one_line(error))
    if isinstance(error, MemoryError):
        return ProblemError(
            507, "the work needs more memory than there is; give a smaller picture, or try again when less is running."
        )
    return ProblemError(500, "something went wrong in the server, which is a bug; the server's own output tells more.")


def one_line(error: BaseException) -> str:
    """Write an error's message on one line."""
    return " ".join(str(error).split())
