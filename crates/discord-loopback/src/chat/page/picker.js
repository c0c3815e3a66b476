// Suggestions of commands, options and values above the composer.
import { el } from "./dom.js";

const box = document.querySelector("#picker");
const title = document.querySelector("#picker-title");
const list = document.querySelector("#picker-list");
let field = null; // field in which the person types
let items = [];
let active = -1;
let onChosen = null;

/** Shows {label, hint} items under a heading. With `first`, Enter selects the first item. */
export function offer(input, heading, offered, first, onChoose) {
  hide();
  [field, items, active, onChosen] = [input, offered, first && offered.length ? 0 : -1, onChoose];
  title.replaceChildren(heading);
  list.replaceChildren(...items.map(({ label, hint, icon }, at) => el("div.item", {
    role: "option", id: `item-${at}`,
    // Keep the focus in the field.
    onpointerdown: (event) => event.preventDefault(),
    onclick: () => chooseItem(at),
  }, icon, el("span.who", {}, el("b", {}, label), hint && el("span.note", {}, hint)))));
  box.hidden = false;
  list.hidden = !items.length;
  field.setAttribute("aria-expanded", String(items.length > 0));
  highlightActive();
}

export function hide() {
  box.hidden = true;
  field?.setAttribute("aria-expanded", "false");
  field?.removeAttribute("aria-activedescendant");
  items = [];
  active = -1;
}

/** Handles a key. Returns true if the list used it. */
export function handleKey(event) {
  if (box.hidden || event.altKey) return false;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") hide();
  else if (step && items.length) moveActive(step);
  else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && active >= 0) chooseItem(active);
  else return false;
  return true;
}

function moveActive(step) {
  const from = active < 0 && step < 0 ? 0 : active;
  active = (from + step + items.length) % items.length;
  highlightActive();
}

function highlightActive() {
  [...list.children].forEach((node, at) => node.setAttribute("aria-selected", String(at === active)));
  if (active < 0) return;
  field.setAttribute("aria-activedescendant", `item-${active}`);
  list.children[active].scrollIntoView({ block: "nearest" });
}

function chooseItem(at) {
  const item = items[at];
  hide();
  onChosen(item);
}
