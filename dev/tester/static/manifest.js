// The manifest's lines, with links that open the PDFs. The lines are fetched when they are shown, and stored nowhere.
import { ask, count, find, make, plural, rove, trouble } from "./dom.js";

const LINES = 50;
let shown = null;
let offset = 0;

/** Show the manifest of a run that is complete; hide it otherwise. */
export function show(run) {
  const number = run?.phase === "complete" ? run.number : null;
  if (number === shown) return;
  shown = number;
  offset = 0;
  find("manifest-filters").hidden = find("manifest-whole").hidden = number === null;
  if (number !== null) return load();
  find("entries").replaceChildren();
  find("manifest-says").textContent = "The manifest appears when the chain is complete, or not at all.";
}

async function load() {
  const text = find("manifest-filters").elements.namedItem("text").value;
  try {
    const page = await ask("GET", `/api/manifest?offset=${offset}&text=${encodeURIComponent(text)}`);
    const last = page.offset + page.entries.length;
    const range = page.entries.length ? `${count(page.offset + 1)} to ${count(last)} of ` : "";
    find("manifest-says").textContent = `${range}${plural(page.matching, "line")}; ${count(page.total)} in all, ${count(page.size)} bytes.`;
    find("before").disabled = page.offset === 0;
    find("next").disabled = last >= page.matching;
    find("entries").replaceChildren(...page.entries.map((each) => make("li", { value: each.number },
      make("a", { href: each.url, target: "_blank", rel: "noopener noreferrer" }, make("bdi", {}, each.key)))));
  } catch (error) {
    trouble(error.message);
  }
}

export function listen() {
  let waiting;
  rove(find("entries"), "a");
  const turn = (by) => { offset = Math.max(0, offset + by); load(); };
  find("before").addEventListener("click", () => turn(-LINES));
  find("next").addEventListener("click", () => turn(LINES));
  find("manifest-filters").addEventListener("submit", (event) => event.preventDefault());
  find("manifest-filters").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { offset = 0; load(); }, 200);
  });
}
