"""The door: which requests come in at all, and what every answer says about itself. Knows no routes.

A page on another website must not be able to drive a server that runs on its visitor's machine. So the server answers
to its own names only (`Host`), takes nothing that changes or costs something from a foreign page (`Origin`,
`Sec-Fetch-Site`), and never says that others may read its answers.
"""

import asyncio
import hmac
import ipaddress
import logging
import time
from collections.abc import Iterator
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mendpix.web.problems import ProblemError
from mendpix.web.settings import Settings, is_loopback, own_names

log = logging.getLogger("mendpix.web")

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

COOKIE = "mendpix_token"
"""Cookie that holds the token in a browser."""

PATIENCE_S = 30.0
"""How long a client may send nothing in the middle of a body, seconds."""

LEAST_BYTES_PER_S = 16_000
"""How fast a body must come, after the patience is over: what it may hold is kept free for it all the time."""

SLICE_BYTES = 256 * 1024
"""Large answers are handed over in slices of this size, so that a client that reads slowly costs no copy of it all."""

DRAIN_FACTOR, DRAIN_S = 4, 20.0
"""A refused body is read to its end, up to this many times the largest, and this long: else the client sees a broken
connection instead of the answer."""

FOREIGN = "a page of another website must not use this server; open its own page instead."

DOOR = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>mendpix: token</title>
</head>
<body>
<main>
<h1>mendpix</h1>
<p>WORDS Open the link that the server printed where it was started, or type the token here.</p>
<form method="get" action="/">
<label>Token <input name="token" type="password" autocomplete="current-password" required></label>
<button>Open</button>
</form>
</main>
</body>
</html>
"""
"""The page of a server that asks for its token."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
    " connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""What every answer says."""


class Guard:
    """Stands before the application. One for a server."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._names = own_names(settings)
        self._incoming = 0  # bytes of bodies that requests under way may still hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        body = _Body(receive, Headers(scope=scope), self._settings.max_upload_bytes)
        answer = _Answer()

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.drain()
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            for part in _sliced(message):
                await send(part)
            answer.ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        headers = Headers(scope=scope)
        reserved = 0
        try:
            self._check_host(headers)
            if await self._check_token(scope, headers, receive, dressed):
                return
            self._check_origin(scope, headers)
            body.check()
            if scope["method"] not in SAFE_METHODS:  # nobody reads the body of the others
                reserved = self._reserve(body.announced)
            await self._app(scope, body.receive, dressed)
        except ProblemError as problem:
            await problem.response()(scope, receive, dressed)
        except Exception:  # our own bug, which the application has answered with 500
            log.exception("a request failed")
            if not answer.ended:
                raise
        finally:
            self._incoming -= reserved

    def _check_host(self, headers: Headers) -> None:
        """Refuse a name that is not ours: another website may have made its own name mean this machine."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not hosts[0]:
            raise ProblemError(400, f"a request must name one host; got {len(hosts)}. Send one Host header.")
        name = _host_name(hosts[0])
        if name is None:
            raise ProblemError(
                400, f"a host must be a name or an address; got {hosts[0][:80]!r}. Correct the Host header."
            )
        if name in self._names:
            return
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            address = None
        # A foreign page cannot come under a bare address that it does not own.
        if address is not None and (is_loopback(name) or not is_loopback(self._settings.host)):
            return
        raise ProblemError(
            421,
            f"this server must be called by its own name; got {name[:80]!r}. Start it with --allow-host {name[:80]}.",
        )

    async def _check_token(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> bool:
        """Ask for the token, if there is one; a link that has it gets a cookie.

        Returns:
            True if the request has been answered.
        """
        token = self._settings.token
        if token is None:
            return False
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if scope["path"] == "/" and scope["method"] == "GET" and "token" in query:
            if not _same(query.pop("token")[0], token):
                wrong = "the token in the link must be that of the server; it is another. Copy the link anew."
                return await _refuse_at_door(wrong, "This is another token.", headers, scope, receive, send)
            rest = urlencode(query, doseq=True)
            secure = "; Secure" if scope["scheme"] == "https" else ""  # a proxy on this machine said so
            headers_ = [
                (b"location", b"/" + (f"?{rest}".encode() if rest else b"")),
                (b"set-cookie", f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/{secure}".encode()),
                (b"content-length", b"0"),
            ]
            await send({"type": "http.response.start", "status": 303, "headers": headers_})
            await send({"type": "http.response.body", "body": b""})
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(given.strip(), token):
            return False
        if _same(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""), token):
            return False
        missing = (
            "this server must be opened with its token; got none or another. Open the link that the server printed, or"
            " send Authorization: Bearer TOKEN."
        )
        return await _refuse_at_door(missing, "This page needs its token.", headers, scope, receive, send)

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Refuse what a foreign page sends."""
        site = headers.get("sec-fetch-site", "none").lower()
        foreign = site not in ("none", "same-origin")
        origin = headers.get("origin")
        if scope["method"] in SAFE_METHODS:
            if foreign and scope["path"].startswith("/api/"):
                raise ProblemError(403, FOREIGN)
            return
        if origin is not None:
            foreign = foreign or not _is_same_origin(origin, headers["host"])
        if foreign:
            raise ProblemError(403, FOREIGN)

    def _reserve(self, announced: int) -> int:
        """Take room for a body out of what all of them together may hold."""
        if announced and self._incoming + announced > 2 * self._settings.max_upload_bytes:
            raise ProblemError(
                503, "too many large uploads are under way; try again in a few seconds.", headers={"Retry-After": "5"}
            )
        self._incoming += announced
        return announced


class _Answer:
    """How far an answer is."""

    ended = False


class _Body:
    """A request's body: counted, and hurried."""

    def __init__(self, receive: Receive, headers: Headers, most: int) -> None:
        self._receive, self._most, self._count = receive, most, 0
        self._length = headers.get("content-length")
        self._chunked = "transfer-encoding" in headers
        self._continues = "expect" in headers
        self._ended = not self._chunked and self._length in (None, "0")
        self._ends = 0.0

    @property
    def announced(self) -> int:
        """Give the bytes that will come at most."""
        if self._chunked:
            return self._most
        return int(self._length or 0)

    def check(self) -> None:
        """Refuse what is announced to be too large.

        Raises:
            ProblemError: 400 or 413.
        """
        if self._length is not None and not (self._length.isascii() and self._length.isdigit()):
            raise ProblemError(400, "Content-Length must be a number; got something else. Send the length in bytes.")
        if not self._chunked and self.announced > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        """Receive the next part.

        Raises:
            ProblemError: 413 if it is more than may come, 408 if it does not come, or far too slowly.
        """
        if self._ended:
            return await self._receive()
        now = time.monotonic()
        self._ends = self._ends or now + PATIENCE_S + self.announced / LEAST_BYTES_PER_S
        try:
            message = await asyncio.wait_for(self._receive(), max(min(PATIENCE_S, self._ends - now), 0))
        except TimeoutError:
            self._ended = True
            raise ProblemError(
                408,
                f"a request's body must come without gaps of {PATIENCE_S:g} s, and with"
                f" {LEAST_BYTES_PER_S // 1000} kB a second at least; it did not. Send it again.",
            ) from None
        self._note(message)
        if self._count > self._most:
            raise self._too_large()
        return message

    async def drain(self) -> None:
        """Read what nobody wants, so that the client comes to read the answer."""
        most = DRAIN_FACTOR * self._most
        if self._ended or (self._continues and not self._count) or (not self._chunked and self.announced > most):
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self._ended and self._count <= most:
                    self._note(await self._receive())
        except TimeoutError:
            pass

    def _note(self, message: Message) -> None:
        if message["type"] != "http.request":
            self._ended = True
            return
        self._count += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)

    def _too_large(self) -> ProblemError:
        return ProblemError(
            413,
            f"a request may have at most {self._most / 1e6:g} MB; got more. Send a smaller file, or start the server"
            " with a larger --max-upload-mb.",
        )


def _sliced(message: Message) -> Iterator[Message]:
    """Cut the body in a message into slices."""
    content = message.get("body", b"")
    if len(content) <= SLICE_BYTES:
        yield message
        return
    for start in range(0, len(content), SLICE_BYTES):
        more = start + SLICE_BYTES < len(content) or message.get("more_body", False)
        yield {"type": message["type"], "body": content[start : start + SLICE_BYTES], "more_body": more}


def _host_name(host: str) -> str | None:
    """Take the name out of `name:port`, in lower case; None if it is neither."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None or not parts.hostname:
        return None
    return parts.hostname.lower().removesuffix(".") or None


def _is_same_origin(origin: str, host: str) -> bool:
    """Tell whether a page at `origin` belongs to the server that was called as `host`."""
    try:
        page = urlsplit(origin)
        return page.scheme in ("http", "https") and page.netloc.lower() == host.lower()
    except ValueError:
        return False


async def _refuse_at_door(
    detail: str, words: str, headers: Headers, scope: Scope, receive: Receive, send: Send
) -> bool:
    """Answer a person who opens the page with one that asks for the token; refuse everybody else.

    Args:
        detail: What programs are told.
        words: What the person is told first.
        headers: Of the request.
        scope: The request, as all of the following.
        receive: Its body.
        send: Takes the answer.

    Returns:
        True: the request has been answered.

    Raises:
        ProblemError: If it is not a browser that opens the page.
    """
    if scope["path"] != "/" or scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
        raise ProblemError(401, detail, headers={"WWW-Authenticate": "Bearer"})
    await HTMLResponse(DOOR.replace("WORDS", escape(words)), 401, {"Cache-Control": "no-store"})(scope, receive, send)
    return True


def _same(given: str, token: str) -> bool:
    """Compare in a time that tells nothing about how much is right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
