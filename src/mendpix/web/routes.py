"""The addresses under `/api/v1`: read what a request asks for, have it done, answer. Opens no file."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, get_args
from urllib.parse import quote

import anyio
import numpy as np
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

import mendpix
from mendpix.inference.opened import Finish
from mendpix.masks import read_excluded, read_mask
from mendpix.restoration.presets import Preset
from mendpix.restoration.restore import MAX_AREA
from mendpix.restoration.sensitivity import SENSITIVITY
from mendpix.web import answers, schema
from mendpix.web.bench import API, Bench, FillOrder, Outcome, RestoreOrder, Work, told_picture
from mendpix.web.form_fields import DETECT, INPAINT, PICTURES, RESTORE, Fields
from mendpix.web.forms import Form, read_box, read_form
from mendpix.web.job_answers import events_of, state_of
from mendpix.web.jobs import Job, Jobs, stopping
from mendpix.web.memory import resident_bytes
from mendpix.web.pictures import PackedMask, Pictures, Stored
from mendpix.web.previews import Pixels, cut, decode_plane, encode_pixels, encode_plane
from mendpix.web.problems import GoneError, ProblemError, problem_of

LARGEST_PREVIEW_PX = 8192
"""Longer side of a preview at most, px."""

MOST_GROWN_PX = 1000
"""How far a mask may be grown, px."""

AT_A_TIME = 2
"""Pictures that are decoded or encoded at a time, besides the jobs."""

Px = Annotated[int, Query(ge=1, le=LARGEST_PREVIEW_PX, description="Longer side of the answer at most, px.")]
Cut = Annotated[str | None, Query(description="X,Y,W,H: show this part alone, px.", max_length=60)]

T = TypeVar("T")


class Desk:
    """Answers requests. One for a server."""

    def __init__(self, bench: Bench, pictures: Pictures, jobs: Jobs) -> None:
        self._bench, self._pictures, self._jobs = bench, pictures, jobs
        self._limiter = anyio.CapacityLimiter(AT_A_TIME)
        self.closing = False
        """Whether the server is stopping."""

    def router(self) -> APIRouter:
        """List the addresses."""
        router = APIRouter(prefix=API, responses=answers.PROBLEMS)
        get, post, delete = router.get, router.post, router.delete
        filled = schema.Filled | schema.Damage
        get("/health", summary="Is the server there?")(self.health)
        get("/models", summary="Which models can be named?")(self.models)
        post(
            "/pictures",
            status_code=201,
            response_model=schema.Picture,
            responses=answers.UPLOADED,
            openapi_extra=PICTURES.body,
        )(self.upload)
        get("/pictures/{name}/preview", response_class=Response, responses=answers.PREVIEW)(self.preview)
        get("/pictures/{name}/file", response_class=Response, responses=answers.FILE)(self.file)
        get("/pictures/{name}/artifacts", response_class=Response, responses=answers.PLANE)(self.artifacts)
        get("/pictures/{name}/hole", response_class=Response, responses=answers.PLANE)(self.hole)
        delete("/pictures/{name}", status_code=204)(self.drop)
        for address, model, responses, fields, answer in (
            ("/inpaint", schema.Filled, answers.INPAINT, INPAINT, self.inpaint),
            ("/detect", schema.Detected, answers.DETECT, DETECT, self.detect),
            ("/restore", filled, answers.RESTORE, RESTORE, self.restore),
        ):
            post(address, response_model=model, responses=responses, openapi_extra=fields.body)(answer)
        get("/jobs/{name}", response_model=schema.JobState)(self.job)
        get("/jobs/{name}/events", response_class=StreamingResponse, responses=answers.EVENTS)(self.events)
        delete("/jobs/{name}", response_model=schema.JobState)(self.cancel)
        return router

    async def health(self) -> schema.Health:
        """Tell that the server is there, and how busy it is."""
        return schema.Health(
            status="stopping" if self.closing else "ok",
            version=mendpix.__version__,
            queue=schema.Queue(running=self._jobs.running, waiting=self._jobs.waiting, limit=self._jobs.queue),
            memory_bytes=resident_bytes(),
        )

    async def models(self) -> schema.Models:
        """List the models and what each is good for."""
        return schema.Models(models=self._bench.models())

    async def upload(self, request: Request) -> Response:
        """Keep a picture, to name it in later requests."""
        form = await self._form(request, PICTURES)
        stored = await self._picture(form)
        content = told_picture(stored).model_dump_json()
        return Response(content, 201, {"Location": f"{API}/pictures/{stored.id}/file"}, "application/json")

    async def preview(self, name: str, px: Px = 2048, box: Cut = None, format: str = "jpeg") -> Response:  # noqa: A002 - the query's name
        """Show a picture, or a part of it, scaled down to `px`. `format=png` loses nothing."""
        stored, part = self._pictures.find(name), read_box(box)
        if format not in ("jpeg", "png"):
            raise ProblemError(422, f"format must be jpeg or png; got {format[:40]!r}.")

        def draw() -> tuple[bytes, str]:
            pixels = cut(self._pictures.pixels(stored), part, px)
            _check_part(pixels)
            return encode_pixels(pixels, lossless=format == "png")

        content, kind = await self._aside(draw)
        return Response(content, media_type=kind)

    async def file(self, name: str) -> Response:
        """Give a picture in the format that it was uploaded in, with its metadata."""
        return await self._send_file(self._pictures.find(name))

    async def artifacts(self, name: str, px: Px = LARGEST_PREVIEW_PX, box: Cut = None) -> Response:
        """Give the map of what looks filled, grey: white = looks filled."""
        stored = self._pictures.find(name)
        whole = content = stored.artifacts
        if whole is None:
            raise GoneError("map of this picture", "ask for it with POST detect.")
        if box is not None or max(stored.width, stored.height) > px:
            content = await self._aside(lambda: _shown_plane(decode_plane(whole), read_box(box), px))
        return Response(content, media_type="image/png")

    async def hole(self, name: str, px: Px = LARGEST_PREVIEW_PX, box: Cut = None) -> Response:
        """Give the mask that was filled, white = filled."""
        hole = self._pictures.find(name).hole
        if hole is None:
            raise GoneError("mask of this picture", "nothing was filled in it.")
        content = await self._aside(lambda: _shown_plane(_white(hole), read_box(box), px))
        return Response(content, media_type="image/png")

    async def drop(self, name: str) -> Response:
        """Forget a picture."""
        self._pictures.drop(name)
        return Response(status_code=204)

    async def inpaint(self, request: Request) -> Response:
        """Fill the holes of a picture: white in the mask is filled, black stays as it is, bit for bit."""
        form = await self._form(request, INPAINT)
        dilate_px = form.number("dilate", 0, 0, MOST_GROWN_PX)
        finish: Finish = form.word("finish", "none", get_args(Finish))  # pyright: ignore[reportAssignmentType]
        detects, model, holes = form.flag("detect", True), form.text("model"), form.numbered("holes")
        waits = self._waits(request, form)
        stored = await self._picture(form)
        hole = await self._mask(form, "mask", stored, dilate_px=dilate_px)
        if hole is None:
            raise ProblemError(
                400, "a request to fill must have a mask or a mask_picture; got neither. Draw one in white."
            )
        exclude = await self._mask(form, "exclude", stored)
        order = FillOrder(stored, hole, model, dilate_px, finish, holes, exclude, detects)
        return await self._answer(request, self._bench.fill(order), waits, self._send_filled)

    async def detect(self, request: Request) -> Response:
        """Tell for each pixel how likely it was filled in, whoever filled it; with a mask, in the mask alone."""
        form = await self._form(request, DETECT)
        waits = self._waits(request, form)
        stored = await self._picture(form)
        hole = await self._mask(form, "mask", stored)
        return await self._answer(request, self._bench.detect(stored, hole), waits, self._send_map)

    async def restore(self, request: Request) -> Response:
        """Find damage and mend it, or mend what a mask marks; a dry run finds only."""
        form = await self._form(request, RESTORE)
        region = form.text("region")
        dry_run = form.flag("dry_run", False)
        preset: Preset = form.word("preset", "auto", get_args(Preset))  # pyright: ignore[reportAssignmentType]
        sensitivity = form.number("sensitivity", SENSITIVITY, 0, 1)
        max_area = form.number("max_area", MAX_AREA, 1e-6, 1)
        waits = self._waits(request, form)
        stored = await self._picture(form)
        order = RestoreOrder(
            picture=stored,
            hole=await self._mask(form, "mask", stored, may_be_empty=True),
            preset=preset,
            sensitivity=sensitivity,
            region=None if region is None else region.split(","),
            max_area=max_area,
            dry_run=dry_run,
            finder=form.text("finder"),
            model=form.text("model"),
        )
        return await self._answer(request, self._bench.restore(order), waits, self._send_filled)

    async def job(self, name: str) -> Response:
        """Tell where a job is; with its result once it is done."""
        return _json(state_of(self._find_job(name)))

    async def events(self, name: str) -> Response:
        """Tell how a job goes on, as server-sent events: progress, and at last done, failed or cancelled."""
        headers = {"X-Accel-Buffering": "no"}  # nginx would hold the events back
        return StreamingResponse(events_of(self._find_job(name)), headers=headers, media_type="text/event-stream")

    async def cancel(self, name: str) -> Response:
        """Stop a job."""
        job = self._find_job(name)
        self._jobs.cancel(job)
        return _json(state_of(job))

    async def _form(self, request: Request, fields: Fields) -> Form:
        if self.closing:
            raise stopping()
        if fields is not PICTURES:
            self._jobs.check_room()
        return await read_form(request, texts=fields.texts, files=fields.files)

    async def _picture(self, form: Form) -> Stored:
        """Find the picture that a request is about, or keep the one that it brings."""
        name, file = form.text("picture"), form.files.get("image")
        if (name is None) == (file is None):
            got = "neither" if file is None else "both"
            raise ProblemError(400, f"a request must have an image (a file) or a picture (an id); got {got}.")
        if file is None:
            return self._pictures.find(name or "")
        return await self._aside(lambda: self._pictures.add_file(file.data, file.name))

    async def _mask(
        self, form: Form, field: str, stored: Stored, *, dilate_px: float = 0, may_be_empty: bool = False
    ) -> PackedMask | None:
        """Read a mask, as a file or as the id of a picture; None if there is none.

        It is grown only to see whether that works: the work itself grows it.
        """
        file, name = form.files.get(field), form.text(f"{field}_picture")
        if file is not None and name is not None:
            raise ProblemError(400, f"a request must have {field} or {field}_picture; got both. Leave one away.")
        if file is None and name is None:
            return None
        kept = None if name is None else self._pictures.find(name)
        size = (stored.height, stored.width)

        def read() -> PackedMask:
            if file is None:
                assert kept is not None
                picture = self._pictures.open(kept)
            else:
                picture = self._pictures.decode(file.data, file.name or f"{field}.png", size=size)
            if field == "exclude":
                return PackedMask.of(read_excluded(picture, size))
            hole = read_mask(picture, size, may_be_empty=may_be_empty)
            if dilate_px:
                read_mask(hole, size, dilate_px=dilate_px)
            return PackedMask.of(hole)

        return await self._aside(read)

    def _waits(self, request: Request, form: Form) -> bool:
        return form.flag("wait", "respond-async" not in request.headers.get("prefer", "").lower())

    async def _answer(
        self, request: Request, work: Work, waits: bool, send: Callable[[Stored, Outcome], Any]
    ) -> Response:
        """Have work done, and answer with what came out, or at once with where to ask for it."""
        if not waits:
            job = self._jobs.submit(lambda progress: work(progress).body)
            address = f"{API}/jobs/{job.id}"
            told = schema.Accepted(id=job.id, status=job.status, events=f"{address}/events", result=address)
            return _json(told.model_dump(), 202, {"Location": address, "Preference-Applied": "respond-async"})
        job = self._jobs.submit(work)
        try:
            await self._until_ended(job, request)
            outcome, error = job.result, job.error
            if job.status == "cancelled":
                raise stopping()  # or the client went away, and does not read this
        finally:
            if not job.has_ended:
                self._jobs.cancel(job)
            self._jobs.forget(job)
        if error is not None:
            raise problem_of(error)
        assert isinstance(outcome, Outcome)
        if "application/json" in request.headers.get("accept", "").lower():
            return _json(outcome.body.model_dump())
        return await send(outcome.picture, outcome)

    async def _until_ended(self, job: Job, request: Request) -> None:
        """Wait for a job as long as the client does; if it goes away, the job is cancelled."""
        ended = asyncio.ensure_future(job.ended())
        left = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait((ended, left), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                self._jobs.cancel(job)
                await ended
        finally:
            for task in (ended, left):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _send_file(self, stored: Stored) -> Response:
        content, name, kind = await self._aside(lambda: self._pictures.file(stored))
        plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
        return Response(content, headers={"Content-Disposition": disposition}, media_type=kind)

    async def _send_filled(self, stored: Stored, outcome: Outcome) -> Response:
        response = await self._send_file(stored)
        assert isinstance(outcome.body, schema.Filled | schema.Damage)
        if isinstance(outcome.body, schema.Filled) and outcome.body.score is not None:
            response.headers["Mendpix-Score"] = f"{outcome.body.score:.6f}"
        response.headers["Mendpix-Picture"] = stored.id
        response.headers["Mendpix-Notes"] = json.dumps(outcome.body.notes)
        return response

    async def _send_map(self, stored: Stored, outcome: Outcome) -> Response:
        assert isinstance(outcome.body, schema.Detected)
        headers = {"Mendpix-Score": f"{outcome.body.score:.6f}", "Mendpix-Picture": stored.id}
        return Response(stored.artifacts, headers=headers, media_type="image/png")

    def _find_job(self, name: str) -> Job:
        job = self._jobs.find(name)
        if job is None:
            raise GoneError("job", "send the request again.")
        return job

    async def _aside(self, work: Callable[[], T]) -> T:
        """Decode or encode in another thread, few at a time."""
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


def _json(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content, allow_nan=False), status, headers, "application/json")


async def _disconnected(request: Request) -> None:
    """Wait until the client goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_part(pixels: Pixels) -> None:
    if 0 in pixels.shape:
        raise ProblemError(422, "a box must lie in its picture; this one lies beside it.")


def _white(hole: PackedMask) -> Pixels:
    return np.where(hole.array, np.uint8(255), np.uint8(0))


def _shown_plane(plane: Pixels, part: tuple[int, int, int, int] | None, px: int) -> bytes:
    shown = cut(plane, part, px)
    _check_part(shown)
    return encode_plane(shown)
