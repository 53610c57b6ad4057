"""What is told about a job: its state, and the stream of events by which it can be watched. Changes nothing."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from mendpix.web import schema
from mendpix.web.bench import Outcome
from mendpix.web.jobs import Job
from mendpix.web.problems import problem_of

KEEP_ALIVE_S = 15.0
"""A stream of events says something at least this often, seconds."""

LEAST_GAP_S = 0.1
"""Two reports of progress are at least this far apart, seconds."""


async def events_of(job: Job) -> AsyncGenerator[bytes]:
    """Write a job's progress as events, until it has ended."""
    told: tuple[object, ...] | None = None
    while True:
        now = (job.status, job.progress, job.stage)
        if job.has_ended:
            break
        if now != told:
            told = now
            yield _event("progress", {"id": job.id, "status": job.status, "progress": job.progress, "stage": job.stage})
            await asyncio.sleep(LEAST_GAP_S)
            continue
        if job.left_s <= 0:
            await job.ended()
        elif not await job.changed(min(KEEP_ALIVE_S, max(job.left_s, 0.01))):
            yield b": still there\n\n"
    yield _event(job.status, state_of(job))


def _event(kind: str, content: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(content)}\n\n".encode()


def state_of(job: Job) -> dict[str, Any]:
    """Tell all about a job."""
    result = job.result.body if isinstance(job.result, Outcome) else job.result
    state: dict[str, Any] = {"id": job.id, "status": job.status, "progress": job.progress, "stage": job.stage}
    if isinstance(result, schema.Filled | schema.Detected | schema.Damage):
        state["result"] = result.model_dump()
    if job.error is not None:
        state["problem"] = problem_of(job.error).content
    return state
