// The ranges of a job that several chains share, side by side: how far each chain is.
import { count, find, make, plural } from "./dom.js";

const WORDS = { handed_over: "between two hops", lost: "its hop has died" };
const OUTCOMES = { handed_over: "running", lost: "failed" };

export function chains(run) {
  const ranges = run?.ranges ?? [];
  find("shared").hidden = !ranges.length;
  if (!ranges.length) return;
  const done = ranges.filter((each) => each.state === "complete").length;
  const atWork = ranges.filter((each) => ["running", "handed_over"].includes(each.state)).length;
  find("shared-says").textContent = `${count(done)} of ${count(ranges.length)} ranges done, ${count(atWork)} at work. Step Functions would let ${count(run.chains)} work at once; this emulator lets all.`;
  find("ranges").replaceChildren(...ranges.map(row));
}

function row(range) {
  const name = `range ${range.number}`, words = WORDS[range.state] ?? range.state;
  const keys = range.expected == null ? "" : `hop ${range.hop}, ${count(range.count)} of ${plural(range.expected, "key")}`;
  const because = range.reason ? `: ${range.reason}` : "";
  const bar = make("progress", { max: Math.max(1, range.expected ?? 1), value: range.state === "complete" ? Math.max(1, range.expected) : range.count, ariaLabel: name });
  return make("li", { className: "hop", data: { outcome: OUTCOMES[range.state] ?? range.state }, title: `${name}: ${words}${because}` },
    make("span", {}, name), bar,
    make("span", { className: "what" }, make("strong", {}, words), " ", make("small", {}, `${keys}${because}`)));
}
