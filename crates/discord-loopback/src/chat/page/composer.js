// The composer: writes messages, and commands with a pill per option.
import * as picker from "./picker.js";
import { choices, commands, matchingCommands, typedCommand } from "./commands.js";
import { el, showError } from "./dom.js";
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
// {option, input, node, picked, named}: `picked` is the value of the chosen suggestion, `named` is false if the
// pill appeared by itself.
let pills = [];
let rest = null; // field after the pills
let requestNumber = 0;
let splitting = null; // promise that ends when the options of a pasted line have their pills
let shownHash = null;
const drafts = new Map(); // by place

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
  if (place.hash !== shownHash) switchDraft(place.hash);
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
  const typed = typedCommand(text.value);
  if (typed) return startCommand(typed, text.value.slice(typed.name.length + 1));
  if (!text.value.startsWith("/")) return picker.hide();
  const found = matchingCommands(text.value).map((one) => (
    { label: one.name, hint: one.description, icon: avatar(store.state.bot.id), one }
  ));
  if (!found.length) return picker.hide();
  picker.offer(text, store.state.bot.name, found, true,
    ({ one }) => startCommand(one));
}

function fitHeight() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

/** Replaces the text by the pills of a command. `words` is the text after its name. */
function startCommand(started, words = "") {
  command = started;
  text.hidden = true;
  rest = field({ class: "rest", "aria-label": `Options for ${command.name}` });
  rest.addEventListener("input", onOptionsInput);
  rest.addEventListener("focus", onOptionsInput);
  row.append(el("span.command", {}, command.name), rest);
  command.options.filter(({ required }) => required).forEach((option) => addPill(option, { named: false }));
  showOptionalCount();
  focusNextPill();
  if (words.trim()) splitting = splitWords(words);
}

/** Puts the options of a pasted line into pills. */
async function splitWords(words) {
  const { name, options } = command;
  try {
    const line = await post("split", { text: `${name} ${words}` });
    if (command?.name !== name) return;
    for (const { name, value } of line.options) {
      const pill = findPill(name) ?? addPill(options.find((option) => option.name === name));
      fillPill(pill, value);
    }
    rest.value = line.rest;
    focusNextPill();
  } catch (error) {
    if (rest) rest.value = oneLine(words);
    showError(refusal, error);
  }
}

function field(props) {
  return el("input", {
    role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "picker-list",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "send", onpaste: pasteOneLine,
    ...props,
  });
}

/** Replaces line breaks by spaces, as Discord's client does in options. */
function oneLine(words) {
  return words.replace(/\r\n|\r|\n/g, " ");
}

// By itself, an input drops line breaks, which glues lines together.
function pasteOneLine(event) {
  const words = event.clipboardData.getData("text");
  if (oneLine(words) === words) return;
  event.preventDefault();
  document.execCommand("insertText", false, oneLine(words));
}

function findPill(name) {
  return pills.find(({ option }) => option.name === name);
}

function addPill(option, { named = true } = {}) {
  const needed = option.required ? ", required" : "";
  const label = { "aria-label": `${option.name}${needed}: ${option.description}` };
  const input = isFile({ option }) ? el("input", { type: "file", ...label }) : field(label);
  const node = el("label.pill", {}, el("span.pill-name", {}, option.name), input);
  const one = { option, input, node, picked: null, named };
  input.addEventListener("focus", () => suggest(one));
  input.addEventListener("input", ({ data }) => {
    one.picked = null;
    if (data !== ":" || !typedName(one)) suggest(one);
  });
  pills.push(one);
  row.insertBefore(one.node, rest);
  fitWidth(input);
  showOptionalCount();
  return one;
}

function fillPill(one, value, picked = null) {
  one.input.value = oneLine(value);
  one.picked = picked;
  fitWidth(one.input);
}

/** Handles the name of an option, typed with its colon: of the pill itself, or of the next one. */
function typedName(one) {
  const { option, input } = one;
  if (!one.named && input.value === `${option.name}:`) {
    one.named = true;
    input.value = "";
    return false;
  }
  const next = unusedOptions().find(({ name }) => input.value.endsWith(` ${name}:`));
  if (!next) return false;
  fillPill(one, input.value.slice(0, -next.name.length - 1).trimEnd());
  addPill(next).input.focus();
  return true;
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
    const words = rest.value;
    rest.value = "";
    if (typed === `${named.name}:`) return addPill(named).input.focus();
    splitting = splitWords(words);
    return picker.hide();
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
  const others = filledPills().filter((other) => other !== one && !isFile(other));
  const options = [...others, one].map(optionText);
  try {
    const answer = await post("complete", { channel: currentPlace().id, text: command.name, options });
    if (number === requestNumber && document.activeElement === input) offerChoices(one, answer.choices);
  } catch (error) {
    if (number === requestNumber) showError(refusal, error);
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
    fillPill(one, label, String(value));
    focusNextPill();
  });
}

function filledPills() {
  return pills.filter(({ input }) => input.value.trim());
}

function isFile({ option }) {
  return option.type === ATTACHMENT;
}

/** Uploads the chosen files; the value of such an option is the file's ID. */
async function uploadFiles(filled) {
  for (const one of filled.filter(isFile)) one.picked = await upload(one.input.files[0]);
}

function optionText({ option, input, picked }) {
  return { name: option.name, value: picked ?? input.value };
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

/** What is written. A browser does not let a page choose a file again. */
function currentDraft() {
  const given = pills.filter((one) => !isFile(one))
    .map(({ option, input, picked, named }) => ({ option, value: input.value, picked, named }));
  return { command, given, words: (rest ?? text).value };
}

/** Keeps what is written in the place before, and shows what was written in this one. */
function switchDraft(hash) {
  if (shownHash) drafts.set(shownHash, currentDraft());
  shownHash = hash;
  clear();
  showRefusal("");
  showDraft(drafts.get(hash));
}

function showDraft(draft) {
  if (!draft) return;
  if (draft.command) {
    startCommand(draft.command);
    for (const { option, value, picked, named } of draft.given) {
      fillPill(findPill(option.name) ?? addPill(option, { named }), value, picked);
    }
  }
  (rest ?? text).value = draft.words;
  fitHeight();
}

async function send() {
  await splitting;
  const missing = pills.find((one) => one.option.required && !one.input.value.trim());
  if (missing) {
    missing.input.focus();
    return showRefusal(`The option ${missing.option.name} is required. Specify a value.`);
  }
  if (rest?.value.trim()) return showRefusal(strayWords(rest.value.trim()));
  const words = command?.name ?? text.value.trim();
  if (!words) return;
  const { hash, id } = currentPlace();
  const body = { channel: id, text: words };
  const [draft, filled] = [currentDraft(), filledPills()];
  // What is typed while this is sent belongs to the next message.
  clear();
  text.focus();
  try {
    await uploadFiles(filled);
    // Where no command is offered, a slash is text.
    if (words.startsWith("/") && commands().length) await post("type", { ...body, options: filled.map(optionText) });
    else await post("write", body);
    if (hash === shownHash) scrollToBottom();
  } catch (error) {
    if (hash !== shownHash) return drafts.set(hash, draft);
    if (!command && !text.value) showDraft(draft);
    showError(refusal, error);
  }
}

function strayWords(words) {
  const names = unusedOptions().map(({ name }) => name).join(", ");
  if (!names) return `${command.name} takes no more options. Remove “${words}”.`;
  return `“${words}” belongs to no option. Put it into one of these: ${names}.`;
}

function showRefusal(sentence) {
  showError(refusal, { message: sentence });
}
