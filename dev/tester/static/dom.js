// Small things that every part of the page uses.

/** Find an element by its id. */
export const find = (id) => document.getElementById(id);

/** Make an element: properties, then children; strings become text, never markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(element.dataset, value);
    else if (name === "vars") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Make an SVG element. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const count = (number) => number.toLocaleString("en");
export const seconds = (number) => `${number.toFixed(number < 10 ? 1 : 0)} s`;
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** Steps of an axis: round numbers from 0 to the end, at most `most` of them. */
export function ticks(end, most) {
  const rough = end / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => index * step);
}

/** An answer that is not a success; `field` names the form's field at fault. */
export class Refused extends Error {
  constructor(message, field) {
    super(message);
    this.field = field;
  }
}

const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

/** Make a list one stop of the Tab key: the arrows, Home and End go through it. */
export function rove(list, selector) {
  const items = () => [...list.querySelectorAll(selector)];
  const stand = (on) => items().forEach((each) => { each.tabIndex = each === on ? 0 : -1; });
  const current = () => items().find((each) => each.tabIndex === 0) ?? items()[0];
  new MutationObserver(() => stand(items().includes(document.activeElement) ? document.activeElement : current()))
    .observe(list, { childList: true });
  list.addEventListener("focusin", (event) => { if (event.target.matches(selector)) stand(event.target); });
  list.addEventListener("keydown", (event) => {
    const step = STEPS[event.key], all = items(), at = all.indexOf(event.target);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, at + step))].focus();
  });
}

/** Ask the server. */
export async function ask(method, path, body) {
  const json = body !== undefined && !(body instanceof Blob);
  const response = await fetch(path, {
    method,
    headers: json ? { "Content-Type": "application/json" } : {},
    body: json ? JSON.stringify(body) : body,
  }).catch(() => { throw new Refused("the tester does not answer: has it been stopped?"); });
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.message, answer.field);
  return answer;
}

/** Show what went wrong, or hide it. */
export function trouble(message) {
  find("trouble").textContent = message || "";
  find("trouble").hidden = !message;
  if (message) find("trouble").scrollIntoView({ block: "nearest" }); // its field may be far below
}
