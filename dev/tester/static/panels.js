// Structured logs, metrics and the ledger's record.
import { count, find, make, plural, rove } from "./dom.js";

const SHOWN = 400;
const KNOWN = new Set(["level", "release", "function_version", "location", "message", "timestamp", "service", "event", "request_id", "job_id", "hop"]);
const INSTANTS = new Set(["lease_until", "expires_at"]);

let lines = [];
let hopOf = new Map();

const filters = (id) => Object.fromEntries(new FormData(find(id)));
const hopIn = (line) => line.body.hop ?? hopOf.get(line.request);
const eventIn = (line) => (line.kind === "platform" ? "platform" : line.body.event ?? "other");

/** Add lines; a new run begins with line 0. */
export function take({ start, lines: fresh }) {
  if (start === 0) {
    lines = [];
    hopOf = new Map();
    find("logs").replaceChildren();
  }
  lines.push(...fresh);
  const known = hopOf.size;
  for (const line of fresh) if (line.body.hop !== undefined && line.request) hopOf.set(line.request, line.body.hop);
  offer("log-filters", "event", new Set(lines.filter(isLog).map(eventIn)));
  for (const id of ["log-filters", "metric-filters"]) offer(id, "hop", new Set([...hopOf.values()].sort((a, b) => a - b).map(String)));
  if (start === 0 || hopOf.size !== known) logs();
  else append(fresh.filter(isLog).filter(matching()));
  metrics();
}

const isLog = (line) => line.kind !== "metric";

function offer(form, name, values) {
  const select = find(form).elements.namedItem(name), chosen = select.value;
  const options = [...values].map((each) => make("option", { value: each }, each));
  select.replaceChildren(make("option", { value: "" }, "all"), ...options);
  select.value = values.has(chosen) ? chosen : "";
}

function matching() {
  const wanted = filters("log-filters"), text = wanted.text.toLowerCase();
  return (line) => (!wanted.source || line.source === wanted.source)
    && (!wanted.event || eventIn(line) === wanted.event)
    && (!wanted.level || line.body.level === wanted.level)
    && (!wanted.hop || String(hopIn(line)) === wanted.hop)
    && (!text || JSON.stringify(line.body).toLowerCase().includes(text));
}

/** Show the lines that pass the filters, the latest of them. */
export function logs() {
  find("logs").replaceChildren();
  append(lines.filter(isLog).filter(matching()));
}

function append(found) {
  const box = find("logs"), atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
  box.append(...found.slice(-SHOWN).map(entry));
  while (box.childElementCount > SHOWN) box.firstElementChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
  const all = lines.filter(isLog), passed = all.filter(matching()).length;
  find("log-count").textContent = all.length ? `${count(passed)} of ${plural(all.length, "line")}${passed > SHOWN ? `, the last ${SHOWN} shown` : ""}` : "";
  find("no-logs").hidden = all.length > 0;
}

function entry(line) {
  const { body } = line, hop = hopIn(line);
  return make("details", { className: "line", data: { level: body.level ?? "" } },
    make("summary", {},
      make("span", {}, line.at == null ? "" : line.at.toFixed(2)),
      make("span", {}, line.source),
      make("span", {}, hop === undefined ? "" : `hop ${hop}`),
      make("span", { className: "event" }, eventIn(line)),
      make("span", { className: "level" }, body.level ?? ""),
      make("span", {}, brief(body))),
    make("pre", {}, line.kind === "platform" ? body.message : JSON.stringify(body, null, 2)));
}

function brief(body) {
  const facts = Object.entries(body).filter(([name]) => !KNOWN.has(name));
  const shown = facts.map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`).join(" ");
  const message = typeof body.message === "string" ? body.message : JSON.stringify(body.message ?? "");
  return (body.event ? shown : `${message} ${shown}`).slice(0, 300);
}

/** Show a row for each invocation, and the chain's sums. */
export function metrics() {
  const wanted = filters("metric-filters");
  const rows = lines.filter((line) => line.kind === "metric" && (!wanted.hop || (line.source === "chain" && String(hopIn(line)) === wanted.hop)));
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.body)))].filter((name) => name.toLowerCase().includes(wanted.text.toLowerCase()));
  const cells = (body) => names.map((name) => make("td", {}, body[name] === undefined ? "" : count(body[name])));
  const chain = rows.filter((row) => row.source === "chain");
  const sums = Object.fromEntries(names.map((name) => [name, chain.reduce((sum, row) => sum + (row.body[name] ?? 0), 0)]));
  const label = (row) => (row.source === "seed" ? "seed" : `hop ${hopIn(row) ?? "?"}`);
  find("no-metrics").hidden = rows.length > 0;
  find("metrics").replaceChildren(...(rows.length ? [
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "invocation"), ...names.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, make("th", { scope: "row" }, label(row)), ...cells(row.body)))),
    make("tfoot", {}, make("tr", {}, make("th", { scope: "row" }, "chain"), ...cells(sums))),
  ] : []));
}

/** Show the jobs table's item. */
export function ledger(record) {
  find("no-ledger").hidden = Boolean(record);
  const place = find("ledger").querySelector("details")?.open;
  find("ledger").replaceChildren(...Object.entries(record ?? {}).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, told(name, value, place))]));
}

function told(name, value, open) {
  if (name === "place" || name === "result") {
    if (!value) return "null";
    return make("details", { open: Boolean(open) }, make("summary", {}, name === "place" ? "where the run goes on" : "of a complete run"), make("pre", {}, JSON.stringify(JSON.parse(value), null, 2)));
  }
  if (INSTANTS.has(name) && value) return `${new Date(value).toISOString()} (${value})`;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Filter again when a filter changes. */
export function listen() {
  rove(find("logs"), "summary");
  for (const [id, show] of [["log-filters", logs], ["metric-filters", metrics]]) {
    find(id).addEventListener("submit", (event) => event.preventDefault());
    for (const name of ["input", "change"]) find(id).addEventListener(name, show);
  }
}
