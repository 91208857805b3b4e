// Side by side, the hops as bars, and keys over time.
import { count, draw, find, make, plural, seconds, ticks } from "./dom.js";

const WORDS = { starting: "starting (a cold start takes a while)", running: "at work", handed_over: "between two hops", fanned_out: "shared by several chains", complete: "complete", parked: "parked", failed: "failed" };

const ONE_WAS_ENOUGH = "complete: one Lambda was enough for these keys. "
  + "More PDFs, fewer keys a page or a shorter timeout show where the one Lambda ends.";

/** The end of the time axis: past and current hops. */
function horizon(run) {
  const ends = run.attempts.map((each) => each.ended ?? now(run));
  const seed = run.seed?.state === "running" ? now(run) : run.seed?.ended ?? 0;
  return 1.05 * Math.max(1, seed, ...ends); // a little room for the cross after a bar
}

const now = (run) => Date.now() / 1000 - run.began;

export function sides(run) {
  const total = run?.expected ?? 0;
  const side = (name, keys, end, says, goal = total) => {
    find(`${name}-count`).textContent = count(keys);
    find(`${name}-of`).textContent = goal ? `of ${plural(goal, "key")}` : keys === 1 ? "key" : "keys";
    find(`${name}-progress`).max = Math.max(1, goal);
    find(`${name}-progress`).value = keys;
    find(`${name}-count`).closest(".side").dataset.end = end;
    find(`${name}-says`).replaceChildren(...says);
  };
  if (!run) {
    side("chain", 0, "", ["Not run yet."]);
    return side("seed", 0, "", ["Not run yet."]);
  }
  const facts = [plural(run.handovers, "hand-over")];
  if (run.kills) facts.push(plural(run.kills, "kill"));
  if (run.retries) facts.push(plural(run.retries, "retry", "retries"));
  const parked = run.phase === "parked" ? [" Resume goes on from there; what parked it must be lifted first."] : [];
  const lost = run.lost ? [` Lambda has given up ${plural(run.lost, "event")}: resume delivers it again.`] : [];
  const reason = run.reason ? ` (${run.reason})` : "";
  const over = run.phase === "complete" ? ` in ${seconds(run.ended ?? now(run))}` : "";
  side("chain", run.count, run.phase, [make("strong", {}, `${WORDS[run.phase]}${reason}`), `${over}: ${facts.join(", ")}.`, ...parked, ...lost]);
  const seed = run.seed;
  if (!seed) return side("seed", 0, "", ["Left out of this run."]);
  if (seed.state === "died") {
    return side("seed", seed.count, "died", [make("strong", {}, "died"), `: ${seed.message}. ${plural(seed.count, "key")} signed, none delivered, and nobody goes on.`]);
  }
  const said = { waiting: "starting.", running: "at work.", complete: ONE_WAS_ENOUGH }[seed.state];
  return side("seed", seed.count, seed.state, [make("strong", {}, said)]);
}

export function hops(run) {
  const rows = (run?.attempts ?? []).map((each) => row(run, each.range == null ? `hop ${each.hop}` : `range ${each.range}, hop ${each.hop}`, each));
  const seed = run?.seed;
  if (seed?.began != null) {
    const outcome = seed.state === "running" ? "running" : seed.state;
    rows.push(row(run, "seed", { began: seed.began, ended: seed.ended, outcome, count: seed.count, reason: "" }));
  }
  const list = find("hops");
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
  list.replaceChildren(...rows);
  if (atEnd) list.scrollTop = list.scrollHeight;
  list.parentElement.classList.toggle("several", run?.chains > 1);
  find("no-hops").hidden = rows.length > 0;
  find("axis").hidden = rows.length === 0;
  if (!rows.length) return;
  const end = horizon(run);
  find("axis").replaceChildren(...ticks(end, 5).map((at) => make("span", { vars: { "--at": `${(at / end) * 100}%` } }, `${at} s`)));
}

function row(run, name, attempt) {
  const end = horizon(run);
  const until = attempt.ended ?? now(run);
  const long = Math.max(0, until - attempt.began);
  const counted = attempt.count == null ? "" : `${plural(attempt.count, "key")}, `;
  const because = attempt.reason ? `: ${attempt.reason}` : "";
  return make("li", { className: "hop", data: { outcome: attempt.outcome }, title: `${name}: ${attempt.outcome}${because}` },
    make("span", {}, name),
    make("span", { className: "track" },
      make("span", { className: "bar", vars: { "--from": `${(attempt.began / end) * 100}%`, "--size": `${(long / end) * 100}%` } })),
    make("span", { className: "what" }, make("strong", {}, attempt.outcome), " ", make("small", {}, `${counted}${seconds(long)}${because}`)));
}

const HEIGHT = 300, LEFT = 52, RIGHT = 14, TOP = 24, BOTTOM = 26;

/** Draw the chart as wide as there is room. */
export function chart(run) {
  const box = find("chart"), width = Math.max(280, box.clientWidth);
  const end = run ? horizon(run) : 10, goal = Math.max(run?.expected ?? 0, run?.count ?? 0, run?.seed?.count ?? 0, 10);
  const x = (at) => LEFT + (at / end) * (width - LEFT - RIGHT);
  const y = (keys) => HEIGHT - BOTTOM - (keys / goal) * (HEIGHT - TOP - BOTTOM);
  const path = (points) => points.map(([at, keys]) => `${x(at).toFixed(1)},${y(keys).toFixed(1)}`).join(" ");
  const svg = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": summary(run) });
  for (const keys of ticks(goal, 4)) {
    svg.append(draw("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(keys), y2: y(keys) }),
      draw("text", { x: LEFT - 8, y: y(keys) + 4, "text-anchor": "end" }, count(keys)));
  }
  for (const at of ticks(end, width < 500 ? 4 : 6)) svg.append(draw("text", { x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }, `${at} s`));
  if (run) {
    svg.append(draw("line", { class: "goal", x1: LEFT, x2: width - RIGHT, y1: y(run.expected), y2: y(run.expected) }));
    svg.append(...seedLine(run, x, y, path), ...chainLine(run, x, y, path));
  }
  box.replaceChildren(svg);
}

function chainLine(run, x, y, path) {
  const dots = run.attempts.filter((each) => each.range == null && each.count != null && each.ended != null)
    .map((each) => draw("circle", { class: "dot", cx: x(each.ended), cy: y(each.count), r: 3 }));
  const [at, keys] = run.points.at(-1);
  return [draw("polyline", { class: "chain", points: path(run.points) }), ...dots, ...(keys ? [label("chain", x(at), y(keys))] : [])];
}

function seedLine(run, x, y, path) {
  const seed = run.seed;
  if (!seed?.points.length) return [];
  const [at, keys] = seed.points.at(-1), cx = x(at), cy = y(keys);
  const cross = seed.state !== "died" ? [] : ["5", "-5"].map((slope) =>
    draw("line", { class: "cross", x1: cx - 5, y1: cy - Number(slope), x2: cx + 5, y2: cy + Number(slope) }));
  const name = seed.state === "died" && find("chart").clientWidth > 500 ? "seed, dead at the timeout" : "seed";
  return [draw("polyline", { class: "seed", points: path([[seed.began, 0], ...seed.points]) }), ...cross, label("seed", cx, cy, name)];
}

function label(kind, x, y, text = kind) {
  const left = x > find("chart").clientWidth / 2;
  const above = left || kind === "seed"; // the chain's line continues to the right, below the seed's cross
  return draw("text", { class: `${kind}-label`, x: x + (left ? -10 : above ? 0 : 10), y: y + (above ? -10 : 16), "text-anchor": left ? "end" : "start" }, text);
}

function summary(run) {
  if (!run) return "Keys over time: no run yet.";
  const seed = run.seed ? ` The seed's handler: ${plural(run.seed.count, "key")}, ${run.seed.state}.` : "";
  return `Keys over time. The chain: ${count(run.count)} of ${plural(run.expected, "key")} in ${plural(run.attempts.length, "invocation")}.${seed}`;
}
