// One execution, step by step: each step a row with its bar on the execution's own time line; a click shows the steps below it.
import { ask, element, seconds, span } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const open = new Map();
// At first sight what failed or took a good part of the time is open already, this deep.
const DEEP = 4;
const GOOD_PART = 0.2;

export async function steps(execution) {
  const begin = Date.parse(execution.startTime ?? execution.createTime);
  const end = Math.max(execution.endTime ? Date.parse(execution.endTime) : Date.now(), begin + 1);
  const fresh = !open.has(execution.key);
  if (fresh) open.set(execution.key, new Set());
  const time = { begin, end, fresh, key: execution.key, opened: open.get(execution.key) };
  const grid = element("div", { class: "steps", role: "treegrid", "aria-label": "steps" });
  await fill(grid, "0", 0, time, null);
  time.fresh = false;
  return element("div", {},
    element("p", {}, element("a", { href: "#executions" }, "all executions"), ` › ${execution.workflow} › ${execution.id}: `,
      element("strong", {}, execution.state), ` in ${span(seconds(begin, end))}`),
    execution.error ? element("pre", { class: "bad" }, execution.error) : null,
    grid);
}

async function fill(grid, parent, depth, time, after) {
  const found = await ask("entries", { execution: time.key, parent });
  for (const entry of found) if (time.fresh && depth < DEEP && telling(entry, time)) time.opened.add(entry.id);
  const rows = found.map((entry) => row(grid, entry, depth, time));
  if (after) after.after(...rows); else grid.replaceChildren(...rows);
  for (const [index, entry] of found.entries()) {
    if (time.opened.has(entry.id)) await fill(grid, entry.id, depth + 1, time, rows[index]);
  }
}

function telling(entry, time) {
  const long = Date.parse(entry.end) - Date.parse(entry.begin) > GOOD_PART * (time.end - time.begin);
  return entry.children > 0 && (long || entry.state !== "SUCCEEDED");
}

function row(grid, entry, depth, time) {
  const begin = Date.parse(entry.begin);
  const end = entry.state === "IN_PROGRESS" ? time.end : Date.parse(entry.end);
  const number = entry.number === null ? "" : ` ${entry.number}`;
  const sign = element("span", { class: "sign", "aria-hidden": "true" }, entry.children ? (time.opened.has(entry.id) ? "▾" : "▸") : "");
  const name = element("button", {
    "aria-expanded": entry.children ? String(time.opened.has(entry.id)) : null,
    title: `${entry.routine}.${entry.step}, ${entry.type}, ${entry.state}`,
  }, sign, entry.step, element("span", { class: "soft" }, `  ${entry.type.toLowerCase()}${number}${depth && entry.routine ? ` · ${entry.routine}` : ""}`));
  const made = element("div", { class: "step", role: "row", "data-depth": depth },
    element("div", { class: "name", role: "gridcell" }, "\u2003".repeat(depth), name, entry.error ? element("span", { class: "error" }, entry.error.slice(0, 600)) : null),
    element("div", { class: "took", role: "gridcell" }, entry.state === "IN_PROGRESS" ? "running" : span(seconds(begin, end))),
    element("div", { class: "track", role: "gridcell" }, bar(begin, end, entry, time)));
  if (entry.children) {
    name.addEventListener("click", () => {
      if (time.opened.delete(entry.id)) close(made, depth);
      else { time.opened.add(entry.id); fill(grid, entry.id, depth + 1, time, made); }
      const now = time.opened.has(entry.id);
      name.setAttribute("aria-expanded", String(now));
      sign.textContent = now ? "▾" : "▸";
    });
  }
  return made;
}

function close(made, depth) {
  while (made.nextSibling && Number(made.nextSibling.dataset.depth) > depth) made.nextSibling.remove();
}

function bar(begin, end, entry, time) {
  const drawing = document.createElementNS(SVG, "svg");
  const whole = time.end - time.begin;
  const left = 100 * (begin - time.begin) / whole;
  const shape = document.createElementNS(SVG, "rect");
  const size = { x: `${left}%`, y: "25%", height: "50%", width: `${Math.max(100 * (end - begin) / whole, 0.15)}%`, rx: 2 };
  for (const [name, value] of Object.entries(size)) shape.setAttribute(name, value);
  shape.setAttribute("class", entry.state);
  drawing.append(shape);
  return drawing;
}
