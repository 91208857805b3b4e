// What the server reports, shown as it arrives.
import { chains } from "./chains.js";
import * as controls from "./controls.js";
import { find, trouble } from "./dom.js";
import * as manifest from "./manifest.js";
import * as panels from "./panels.js";
import { chart, hops, sides } from "./picture.js";

// A screen reader reads each change aloud: so one word for a chain at work, in every hop.
const PHASES = { idle: "ready", starting: "starting", running: "running", handed_over: "running", fanned_out: "running", complete: "complete", parked: "parked", failed: "failed", lost: "an event was given up" };
let state = null;

function phase() {
  if (state.preparing) return "starting";
  if (state.run?.lost && state.run.phase !== "complete") return "lost";
  return state.run?.phase ?? "idle";
}

function picture() {
  sides(state.run);
  chains(state.run);
  hops(state.run);
  chart(state.run);
}

/** Between two messages, keep the clocks of what is at work running. */
function tick() {
  const run = state?.run;
  if (run && (run.attempts.some((each) => each.ended == null) || run.seed?.state === "running")) picture();
}

function show() {
  const pill = find("status"), words = PHASES[phase()];
  if (pill.textContent !== words) pill.textContent = words;
  pill.dataset.phase = phase();
  if (state.fault) trouble(state.fault);
  controls.show(state);
  picture();
  panels.ledger(state.run?.record);
  manifest.show(state.run);
}

controls.listen();
panels.listen();
manifest.listen();
new ResizeObserver(() => chart(state?.run ?? null)).observe(find("chart"));
setInterval(tick, 250);
const source = new EventSource("/events");
source.addEventListener("state", (event) => { state = JSON.parse(event.data); show(); });
source.addEventListener("lines", (event) => panels.take(JSON.parse(event.data)));
source.addEventListener("error", () => {
  find("status").textContent = "not connected";
  find("status").dataset.phase = "failed";
});
