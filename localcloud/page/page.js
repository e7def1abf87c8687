// The page's frame: tabs, tables, and one question a view to the local cloud. Texts only ever become text nodes.
import { steps } from "./steps.js";

const REFRESH_MS = 2000;
const view = document.getElementById("view");

export async function ask(path, query = {}) {
  const answer = await fetch(`${path}?${new URLSearchParams(query)}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map((child) => child instanceof Node ? child : String(child)));
  return made;
}

export const seconds = (begin, end) => (end - begin) / 1000;
export const span = (value) => value < 10 ? `${value.toFixed(2)} s` : value < 120 ? `${value.toFixed(0)} s` : `${Math.round(value / 60)} min`;
const clock = (text) => text ? new Date(typeof text === "number" ? text * 1000 : text).toLocaleTimeString() : "";
const between = (begin, end) => begin && end ? span(seconds(Date.parse(begin), Date.parse(end))) : "";

function table(heads, rows, empty) {
  if (!rows.length) return element("p", { class: "soft" }, empty);
  return element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row))));
}
const cell = (text, kind = null) => element("td", { class: kind }, text ?? "");

function filtered(placeholder, draw) {
  const box = element("input", { type: "search", placeholder, "aria-label": placeholder });
  const place = element("div");
  const redraw = () => place.replaceChildren(draw(box.value.toLowerCase()));
  box.addEventListener("input", redraw);
  return { box, place, redraw };
}
const has = (row, text) => JSON.stringify(row).toLowerCase().includes(text);

const VIEWS = {
  services: {
    async show(summary) {
      const rows = summary.services.map((one) => [
        cell(one.api), cell(one.version, "soft"),
        cell(one.enabled ? "enabled" : "not enabled", one.enabled ? "good" : "soft"),
        cell(`${one.handled} of ${one.methods} methods`, "number"),
      ]);
      return { draw: () => table(["API", "version", "state", "answered"], rows, "none") };
    },
  },
  resources: {
    still: true,
    async show() {
      const kinds = await ask("resources");
      return { draw: () => kinds.length ? element("div", {}, element("button", { onclick: () => open("resources"), class: "soft" }, "look again"), ...kinds.map(collection))
        : element("p", { class: "soft" }, "nothing has been made yet") };
    },
  },
  operations: {
    async show() {
      const found = await ask("operations");
      return { search: "filter operations", draw: (text) => table(["state", "API", "what", "target", "began", "took", ""],
        found.filter((one) => has(one, text)).map((one) => [
          cell(one.error ? "failed" : one.done ? "done" : "running", one.error ? "bad" : one.done ? "good" : "busy"),
          cell(one.api), cell(one.what), cell(one.target, "long"), cell(clock(one.begin), "when"),
          cell(one.done ? between(one.begin, one.end) : "", "number"), cell(one.error, "long bad"),
        ]), "no operations") };
    },
  },
  calls: {
    async show() {
      const found = await ask("calls");
      return { search: "filter calls by who, method, status", draw: (text) => table(["when", "status", "method", "who", "resource"],
        found.filter((one) => has(one, text)).map((one) => [
          cell(clock(one.when), "when"), cell(one.status || "no reply", one.status && one.status < 400 ? "good" : "bad"),
          cell(one.method), cell(one.who || "nobody"), cell(one.resource, "long soft"),
        ]), "no calls") };
    },
  },
  executions: {
    async show(_, chosen) {
      const found = await ask("executions");
      const one = found.find((each) => each.key === chosen);
      if (chosen) {
        if (!one) return { draw: () => element("p", { class: "bad" }, "there is no such execution") };
        const drawn = await steps(one);
        return { draw: () => drawn, still: one.state !== "ACTIVE" };
      }
      return { search: "filter executions", draw: (text) => table(["state", "workflow", "execution", "began", "took", ""],
        found.filter((each) => has(each, text)).map((each) => [
          cell(each.state, { SUCCEEDED: "good", FAILED: "bad", CANCELLED: "soft" }[each.state] ?? "busy"),
          cell(each.workflow), element("td", {}, element("a", { href: `#executions/${encodeURIComponent(each.key)}` }, each.id)),
          cell(clock(each.startTime), "when"), cell(between(each.startTime, each.endTime), "number"), cell(each.error, "long bad"),
        ]), "no executions") };
    },
  },
};

function collection(kind) {
  return element("section", {}, element("h2", {}, `${kind.api}: ${kind.title}`), ...kind.items.map((item) => resource(kind, item)));
}

function resource(kind, item) {
  const state = [item.body.state, item.body.status, item.body.lifecycleState].find((value) => typeof value === "string");
  const box = element("details", {}, element("summary", {}, item.name.split("/").pop(), " ", element("span", { class: "soft" }, state ?? "")));
  box.addEventListener("toggle", async () => {
    if (!box.open || box.dataset.filled) return;
    box.dataset.filled = "yes";
    box.append(element("pre", {}, JSON.stringify(item.body, null, 2)));
    const own = Object.fromEntries(Object.entries(item.params).map(([name, value]) => [`p.${name}`, value]));
    const below = await ask("resources", { api: kind.api, version: kind.version, name: item.name, ...own });
    box.append(...below.map((each) => element("div", {}, element("strong", {}, each.title), ...each.items.map((one) => resource(each, one)))));
  });
  return box;
}

let shown = "";
async function open(where, again = false) {
  const [name, chosen] = [where.split("/")[0], decodeURIComponent(where.split("/").slice(1).join("/"))];
  const chosenView = VIEWS[name] ? name : "services";
  const summary = await ask("summary");
  document.getElementById("project").textContent = `${summary.project} · ${summary.region}`;
  document.getElementById("tabs").replaceChildren(...Object.keys(VIEWS).map((each) =>
    element("a", { href: `#${each}`, "aria-current": each === chosenView ? "page" : null }, each)));
  if (again && VIEWS[chosenView].still) return;
  const text = again ? view.querySelector("input")?.value ?? "" : "";
  const made = await VIEWS[chosenView].show(summary, chosen);
  if (again && made.still && shown === `${where} still`) return;
  if (location.hash.slice(1) !== where && location.hash) return;
  shown = made.still ? `${where} still` : where;
  if (!made.search) { view.replaceChildren(made.draw()); return; }
  const filter = filtered(made.search, made.draw);
  filter.box.value = text;
  filter.redraw();
  const focus = document.activeElement === view.querySelector("input");
  view.replaceChildren(filter.box, filter.place);
  if (focus) filter.box.focus();
}

async function beat(again) {
  const pulse = document.getElementById("pulse");
  try {
    await open(location.hash.slice(1) || "services", again);
    pulse.textContent = `as of ${new Date().toLocaleTimeString()}`;
    pulse.className = "";
  } catch (error) {
    pulse.textContent = `no answer: ${error.message}. \`python -m localcloud status\` says whether it is up.`;
    pulse.className = "lost";
  }
}

addEventListener("hashchange", () => beat(false));
(async () => {
  await beat(false);
  for (;;) {
    await new Promise((done) => setTimeout(done, REFRESH_MS));
    if (!document.hidden) await beat(true);
  }
})();
