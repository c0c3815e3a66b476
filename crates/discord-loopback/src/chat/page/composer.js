// The composer: writes messages, and commands with a pill per option.
import * as picker from "./picker.js";
import { choices, formatLine, matchingCommands, parseLine } from "./commands.js";
import { el } from "./dom.js";
import { scrollToBottom } from "./messages.js";
import { avatar } from "./people.js";
import { post, upload } from "./server.js";
import { currentPlace, store } from "./state.js";

const COMPLETE_AFTER_MS = 150;
const ATTACHMENT = 11;

const form = document.querySelector("#composer");
const row = document.querySelector("#line");
const text = document.querySelector("#text");
const refusal = document.querySelector("#refusal");
const sender = document.querySelector("#send");

let command = null; // command whose options are being filled in
let pills = []; // {option, input, node, picked}: `picked` is the value of the chosen suggestion
let rest = null; // field after the pills
let requestNumber = 0;
let sending = false;
let shownHash = null;

export function startComposer() {
  form.addEventListener("keydown", onKey);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener("focusout", ({ relatedTarget }) => form.contains(relatedTarget) || picker.hide());
  text.addEventListener("input", onText);
  row.addEventListener("click", ({ target }) => target === row && focusComposer());
}

export function renderComposer() {
  const place = currentPlace();
  if (place.hash !== shownHash) showRefusal("");
  shownHash = place.hash;
  text.disabled = sender.disabled = !place.id;
  text.placeholder = place.id ? `Message ${place.direct ? "@" : "#"}${place.name}`
    : `You can reply when ${place.name} writes to you`;
  text.setAttribute("aria-label", text.placeholder);
}

export function focusComposer() {
  (rest ?? text).focus();
}

/** Fills in a line as if it had been typed. */
export function compose(words) {
  clear();
  text.value = words;
  text.focus();
  onText();
}

function onText() {
  showRefusal("");
  fitHeight();
  const typed = parseLine(text.value);
  if (typed) return startCommand(typed);
  if (!text.value.startsWith("/")) return picker.hide();
  const found = matchingCommands(text.value).map((one) => (
    { label: one.name, hint: one.description, icon: avatar(store.state.bot.id), one }
  ));
  if (!found.length) return picker.hide();
  picker.offer(text, store.state.bot.name, found, true,
    ({ one }) => startCommand({ command: one, given: [], rest: "" }));
}

function fitHeight() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

/** Replaces the text by the pills of a command. */
function startCommand(typed) {
  command = typed.command;
  text.hidden = true;
  rest = field({ class: "rest", "aria-label": `Options for ${command.name}` });
  rest.addEventListener("input", onOptionsInput);
  rest.addEventListener("focus", onOptionsInput);
  row.append(el("span.command", {}, command.name), rest);
  typed.given.forEach(({ option, value }) => addPill(option, value));
  command.options.filter(({ required, name }) => required && !findPill(name)).forEach((option) => addPill(option));
  rest.value = typed.rest;
  showOptionalCount();
  focusNextPill();
}

function field(props) {
  return el("input", {
    role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "picker-list",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "send", ...props,
  });
}

function findPill(name) {
  return pills.find(({ option }) => option.name === name);
}

function addPill(option, value = "") {
  const needed = option.required ? ", required" : "";
  const label = { "aria-label": `${option.name}${needed}: ${option.description}` };
  const input = isFile({ option }) ? el("input", { type: "file", ...label }) : field(label);
  const node = el("label.pill", {}, el("span.pill-name", {}, option.name), input);
  const one = { option, input, node, picked: null };
  if (!isFile(one)) input.value = value; // a page can't choose a file
  input.addEventListener("focus", () => suggest(one));
  input.addEventListener("input", () => {
    one.picked = null;
    suggest(one);
  });
  pills.push(one);
  row.insertBefore(one.node, rest);
  fitWidth(input);
  showOptionalCount();
  return one;
}

function fitWidth(input) {
  input.size = Math.max(input.value.length, input.placeholder.length, 3);
}

/** Focuses the first empty pill, or the field after the last pill. */
function focusNextPill() {
  (pills.find(({ input }) => !input.value)?.input ?? rest).focus();
}

function unusedOptions() {
  return command.options.filter(({ name }) => !findPill(name));
}

function showOptionalCount() {
  const left = unusedOptions().length;
  rest.placeholder = left ? `+${left} optional` : "";
  fitWidth(rest);
}

function onOptionsInput() {
  showRefusal("");
  fitWidth(rest);
  const typed = rest.value.trim();
  const named = unusedOptions().find(({ name }) => typed.startsWith(`${name}:`));
  if (named) {
    rest.value = "";
    return addPill(named, typed.slice(named.name.length + 1)).input.focus();
  }
  const found = unusedOptions().filter(({ name }) => name.includes(typed))
    .map((option) => ({ label: option.name, hint: option.description, option }));
  if (!found.length) return picker.hide();
  picker.offer(rest, `Options for ${command.name}`, found, typed !== "", ({ option }) => {
    rest.value = "";
    addPill(option).input.focus();
  });
}

/** Shows suggestions for a pill. */
async function suggest(one) {
  const { option, input } = one;
  const number = ++requestNumber;
  showRefusal("");
  fitWidth(input);
  offerChoices(one, matchingChoices(choices(option) ?? [], input.value));
  if (!option.autocomplete) return;
  await new Promise((done) => setTimeout(done, COMPLETE_AFTER_MS));
  if (number !== requestNumber) return;
  const others = pills.filter((other) => other !== one && !isFile(other) && other.input.value.trim())
    .map(optionValue);
  const asking = formatLine(command, [...others, { option, value: one.picked ?? input.value }]);
  try {
    const answer = await post("complete", { channel: currentPlace().id, text: asking });
    if (number === requestNumber && document.activeElement === input) offerChoices(one, answer.choices);
  } catch ({ message }) {
    if (number === requestNumber) showRefusal(message);
  }
}

function matchingChoices(all, typed) {
  return all.filter(({ name }) => name.toLowerCase().includes(typed.trim().toLowerCase()));
}

function offerChoices(one, offered) {
  const { option, input } = one;
  // Without suggestions, Enter sends the command.
  const said = offered.flatMap(({ name, value }) => [name, String(value)]);
  const done = one.picked !== null || said.includes(input.value);
  const items = done ? [] : offered.map(({ name, value }) => ({ label: name, value }));
  const heading = [el("b", {}, option.name), ` ${option.description}`];
  picker.offer(input, el("span", {}, heading), items, true, ({ label, value }) => {
    input.value = label;
    one.picked = String(value);
    fitWidth(input);
    focusNextPill();
  });
}

function isFile({ option }) {
  return option.type === ATTACHMENT;
}

/** Uploads the chosen files; the value of such an option is the file's ID. */
async function uploadFiles(filled) {
  for (const one of filled.filter(isFile)) one.picked = await upload(one.input.files[0]);
}

function optionValue({ option, input, picked }) {
  return { option, value: picked ?? input.value.trim() };
}

function onKey(event) {
  if (event.isComposing) return;
  if (picker.handleKey(event)) {
    event.stopPropagation();
    return event.preventDefault();
  }
  const { key, target, shiftKey } = event;
  if (key === "Enter" && !shiftKey && target !== sender) {
    event.preventDefault();
    send();
  } else if (key === "Escape" && command) {
    event.stopPropagation();
    clear();
    text.focus();
  } else if (key === "Backspace" && command && target.value === "") {
    event.preventDefault();
    removePill(target);
  }
}

/** Removes the pill at or before an empty field, on Backspace. */
function removePill(input) {
  const one = pills.find((other) => other.input === input) ?? pills.at(-1);
  if (!one || one.option.required) return compose(command.name);
  pills = pills.filter((other) => other !== one);
  one.node.remove();
  showOptionalCount();
  rest.focus();
}

function clear() {
  picker.hide();
  requestNumber += 1;
  command = rest = null;
  pills = [];
  row.replaceChildren(text);
  text.hidden = false;
  text.value = "";
  fitHeight();
}

async function send() {
  const missing = pills.find((one) => one.option.required && !one.input.value.trim());
  if (missing) {
    missing.input.focus();
    return showRefusal(`The option ${missing.option.name} is required. Specify a value.`);
  }
  const filled = pills.filter(({ input }) => input.value.trim());
  if (sending || !(command || text.value.trim())) return;
  sending = true;
  try {
    await uploadFiles(filled);
    const typed = command ? `${formatLine(command, filled.map(optionValue))} ${rest.value}`.trim() : text.value.trim();
    await post(typed.startsWith("/") ? "type" : "write", { channel: currentPlace().id, text: typed });
    clear();
    scrollToBottom();
    text.focus();
  } catch ({ message }) {
    showRefusal(message);
  } finally {
    sending = false;
  }
}

function showRefusal(sentence) {
  refusal.textContent = sentence;
}

