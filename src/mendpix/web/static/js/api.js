// Talks to the server: one function per thing that can be asked. Knows the HTTP contract, and nothing of the page.

const ROOT = "/api/v1";

/** What the server, or the way to it, had against a request, in a sentence for people. */
export class Problem extends Error {
  constructor(detail, status = 0, facts = {}) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.facts = facts;
  }
}

/** True if the server no longer holds what was asked for: it lets go of old pictures, and of all when it stops. */
export const isGone = (error) => error instanceof Problem && error.status === 404;

/** True if it was the visitor who stopped it. */
export const wasCancelled = (error) => error?.name === "AbortError";

const aborted = () => new DOMException("cancelled", "AbortError");
const unreachable = () => new Problem("The server does not answer. Is “mendpix serve” still running?");
const MOST_FAILURES = 4;
const FOREIGN = /\.(hei[cf]|dng|cr[23w]|nef|arw)$/i; // files of telephones and cameras that are not read
const WAY_ON = "Export it as JPEG first, in the program that shows your photos.";

async function problemOf(answer) {
  let facts = {};
  try {
    facts = await answer.json();
  } catch {
    // not one of our problems: a proxy's page, or nothing at all
  }
  let detail = typeof facts.detail === "string" ? facts.detail : facts.title;
  detail ??= `The server answered ${answer.status} ${answer.statusText}.`;
  if (answer.status === 401) {
    detail =
      "This server wants to be opened with its token. Open the link that “mendpix serve” printed, with ?token=….";
  }
  facts.waitS = Number(answer.headers.get("Retry-After")) || 5;
  return new Problem(detail, answer.status, facts);
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path.startsWith("/") ? path : `${ROOT}/${path}`, { credentials: "same-origin", ...options });
  } catch (error) {
    if (wasCancelled(error)) throw error;
    throw unreachable();
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

/** Ask, and as long as the server's queue is full, wait and ask again; whoever watches is told how long. */
async function patiently(send, { onProgress = () => {}, signal = null } = {}) {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (error.status !== 429) throw error;
      for (let left = Math.min(60, error.facts.waitS); left > 0; left--) {
        onProgress(null, "", "full", { leftS: left });
        await pause(1000, signal);
      }
    }
  }
}

/** Let time pass; an abort ends it at once. */
function pause(forMs, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted());
    const stop = () => {
      clearTimeout(timer);
      reject(aborted());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, forMs);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

const askJson = async (path, options) => (await ask(path, options)).json();

/** Which models there are: name, kind, description, available, default. */
export const models = async () => (await askJson("models")).models;

/** Bytes of something of a picture, or of a link that the server gave. */
export const blobAt = async (path, signal) => (await ask(path, { signal })).blob();

/** A file of the server under the name that the server gives it: {blob, name}. */
export async function fileAt(path, signal) {
  const answer = await ask(path, { signal });
  const [, name] = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "") ?? [];
  return { blob: await answer.blob(), name: name ? decodeURIComponent(name) : "" };
}

export const fileUrl = (id) => `${ROOT}/pictures/${id}/file`;

/** Address of a picture as shown: at most `px` on its longer side, of all of it or of a box [x, y, width, height]. */
export function previewUrl(id, px, box = null) {
  return `${ROOT}/pictures/${id}/preview?px=${px}${box ? `&box=${box.join(",")}` : ""}`;
}

export const holeUrl = (id, px) => `${ROOT}/pictures/${id}/hole?px=${px}`;

export const artifactsUrl = (id, px) => `${ROOT}/pictures/${id}/artifacts?px=${px}`;

/** Give the server a picture; answers with what it is: id, width, height, format, name and so on. */
export async function upload(file, watch = {}) {
  try {
    return await patiently(() => send(file, watch), watch);
  } catch (error) {
    const isRefused = error instanceof Problem && [415, 422].includes(error.status);
    if (!isRefused || !FOREIGN.test(file.name) || /export|convert|save it|as jpeg/i.test(error.message)) throw error;
    throw new Problem(`${error.message} ${WAY_ON}`, error.status, error.facts);
  }
}

function send(file, { onProgress = () => {}, signal = null }) {
  // fetch tells nothing of the way up; a 24-megapixel photo over a phone's connection takes a while
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${ROOT}/pictures`);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(aborted());
    request.onload = async () => {
      const headers = { "Retry-After": request.getResponseHeader("Retry-After") ?? "" };
      const status = request.status || 502;
      const answer = new Response(request.responseText, { status, statusText: request.statusText, headers });
      if (answer.ok) resolve(await answer.json());
      else reject(await problemOf(answer));
    };
    if (signal?.aborted) return reject(aborted());
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    const form = new FormData();
    form.append("image", file, file.name || "picture.png");
    request.send(form);
  });
}

function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined || value === "") continue;
    if (value instanceof Blob) form.append(name, value, `${name}.png`);
    else form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return form;
}

/** Fill what is white in a mask. Fields: picture, mask, model, dilate, finish, holes, exclude (a mask, too). */
export const inpaint = (fields, watch) => work("inpaint", fields, watch);

/**
 * Find damage, and mend it unless `dry_run`. Fields: picture, preset, sensitivity, max_area, mask, dry_run. Too much
 * damage is a Problem of status 409 whose facts have `share` and `mask`, the address of what was found.
 */
export const restore = (fields, watch) => work("restore", fields, watch);

/** Look for what seems filled. Fields: picture. */
export const detect = (fields, watch) => work("detect", fields, watch);

/** Start a job, follow it to its end, answer with its result; an abort cancels it on the server, too. */
async function work(verb, fields, { onProgress = () => {}, signal = null } = {}) {
  const headers = { Accept: "application/json", Prefer: "respond-async" };
  const order = { method: "POST", headers, body: formOf(fields), signal };
  const answer = await patiently(() => ask(`${ROOT}/${verb}`, order), { onProgress, signal });
  const body = await answer.json();
  if (answer.status !== 202) return body; // done at once
  const job = { id: body.id, url: `${ROOT}/jobs/${body.id}`, events: body.events ?? `${ROOT}/jobs/${body.id}/events` };
  try {
    await ended(job, onProgress, signal);
  } catch (error) {
    if (wasCancelled(error)) await fetch(job.url, { method: "DELETE" }).catch(() => {});
    throw error;
  }
  const state = await askJson(job.url);
  if (state.status === "failed") {
    const problem = state.problem ?? {};
    throw new Problem(problem.detail ?? "The work failed on the server.", problem.status ?? 500, problem);
  }
  if (state.status === "cancelled") throw aborted();
  return typeof state.result === "string"
    ? askJson(state.result, { headers: { Accept: "application/json" } })
    : state.result;
}

/** Wait for a job to end: by its events, or by asking now and then where events do not come through. */
function ended(job, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(job.events);
    let timer = 0;
    let failures = 0;
    const stop = (settle, value) => {
      source.close();
      clearInterval(timer);
      signal?.removeEventListener("abort", onAbort);
      settle(value);
    };
    const onAbort = () => stop(reject, aborted());
    if (signal?.aborted) return stop(reject, aborted());
    signal?.addEventListener("abort", onAbort);
    const tell = (event) => {
      const facts = JSON.parse(event.data || "{}");
      onProgress(facts.progress ?? null, facts.stage ?? "", facts.status ?? "running", facts);
    };
    source.addEventListener("progress", tell);
    for (const name of ["done", "failed", "cancelled"]) source.addEventListener(name, () => stop(resolve));
    source.onerror = () => {
      source.close();
      timer ||= setInterval(async () => {
        try {
          const state = await askJson(job.url);
          failures = 0;
          onProgress(state.progress ?? null, state.stage ?? "", state.status, state);
          if (!["waiting", "running"].includes(state.status)) stop(resolve);
        } catch (error) {
          if (error.status || ++failures === MOST_FAILURES) stop(reject, error); // a phone's network comes and goes
        }
      }, 700);
    };
  });
}
