"""How the evaluation's page looks, and its script. Knows the names of the page's parts; no model and no number."""

import base64
import hashlib
from collections.abc import Sequence
from itertools import zip_longest

from mendpix.artifacts.maps import HEAT, HEAT_AT, HEAT_OPACITY
from mendpix.evaluation.figure_page import STYLE as SHARED_STYLE

OWN_STYLE = """
:root { --tint: #e1edfb; --better: #d6efe0; --worse: #fbe3d3; --warn: #fff3d1; --warn-edge: #935a05;
  --top: 3.4rem; --bottom: 4.6rem; }
@media (prefers-color-scheme: dark) {
  :root { --tint: #1d3350; --better: #173a2a; --worse: #4a2a18; --warn: #3a2e10; --warn-edge: #e0ab4a; }
}
html { scroll-padding-top: 1rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; max-width: none; }
dl { margin: .5rem 0; max-width: 85ch; }
dt { font-weight: 600; margin-top: .9rem; }
dd { margin: .1rem 0 0; }
.faint a, dd a { overflow-wrap: anywhere; }
table { font-size: .92rem; }
.caption { color: var(--faint); font-size: .9rem; max-width: none; margin: .8rem 0 0; }
th:first-child, td:first-child { min-width: 7rem; }
tbody th { color: var(--ink); white-space: normal; overflow-wrap: anywhere; max-width: 16rem; }
td { vertical-align: top; padding-left: .35rem; padding-right: .55rem; }
th { padding-left: .35rem; padding-right: .55rem; }
td.count { color: var(--faint); }
td small { display: block; color: var(--faint); font-size: .82em; }
td abbr { text-decoration: none; cursor: help; }
td.best { background: var(--tint); font-weight: 700; }
td.best small { font-weight: 400; color: var(--ink); }
td.better { background: var(--better); }
td.worse { background: var(--worse); }
td.better small, td.worse small { color: var(--ink); }
td.words, th.words { text-align: left; white-space: normal; min-width: 12rem; }
.scroll { position: relative; }
thead th { white-space: normal; min-width: 4.5rem; max-width: 11rem; }
tbody th { vertical-align: top; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.warning { background: var(--warn); border-left: .3rem solid var(--warn-edge); padding: .6rem 1rem; margin: 1rem 0;
  max-width: 85ch; }
.warning p { margin: .2rem 0; }
details { margin: .5rem 0; }
summary { cursor: pointer; padding: .25rem 0; }
summary h3, summary h4 { display: inline; margin: 0; font-size: 1rem; }
.plot { display: block; width: 100%; min-width: 34rem; max-width: 46rem; height: auto; margin: .4rem 0; }
.choice { border: 0; padding: 0; margin: .6rem 0; display: flex; flex-wrap: wrap; gap: .3rem 1rem; }
.choice legend { padding: 0; color: var(--faint); font-size: .9rem; }
.controls { border: 1px solid var(--rule); border-radius: .4rem; padding: .3rem .9rem; margin: 1rem 0; }
.controls fieldset { display: flex; flex-wrap: wrap; gap: .3rem 1rem; min-width: 0; margin: .5rem 0; padding: 0;
  border: 0; }
.controls label { min-width: 0; max-width: 100%; }
.controls legend { padding: 0; font-weight: 600; float: left; margin-right: .2rem; }
.controls select { font: inherit; max-width: 100%; color: var(--ink); background: var(--paper);
  border: 1px solid var(--faint); border-radius: .25rem; padding: .1rem .3rem; }
.controls [hidden] { display: none; }
.case { margin: 1.6rem 0 2rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
.case > h3 { margin: 0; font-size: 1.05rem; }
.shots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(9.5rem, 44%), 1fr)); gap: 0 .7rem;
  margin-top: .5rem; }
/* Name, picture and notes of a result, then of its map: level with those of its neighbours. */
.spot { display: grid; grid-row: span 6; grid-template-rows: subgrid; min-width: 0; max-width: 20rem; }
.shot { display: grid; grid-row: span 3; grid-template-rows: subgrid; margin: 0; min-width: 0; }
.shot > .name { align-self: end; font-weight: 600; font-size: .92rem; line-height: 1.3; }
.shot > figcaption { padding-bottom: .8rem; }
.shot img { display: block; width: 100%; height: auto; margin: .2rem 0; outline: 1px solid var(--rule); }
.shot a:has(img) { display: block; }
.shot p { margin: 0; font-size: .85rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
.shot p > span { display: block; }
.shot .alarm { color: var(--warn-edge); font-weight: 600; }
.bar, .then { display: none; }
body:has(#unsmoothed:checked) .shot img { image-rendering: pixelated; }
body:has(#artifact-maps:not(:checked)) .map:not(:target) { display: none; }
@media screen {
  html:has(.shot:target) { overflow: hidden; scrollbar-gutter: stable; }
  .shot:target { display: block; position: fixed; inset: 0; z-index: 10; background: var(--paper); }
  .shot:target .bar { display: flex; flex-wrap: wrap; align-items: center; gap: .1rem 1rem; height: var(--top);
    padding: 0 1rem; overflow: hidden; }
  .shot:target .bar a, .shot:target .bar label { padding: .45rem .2rem; white-space: nowrap; }
  .shot:target .bar b { flex: 1 1 auto; min-width: 8rem; overflow: hidden; text-overflow: ellipsis;
    white-space: nowrap; }
  .shot:target > .name { display: none; }
  .shot:target figcaption { position: fixed; left: 0; right: 0; bottom: 0; height: var(--bottom); overflow-y: auto;
    padding: .3rem 1rem; }
  .shot:target figcaption p { display: inline; margin-right: 1.2rem; }
  .shot:target figcaption p > span { display: inline-block; margin-right: 1.2rem; }
  .shot:target img,
  .case:has(.shot:not(.map):target .compare:checked) .truth img,
  .spot:has(.map:target .compare:checked) .result img {
    position: fixed; z-index: 11; left: 1rem; top: var(--top); width: calc(100vw - 2rem); margin: 0; outline: 0;
    height: calc(100vh - var(--top) - var(--bottom)); object-fit: contain; background: var(--paper);
    -webkit-touch-callout: none; user-select: none; }
  .case:has(.shot:not(.map):target .compare:checked) .truth img,
  .spot:has(.map:target .compare:checked) .result img { z-index: 12; pointer-events: none; }
  .shot:target .bar:has(.compare:checked) .own { display: none; }
  .shot:target .bar:has(.compare:checked) .then { display: inline; }
  .shot:not(.map):target:has(.compare:checked) figcaption { visibility: hidden; }
  .bar label:has(:checked) { color: var(--warn-edge); font-weight: 700; }
}
@media (max-width: 48rem) {
  :root { --top: 5.6rem; --bottom: 5.6rem; }
  .shot:target .bar { gap: 0 .9rem; padding: .2rem 1rem; }
  .shot:target .bar b { order: 1; flex-basis: 100%; }
}
@media print {
  :root { --tint: #e1edfb; --better: #d6efe0; --worse: #fbe3d3; --warn: #fff3d1; --warn-edge: #935a05; }
  section + section { break-before: auto; border-top: 1px solid var(--rule); }
  .controls, .bar, .choice { display: none; }
  .case { break-inside: avoid; }
  .shots { grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); }
  .spot { max-width: 12rem; }
  .scroll { overflow: visible; }
  .plot { min-width: 0; max-width: 60%; }
  table, .plot, .warning { break-inside: avoid; }
  h2, h3, summary, .caption { break-after: avoid; }
  .warning, td.best, td.better, td.worse { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details.more::details-content { content-visibility: visible; }
  .numbers { display: none; }
}
"""

SCRIPT = """
"use strict";
(() => {
  const all = (where, what) => Array.from(where.querySelectorAll(what));
  const list = document.getElementById("case-list");
  if (!list) return; // there are no cases
  const form = document.getElementById("controls");
  const cases = all(list, ".case");
  const measure = form.elements.measure;
  const model = form.elements.model;
  const shown = (one) => one.getClientRects().length > 0;
  let from = null; // where the reader was when a picture was enlarged

  function value(one) {
    const found = all(one, "[data-value]").filter((cell) =>
      cell.dataset.measure === measure.value && (model.value === "" || cell.dataset.model === model.value));
    return found.reduce((sum, cell) => sum + Number(cell.dataset.value), 0) / found.length; // NaN if there is none
  }

  function sort() {
    let order = cases;
    model.disabled = measure.value === "";
    if (measure.value !== "") {
      const sign = Number(measure.selectedOptions[0].dataset.sign);
      const found = new Map(cases.map((one) => [one, value(one)]));
      const known = cases.filter((one) => !Number.isNaN(found.get(one)));
      const rest = cases.filter((one) => Number.isNaN(found.get(one)));
      order = known.sort((a, b) => sign * (found.get(a) - found.get(b))).concat(rest); // worst first
    }
    list.append(...order);
    count();
  }

  function count() {
    const seen = cases.filter(shown).length;
    const output = document.getElementById("count");
    const hidden = seen < cases.length ? ` ${cases.length - seen} of them hidden.` : "";
    output.textContent = `${cases.length} of ${output.dataset.of}; sorting reorders these only.${hidden}`;
  }

  const large = () => list.querySelector(".shot:target");
  const show = (shot) => { if (shot) location.replace("#" + shot.id); }; // one step back leaves the large view

  function changed() {
    const shot = large();
    for (const box of all(list, ".compare")) if (!shot || !shot.contains(box)) box.checked = false;
    for (const old of all(list, "[role=dialog]")) { old.removeAttribute("role"); old.removeAttribute("aria-modal"); }
    if (shot) {
      shot.setAttribute("role", "dialog");
      shot.setAttribute("aria-modal", "true");
      shot.querySelector(".close").focus({ preventScroll: true });
      from = { shot, top: from ? from.top : null };
    } else if (from) {
      const link = from.shot.querySelector(".open");
      if (from.top !== null) scrollTo({ top: from.top, behavior: "instant" });
      link.focus({ preventScroll: true });
      link.scrollIntoView({ block: "nearest" });
      from = null;
    }
  }

  function step(shot, by) {
    const row = all(shot.closest(".case"), ".shot").filter(shown);
    show(row[row.indexOf(shot) + by]);
  }

  function stepCase(shot, by) {
    const own = shot.closest(".case");
    const seen = all(list, ".case").filter((one) => one === own || shown(one));
    const next = seen[seen.indexOf(own) + by];
    if (next) show(all(next, ".shot").find((one) => one.dataset.place === shot.dataset.place));
  }

  function key(event) {
    const shot = large();
    if (!shot || event.altKey || event.ctrlKey || event.metaKey) return;
    const box = shot.querySelector(".compare");
    const act = {
      Escape: () => show(shot.closest(".case")),
      ArrowLeft: () => step(shot, -1),
      ArrowRight: () => step(shot, 1),
      ArrowUp: () => stepCase(shot, -1),
      ArrowDown: () => stepCase(shot, 1),
      t: () => { if (box) box.checked = !box.checked; },
      Tab: () => {
        const stops = all(shot, "a, input").filter(shown);
        const at = stops.indexOf(document.activeElement);
        stops[(at + (event.shiftKey ? -1 : 1) + stops.length) % stops.length].focus();
      },
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  }

  function click(event) {
    const link = event.target.closest("a");
    const shot = large();
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!shot && link.matches(".open")) from = { shot: link.closest(".shot"), top: scrollY };
    if (!shot) return;
    event.preventDefault();
    if (link.matches(".close")) show(shot.closest(".case"));
    else if (link.matches(".step")) step(shot, Number(link.dataset.by));
  }

  function hold(event) {
    const shot = large();
    const box = shot && event.target.matches("img") && event.button === 0 && shot.querySelector(".compare");
    if (!box) return;
    const before = box.checked;
    box.checked = !before;
    const end = () => { box.checked = before; };
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, end, { once: true });
  }

  for (const part of all(form, "[hidden]")) part.hidden = false;
  form.addEventListener("change", sort);
  form.addEventListener("submit", (event) => event.preventDefault());
  list.addEventListener("click", click);
  list.addEventListener("pointerdown", hold);
  list.addEventListener("dragstart", (event) => { if (large()) event.preventDefault(); });
  list.addEventListener("contextmenu", (event) => {
    if (large() && event.pointerType === "touch") event.preventDefault(); // a finger that stays down compares
  });
  document.addEventListener("keydown", key);
  addEventListener("hashchange", changed);
  sort();
  changed();
})();
"""


def policy(script: str) -> str:
    """Write the content security policy: nothing is fetched, pictures are inside, and no script but this one runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def style(models: int, bins: int, matrices: Sequence[str]) -> str:
    """Write the style sheet.

    Args:
        models: How many there are: each can be hidden with its box in the controls.
        bins: Likewise.
        matrices: Names of the matrices of which one is shown at a time.
    """
    # A picture that the address names is shown, whatever is hidden.
    rules = [
        f"body:has(#{box}-{number}:not(:checked)) .{box}-{number}:not(:has(:target)) {{ display: none; }}"
        for box, count in (("model", models), ("bin", bins))
        for number in range(count)
    ]
    rules += (
        f"@media screen {{ body:has(#choose-{name}:not(:checked)) #matrix-{name} {{ display: none; }} }}"
        for name in matrices
    )
    return "\n".join((SHARED_STYLE.replace("HEAT_STOPS", _heat_stops()), OWN_STYLE, *rules))


def _heat_stops() -> str:
    """Write the heat colours as stops of a CSS gradient, as clear as an overlay has them."""
    return ", ".join(
        f"rgb({' '.join(f'{value * 100:g}%' for value in colour)} / {HEAT_OPACITY * at * 100:g}%) {at * 100:g}%"
        for colour, at in zip_longest(HEAT, HEAT_AT)
    )
