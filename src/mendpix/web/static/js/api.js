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

/** True if it was the visitor who stopped it. */
export const wasCancelled = (error) => error?.name === "AbortError";

const aborted = () => new DOMException("cancelled", "AbortError");

async function problemOf(answer) {
  let facts = {};
  try {
    facts = await answer.json();
  } catch {
    // not one of our problems: a proxy's page, or nothing at all
  }
  let detail = typeof facts.detail === "string" ? facts.detail : facts.title;
  detail ??= `The server answered ${answer.status} ${answer.statusText}.`;
  if (answer.status === 429) {
    const wait = answer.headers.get("Retry-After");
    detail = `The server is busy with other pictures. Try again${wait ? ` in ${wait} s` : " soon"}.`;
  }
  if (answer.status === 401) detail = "This server asks for a token. Open the address with ?token=… that it printed.";
  return new Problem(detail, answer.status, facts);
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path.startsWith("/") ? path : `${ROOT}/${path}`, { credentials: "same-origin", ...options });
  } catch (error) {
    if (wasCancelled(error)) throw error;
    throw new Problem("The server does not answer. Is “mendpix serve” still running?");
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

const askJson = async (path, options) => (await ask(path, options)).json();

/** Which models there are: name, kind, description, available, default. */
export const models = async () => (await askJson("models")).models;

/** Version and queue of the server. */
export const health = () => askJson("health");

/** Bytes of something of a picture, or of a link that the server gave. */
export const blobAt = async (path, signal) => (await ask(path, { signal })).blob();

export const fileUrl = (id) => `${ROOT}/pictures/${id}/file`;

/** Address of a picture as shown: at most `px` on its longer side, of all of it or of a box [x, y, width, height]. */
export function previewUrl(id, px, box = null) {
  return `${ROOT}/pictures/${id}/preview?px=${px}${box ? `&box=${box.join(",")}` : ""}`;
}

export const artifactsUrl = (id, px) => `${ROOT}/pictures/${id}/artifacts?px=${px}`;

/** Give the server a picture; answers with what it is: id, width, height, format, name and so on. */
export function upload(file, { onProgress = () => {}, signal = null } = {}) {
  // fetch tells nothing of the way up; a 24-megapixel photo over a phone's connection takes a while
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${ROOT}/pictures`);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new Problem("The server does not answer. Is “mendpix serve” still running?"));
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

/** Forget a picture on the server; one that is gone already is no trouble. */
export const forget = (id) => fetch(`${ROOT}/pictures/${id}`, { method: "DELETE" }).catch(() => {});

function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined || value === "") continue;
    if (value instanceof Blob) form.append(name, value, `${name}.png`);
    else form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return form;
}

/** Fill what is white in a mask. Fields: picture, mask, model, dilate, finish, holes, exclude. */
export const inpaint = (fields, watch) => work("inpaint", fields, watch);

/** Find damage, and mend it unless `dry_run`. Fields: picture, preset, sensitivity, max_area, mask, dry_run. */
export const restore = (fields, watch) => work("restore", fields, watch);

/** Look for what seems filled. Fields: picture. */
export const detect = (fields, watch) => work("detect", fields, watch);

/** Start a job, follow it to its end, answer with its result; an abort cancels it on the server, too. */
async function work(verb, fields, { onProgress = () => {}, signal = null } = {}) {
  const headers = { Accept: "application/json", Prefer: "respond-async" };
  const answer = await ask(`${ROOT}/${verb}`, { method: "POST", headers, body: formOf(fields), signal });
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
  return typeof state.result === "string" ? askJson(state.result, { headers: { Accept: "application/json" } }) : state.result;
}

/** Wait for a job to end: by its events, or by asking now and then where events do not come through. */
function ended(job, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(job.events);
    let timer = 0;
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
          onProgress(state.progress ?? null, state.stage ?? "", state.status, state);
          if (!["waiting", "running"].includes(state.status)) stop(resolve);
        } catch (error) {
          stop(reject, error);
        }
      }, 700);
    };
  });
}
