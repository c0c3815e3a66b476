// Renders the messages of the current place, with pending and failed interactions.
import { el, fill, icon } from "./dom.js";
import { markdown } from "./markdown.js";
import { components, embeds, files } from "./parts.js";
import { appTag, avatar } from "./people.js";
import { formatDateTime, formatDate } from "./times.js";
import { dismiss, dismissedKeys, currentPlace, isBot, nameOf, store } from "./state.js";

const MAX_GROUP_GAP_MS = 7 * 60 * 1000;
const BOTTOM_TOLERANCE_PX = 60;

const scroller = document.querySelector("#scroller");
const log = document.querySelector("#log");
const news = document.querySelector("#news");
let isAtBottom = true;
let shownSize = "";
let shownHash = null;

export function startMessages() {
  scroller.addEventListener("scroll", () => {
    if (shownSize !== size()) return; // the window has changed, and nobody scrolled
    isAtBottom = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < BOTTOM_TOLERANCE_PX;
    if (isAtBottom) news.hidden = true;
  });
  new ResizeObserver(() => isAtBottom && scrollToBottom()).observe(log);
  new ResizeObserver(() => {
    shownSize = size();
    if (isAtBottom) scrollToBottom();
  }).observe(scroller);
  news.addEventListener("click", scrollToBottom);
}

function size() {
  return `${scroller.clientWidth} ${scroller.clientHeight}`;
}

export function scrollToBottom() {
  isAtBottom = true;
  news.hidden = true;
  scroller.scrollTop = scroller.scrollHeight;
}

export function renderMessages() {
  const place = currentPlace();
  const placeChanged = shownHash !== place.hash;
  shownHash = place.hash;
  if (placeChanged) log.setAttribute("aria-live", "off"); // don't read out the whole channel
  const last = log.lastElementChild;
  sync(entryViews(place));
  if (placeChanged || isAtBottom) scrollToBottom();
  else if (log.lastElementChild !== last) news.hidden = false;
  if (placeChanged) requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
}

/** Entries of a place with their display state, oldest first. */
function entryViews(place) {
  const { messages, waiting, failed, bot, me } = store.state;
  const dismissed = dismissedKeys();
  const entries = messages.filter((message) => message.channel === place.id)
    .map((message) => ({ ...message, kind: "message", key: message.id }));
  // IDs increase with time, so an interaction's ID gives the position of its command.
  for (const [kind, list] of Object.entries({ waiting, failed })) {
    for (const one of list.filter(({ message, channel }) => !message && channel === place.id)) {
      const command = one.words ? { person: me, words: one.words } : null;
      const later = entries.findIndex(({ id }) => BigInt(id) > BigInt(one.interaction));
      const entry = { kind, key: `${kind} ${one.interaction}`, id: one.interaction, author: bot.id, command };
      entries.splice(later < 0 ? entries.length : later, 0, entry);
    }
  }
  const kept = entries.filter(({ key }) => !dismissed.has(key));
  return kept.map((entry, index) => ({ ...entry, ...contextOf(entry, kept[index - 1]) }));
}

/** Display state of an entry that depends on the entry before it and on the person's actions. */
function contextOf(entry, before) {
  const { waiting, failed } = store.state;
  const day = ({ at }) => new Date(at).toDateString();
  const newDay = Boolean(entry.at && before?.at) && day(entry) !== day(before);
  const grouped = before?.kind === "message" && entry.kind === "message" && !newDay && !entry.command
    && entry.author === before.author && entry.ephemeral === before.ephemeral
    && new Date(entry.at) - new Date(before.at) < MAX_GROUP_GAP_MS;
  return {
    head: !grouped,
    newDay,
    busy: waiting.filter(({ message }) => message === entry.id).map(({ custom_id }) => custom_id),
    broken: failed.some(({ message }) => message === entry.id),
  };
}

function sync(wanted) {
  const old = new Map([...log.children].map((node) => [node.dataset.key, node]));
  const keys = new Set(wanted.map(({ key }) => key));
  for (const [key, node] of old) if (!keys.has(key)) node.remove();
  let next = log.firstElementChild;
  for (const view of wanted) {
    const node = old.get(view.key) ?? skeleton(view.key);
    if (node === next) next = next.nextElementSibling;
    else log.insertBefore(node, next);
    update(node, view);
  }
}

const PARTS = ["day", "used", "gutter", "head", "content", "embeds", "files", "components", "error", "note"];
const partsOf = new WeakMap();

function skeleton(key) {
  const parts = Object.fromEntries(PARTS.map((name) => [name, el(`div.${name}`)]));
  const { day, used, gutter, ...body } = parts;
  const rest = el("div.body", {}, Object.values(body));
  parts.article = el("article.message", { tabindex: -1 }, used, gutter, rest);
  const node = el("div.entry", { "data-key": key }, day, parts.article);
  partsOf.set(node, parts);
  return node;
}

function update(node, view) {
  const parts = partsOf.get(node);
  const { article } = parts;
  article.classList.toggle("with-head", view.head);
  article.classList.toggle("ephemeral", Boolean(view.ephemeral) || view.kind === "failed");
  article.classList.toggle("pinged", Boolean(view.pinged?.includes(store.state.me)));
  const label = [nameOf(view.author), view.at && formatDateTime(new Date(view.at))];
  article.setAttribute("aria-label", label.filter(Boolean).join(", "));
  const put = (part, data, build) => fill(parts[part], data, build);
  put("day", view.newDay && view.at, (at) => at && el("span", {}, formatDate(new Date(at), "D")));
  put("used", view.command, (command) => command && usedCommand(command));
  put("gutter", [view.head, view.author, view.at], () => gutter(view));
  put("head", [view.head, view.author, view.at], () => view.head && head(view));
  put("content", [view.kind, view.content, view.thinking, view.edited], () => content(view));
  put("embeds", view.embeds ?? [], embeds);
  put("files", view.files ?? [], files);
  put("components", [view.id, view.components ?? [], view.busy], (all) => components(...all));
  put("error", view.broken, (broken) => broken && "This interaction failed");
  put("note", view.ephemeral || view.kind === "failed", (mine) => mine && onlyYou(view.key));
}

function usedCommand({ person, words }) {
  return [icon("used"), avatar(person), el("b", {}, nameOf(person)), " used ", el("span.mention", {}, words)];
}

function gutter({ head, author, at }) {
  if (head) return avatar(author);
  return el("time", { datetime: at }, formatDate(new Date(at), "t"));
}

function head({ author, at }) {
  const date = at && new Date(at);
  return [
    el("b.author", {}, nameOf(author)),
    isBot(author) && appTag(),
    date && el("time", { datetime: at, title: formatDate(date, "F") }, formatDateTime(date)),
  ];
}

function content(view) {
  if (view.kind === "waiting") return thinking("Sending command");
  if (view.kind === "failed") return el("p.did-not", {}, "⚠\uFE0E The application did not respond");
  if (view.thinking) return thinking(`${nameOf(view.author)} is thinking`);
  const nodes = markdown(view.content);
  if (!view.edited) return nodes;
  const mark = el("span.edited", {}, "(edited)");
  if (nodes.at(-1)?.tagName === "P") nodes.at(-1).append(" ", mark);
  else nodes.push(mark);
  return nodes;
}

function thinking(words) {
  const dots = el("span.dots", { "aria-hidden": "true" }, el("i"), el("i"), el("i"));
  return el("p.thinking", {}, dots, `${words}…`);
}

function onlyYou(key) {
  const hide = () => {
    dismiss(key);
    renderMessages();
    document.querySelector("#composer :is(textarea, .rest):not([hidden])")?.focus();
  };
  return [icon("eye"), "Only you can see this", el("span", { "aria-hidden": "true" }, " • "),
    el("button.as-link", { type: "button", onclick: hide }, "Dismiss message")];
}
