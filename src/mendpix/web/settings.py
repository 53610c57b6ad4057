"""What a server is started with, checked before it starts. Knows no HTTP and no models."""

import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass, field

from mendpix.errors import InputError
from mendpix.image_files import MOST_PX

LOOPBACK_NAMES = ("localhost", "localhost.localdomain")
"""Names that mean this machine alone."""

LEAST_TOKEN = 8
"""Characters that a token has at least: fewer can be tried out."""


@dataclass(frozen=True)
class Settings:
    """Hold what a server is started with."""

    host: str = "127.0.0.1"
    """Address to listen at; other machines are let in only if it is not this machine's own."""
    port: int = 8080
    """Port to listen at; 0 = any that is free."""
    token: str | None = field(default=None, repr=False)
    """What every request has to know; None = nothing."""
    allow_hosts: tuple[str, ...] = ()
    """More names that the server may be called by, besides its own."""
    max_upload_mb: float = 256
    """Largest body of a request, MB."""
    max_megapixels: float = MOST_PX / 1e6
    """Largest picture."""
    deadline_s: float = 600
    """How long a job may take from when it was asked for, waiting included, seconds."""
    queue: int = 16
    """Jobs that may wait."""
    workers: int = 1
    """Jobs that run at a time."""
    threads: int | None = None
    """Threads for one run of a network; None = one per core."""
    model: str = "auto"
    """What fills where a request names nothing: a name, or the path of a model file."""
    keep_mb: float = 1024
    """Memory for pictures that somebody may ask for again, MB; those that were unused for longest go first."""
    keep_minutes: float = 240
    """How long a picture is kept that nobody asks for."""

    def __post_init__(self) -> None:
        for name in ("max_upload_mb", "max_megapixels", "deadline_s", "keep_mb", "keep_minutes"):
            if not 0 < getattr(self, name) < 1e9:  # a NaN is not
                raise InputError(f"{name} must be above 0; got {getattr(self, name)}. Leave it away for the default.")
        if self.max_megapixels > MOST_PX / 1e6:
            raise InputError(
                f"max_megapixels must be at most {MOST_PX / 1e6:g}, which is all that is ever opened; got"
                f" {self.max_megapixels:g}. Give less."
            )
        if not (0 <= self.port <= 65535 and self.queue >= 0 and self.workers >= 1):
            raise InputError(
                f"port must be 0 to 65535, queue 0 or more and workers 1 or more; got {self.port}, {self.queue} and"
                f" {self.workers}. Leave them away for the defaults."
            )
        if self.token is not None and (len(self.token) < LEAST_TOKEN or not _is_plain(self.token)):
            raise InputError(
                f"a token must be at least {LEAST_TOKEN} letters, digits, dots, lines or underscores; got"
                f" {len(self.token)} characters. Leave it away, and a good one is made."
            )
        for name in self.allow_hosts:
            if not (re.fullmatch(r"[\w.-]*\w", name) or _is_address(name.strip("[]"))):
                raise InputError(
                    f"allow_hosts must be bare names such as photos.example.org; got {name!r}. Leave away http://, the"
                    " port and the path."
                )

    @property
    def max_upload_bytes(self) -> int:
        """Give the largest body of a request, bytes."""
        return int(self.max_upload_mb * 1e6)

    @property
    def max_px(self) -> int:
        """Give the largest picture, px."""
        return int(self.max_megapixels * 1e6)

    @property
    def is_local(self) -> bool:
        """Tell whether only programs on this machine can reach it; a name of its own means that others are let in."""
        return is_loopback(self.host) and all(is_loopback(name.strip("[]")) for name in self.allow_hosts)


def is_loopback(host: str) -> bool:
    """Tell whether a name or address means this machine alone.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback("::1"), is_loopback("LOCALHOST")
        (True, False, True, True)
    """
    if _is_address(host):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() in LOOPBACK_NAMES


def make_token() -> str:
    """Make a token that cannot be guessed."""
    return secrets.token_urlsafe(24)


def own_names(settings: Settings) -> frozenset[str]:
    """List the names, in lower case, that the server may be called by; addresses are no names.

    Another website can make its own name mean this machine; a browser then sends that name, which is not in the list.
    """
    names = {*LOOPBACK_NAMES, settings.host.lower(), *(name.lower().strip("[]") for name in settings.allow_hosts)}
    if not is_loopback(settings.host):
        host = socket.gethostname().lower()
        names |= {host, f"{host}.local", socket.getfqdn().lower()}
    return frozenset(names)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_plain(text: str) -> bool:
    return text.isascii() and all(character.isalnum() or character in "-_.~" for character in text)
