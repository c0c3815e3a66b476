// Starts the page. Renders it again when the server's state, the current place or the tab's visibility changes.
import { compose, focusComposer, renderComposer, startComposer } from "./composer.js";
import { commands } from "./commands.js";
import { clearUnreachable, el, fill, icon } from "./dom.js";
import { renderMessages, startMessages } from "./messages.js";
import { renderModal, startModal } from "./modal.js";
import { avatar, renderColumns } from "./people.js";
import { listen } from "./server.js";
import { updateRelativeTimes } from "./times.js";
import { renderTrouble } from "./trouble.js";
import { currentPlace, markSeen, places, countUnseen, store } from "./state.js";

const find = (selector) => document.querySelector(selector);
const DRAWERS = ["left", "right", "trouble"];

function render() {
  if (!store.state) return;
  markSeen();
  renderColumns();
  renderTitle();
  renderWelcome();
  renderMessages();
  renderComposer();
  renderTrouble();
  renderModal();
}

function renderTitle() {
  const place = currentPlace();
  const mine = places().reduce((sum, each) => sum + countUnseen(each).mine, 0);
  document.title = `${mine ? `(${mine}) ` : ""}${place.label} | ${store.state.guild.name}`;
  const picture = () => (place.direct ? avatar(store.state.bot.id) : icon("hash"));
  fill(find("#title"), place, () => [picture(), el("span", {}, place.name)]);
}

function renderWelcome() {
  const place = currentPlace();
  const names = commands().map(({ name }) => name);
  fill(find("#welcome"), { place, names }, () => [
    el("div.welcome-icon", {}, icon(place.direct ? "duck" : "hash")),
    el("h3", {}, place.direct ? place.name : `Welcome to #${place.name}!`),
    el("p", {}, place.direct ? directMessageWelcome(place) : `This is the start of the #${place.name} channel.`),
    place.id && names.length > 0 && [
      el("p", {}, "Type ", el("kbd", {}, "/"), ` to see what ${store.state.bot.name} can do:`),
      el("div.row", {}, names.map((name) => (
        el("button.chip", { type: "button", "data-key": name, onclick: () => compose(`${name} `) }, name)
      ))),
    ],
  ].flat());
}

function directMessageWelcome({ id, name }) {
  if (id) return `This is the beginning of your direct message history with ${name}.`;
  return `You have no direct messages with ${name} yet. They appear here when ${name} writes to you.`;
}

function currentDrawer() {
  return document.body.dataset.drawer;
}

/** Opens one drawer, or closes all if `name` is "". Updates the state of the buttons. */
function setDrawer(name) {
  const before = currentDrawer();
  document.body.dataset.drawer = name;
  for (const drawer of DRAWERS) find(`#show-${drawer}`).setAttribute("aria-expanded", drawer === name);
  if (name) find(`#${name} :is(a, button, summary)`)?.focus();
  else if (before) find(`#show-${before}`).focus();
}

function startDrawers() {
  for (const drawer of DRAWERS) {
    find(`#show-${drawer}`).addEventListener("click", () => setDrawer(currentDrawer() === drawer ? "" : drawer));
  }
  for (const closer of ["#shade", "#hide-trouble"]) find(closer).addEventListener("click", () => setDrawer(""));
  find("#channels").addEventListener("click", () => currentDrawer() === "left" && setDrawer(""));
  document.addEventListener("click", ({ target }) => {
    if (!find("#acting").contains(target)) find("#acting").open = false;
  });
}

function onKey(event) {
  if (find("#modal").open) return;
  const step = event.altKey && { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step) {
    event.preventDefault();
    const all = places();
    const at = all.findIndex(({ hash }) => hash === currentPlace().hash);
    location.hash = all[(at + step + all.length) % all.length].hash;
  } else if (event.key === "Escape") {
    if (find("#acting").open) {
      find("#acting").open = false;
      find("#acting summary").focus();
    } else if (currentDrawer()) setDrawer("");
  } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey
    && event.key !== " " && !event.target.closest("input, textarea")) {
    focusComposer(); // typing outside of a field goes into the composer
  }
}

function start() {
  startDrawers();
  startMessages();
  startComposer();
  startModal();
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", render);
  addEventListener("hashchange", render);
  find("#skip").addEventListener("click", (event) => {
    event.preventDefault();
    focusComposer();
  });
  setInterval(updateRelativeTimes, 1000);
  listen((state) => {
    store.state = state;
    render();
  }, (linked) => {
    find("#offline").hidden = linked;
    if (linked) clearUnreachable();
  });
}

start();
