// The left side: the bucket's content, the job, and the actions on a chain.
import { ask, count, find, make, plural, trouble } from "./dom.js";

const MAX_UPLOAD_BYTES = 32 * 1024 * 1024; // the server's limit; it ends a longer request before it has read the body
const NARROW = matchMedia("(max-width: 64rem)");

/** Do something that may be refused, and show the refusal beside its field, or on top. */
async function attempt(work, form) {
  trouble("");
  form?.querySelectorAll(".error").forEach((each) => each.remove());
  form?.querySelectorAll("[aria-invalid]").forEach((each) => {
    each.removeAttribute("aria-invalid");
    if (each.dataset.described !== undefined) each.setAttribute("aria-describedby", each.dataset.described);
  });
  try {
    await work();
  } catch (error) {
    const field = form?.elements.namedItem(error.field ?? "");
    if (!field) return trouble(error.field ? `${error.field} ${error.message}` : error.message);
    const id = `error-${error.field}`;
    field.dataset.described ??= field.getAttribute("aria-describedby") ?? "";
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", `${field.dataset.described} ${id}`.trim());
    field.insertAdjacentElement("afterend", make("p", { id, className: "error" }, error.message));
    field.focus();
  }
}

function values(form) {
  const fields = [...form.elements].filter((each) => each.name);
  return Object.fromEntries(fields.map((each) => [each.name, each.type === "checkbox" ? each.checked : each.value]));
}

/** All dropped files, those in folders included, each with its path. */
async function dropped(items) {
  const found = [];
  const walk = async (entry, path) => {
    if (entry.isFile) {
      found.push([path + entry.name, await new Promise((done, fail) => entry.file(done, fail))]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return;
      for (const each of some) await walk(each, `${path}${entry.name}/`);
    }
  };
  for (const entry of [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)) await walk(entry, "");
  return found;
}

async function upload(files) {
  const pdfs = files.filter(([name]) => name.toLowerCase().endsWith(".pdf"));
  const refused = files.length > pdfs.length ? [`${plural(files.length - pdfs.length, "file")} left out: not named .pdf`] : [];
  trouble("");
  for (const [name, file] of pdfs) {
    try {
      if (file.size > MAX_UPLOAD_BYTES) throw new Error(`must be at most ${MAX_UPLOAD_BYTES / 1024 / 1024} MiB`);
      await ask("PUT", `/api/pdfs?name=${encodeURIComponent(name)}`, file);
    } catch (error) {
      refused.push(`${name}: ${error.message}`); // the others are uploaded all the same
    }
  }
  if (refused.length) trouble(`${plural(files.length, "file")} given. Not taken: ${refused.join("; ")}`);
  find("files").value = "";
}

function listenToFiles() {
  const drop = find("drop");
  find("files").addEventListener("change", (event) => upload([...event.target.files].map((file) => [file.name, file])));
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    upload(await dropped(event.dataTransfer.items));
  });
}

/** Connect every control with the server. */
export function listen() {
  listenToFiles();
  const makeForm = find("make"), job = find("job");
  makeForm.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => ask("POST", "/api/pdfs", values(makeForm)), makeForm);
  });
  job.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      await ask("POST", "/api/run", values(job));
      if (NARROW.matches) find("results").focus();
    }, job);
  });
  find("clear").addEventListener("click", () => attempt(() => ask("DELETE", "/api/pdfs")));
  for (const name of ["kill", "stop", "resume"]) {
    find(name).addEventListener("click", () => attempt(() => ask("POST", `/api/${name}`)));
  }
  for (const name of ["rule", "throttle"]) {
    const box = find(name);
    box.addEventListener("change", () => attempt(async () => {
      try { await ask("POST", `/api/${name}`, { on: box.checked }); } catch (error) { box.checked = !box.checked; throw error; }
    }));
  }
}

/** Show the state of the controls. */
export function show(state) {
  const { bucket, run } = state;
  const phase = run?.phase ?? "idle";
  const busy = Boolean(bucket.busy) || state.preparing;
  const atWork = ["starting", "running", "handed_over", "fanned_out"].includes(phase) && !run.lost;
  find("held").textContent = count(bucket.count);
  find("held-what").textContent = `${bucket.count === 1 ? "object" : "objects"} in the bucket, ${(bucket.size / 1e6).toFixed(1)} MB`;
  find("filling").hidden = !bucket.busy;
  if (bucket.busy) [find("filling").value, find("filling").max] = bucket.busy;
  const more = bucket.count - bucket.keys.length;
  find("keys").replaceChildren(...bucket.keys.map((key) => make("li", {}, make("bdi", {}, key))),
    ...(more > 0 ? [make("li", {}, `and ${count(more)} more`)] : []));
  for (const each of [...find("make").elements, find("files"), find("clear"), find("run")]) each.disabled = busy || atWork;
  find("run").textContent = state.preparing ? "Preparing" : "Run";
  find("kill").disabled = phase !== "running";
  find("stop").disabled = !["running", "handed_over", "fanned_out"].includes(phase);
  find("resume").disabled = !(phase === "parked" || run?.lost);
  find("rule").checked = state.rule_on;
  find("throttle").checked = state.throttled;
}
