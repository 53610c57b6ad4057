"""What the HTTP interface says and is told, field by field, for OpenAPI. Knows no pictures and does no work."""

from typing import Literal

from pydantic import BaseModel, Field

Box = tuple[int, int, int, int]
"""X, Y, width and height, px of the upright picture."""


class Queue(BaseModel):
    """How busy the server is."""

    running: int
    waiting: int
    limit: int = Field(description="Jobs that may wait; more are refused with 429.")


class Health(BaseModel):
    """That the server is there."""

    status: Literal["ok", "stopping"]
    version: str
    queue: Queue
    memory_bytes: int = Field(description="Memory of the whole process.")


class Model(BaseModel):
    """A model that can be named in requests."""

    name: str
    kind: str = Field(description="choice, generator and classical fill; detector and damage look.")
    description: str
    available: bool
    default: bool = Field(description="Used where a request names none.")


class Models(BaseModel):
    """All models."""

    models: list[Model]


class Picture(BaseModel):
    """A picture that the server keeps for a while."""

    id: str
    width: int = Field(description="Of the upright picture, px.")
    height: int
    mode: str
    bits: int
    format: str
    name: str
    bytes: int = Field(description="Size of the uploaded file.")
    preview: str
    file: str


class Hole(BaseModel):
    """One filled hole."""

    number: int = Field(description="From 1, in reading order; what the field `holes` takes.")
    box: Box
    area: int = Field(description="Pixels.")
    model: str
    why: str


class Region(BaseModel):
    """A connected area that looks filled."""

    box: Box
    mean: float = Field(description="Mean of the map in it, 0 to 1.")
    area: int = Field(description="Pixels.")


class Filled(BaseModel):
    """A filled picture, and what is known about it."""

    picture: Picture
    score: float | None = Field(description="0 = nothing in the holes looks filled, 1 = all does; null: nobody looked.")
    holes: list[Hole]
    regions: list[Region] = Field(description="What looks filled, the largest first, at most 20.")
    notes: list[str]
    seconds: float
    stages: dict[str, float] = Field(description="Seconds by stage.")
    share: float = Field(description="Share of the picture that was filled, 0 to 1.")
    artifacts: str | None = Field(description="Address of the map.")
    hole: str = Field(description="Address of the mask that was filled.")


class Detected(BaseModel):
    """How much of a picture looks filled, and where."""

    score: float
    regions: list[Region]
    artifacts: str
    picture: Picture
    seconds: float


class Damage(BaseModel):
    """What would be mended."""

    share: float = Field(description="Share of the picture, 0 to 1.")
    mask: str = Field(description="Address of the mask.")
    mask_picture: str = Field(description="Its id, for the field `mask_picture`.")
    notes: list[str]
    picture: Picture
    seconds: float


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="One sentence: what was expected, what came, the way out.")


class DamageProblem(Problem):
    """That more looks damaged than may be changed (409)."""

    share: float = Field(description="Share of the picture, 0 to 1.")
    mask: str = Field(description="Address of the mask.")
    mask_picture: str = Field(description="Its id, for the field `mask_picture`.")


class Accepted(BaseModel):
    """A job that was taken on."""

    id: str
    status: str
    events: str = Field(description="Address of its events.")
    result: str = Field(description="Address of the job, which has the result once it is done.")


class JobState(BaseModel):
    """Where a job is."""

    id: str
    status: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress: float = Field(description="Share done, 0 to 1.")
    stage: str
    result: Filled | Detected | Damage | None = None
    problem: DamageProblem | Problem | None = None
