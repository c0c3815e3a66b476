// Starts the page and redraws it whenever the server's state, the place or the tab's visibility changes.
import { compose, focusComposer, renderComposer, startComposer } from "./composer.js";
import { commands } from "./commands.js";
import { el, fill, icon } from "./dom.js";
import { renderMessages, startMessages } from "./messages.js";
import { renderModal, startModal } from "./modal.js";
import { avatar, renderColumns } from "./people.js";
import { listen } from "./server.js";
import { tick } from "./times.js";
import { renderTrouble } from "./trouble.js";
import { here, look, places, unseen, store } from "./state.js";

const find = (selector) => document.querySelector(selector);
const DRAWERS = ["left", "right", "trouble"];

function render() {
  if (!store.state) return;
  look();
  renderColumns();
  renderTitle();
  renderWelcome();
  renderMessages();
  renderComposer();
  renderTrouble();
  renderModal();
}

function renderTitle() {
  const place = here();
  const mine = places().reduce((sum, each) => sum + unseen(each).mine, 0);
  document.title = `${mine ? `(${mine}) ` : ""}${place.label} | ${store.state.guild.name}`;
  const picture = () => (place.direct ? avatar(store.state.bot.id) : icon("hash"));
  fill(find("#title"), place, () => [picture(), el("span", {}, place.name)]);
}

function renderWelcome() {
  const place = here();
  const names = commands().map(({ name }) => name);
  fill(find("#welcome"), { place, names }, () => [
    el("div.welcome-icon", {}, icon(place.direct ? "duck" : "hash")),
    el("h3", {}, place.direct ? place.name : `Welcome to #${place.name}!`),
    el("p", {}, place.direct ? directWords(place) : `This is the start of the #${place.name} channel.`),
    place.id && names.length > 0 && [
      el("p", {}, "Type ", el("kbd", {}, "/"), ` to see what ${store.state.bot.name} can do:`),
      el("div.row", {}, names.map((name) => (
        el("button.chip", { type: "button", "data-key": name, onclick: () => compose(`${name} `) }, name)
      ))),
    ],
  ].flat());
}

function directWords({ id, name }) {
  if (id) return `This is the start of your direct messages with ${name}.`;
  return `There are no direct messages with ${name} yet. They stand here once it writes to you.`;
}

function drawn() {
  return document.body.dataset.drawer;
}

/** Opens one drawer or, with "", none, and says so to the buttons. */
function draw(name) {
  const before = drawn();
  document.body.dataset.drawer = name;
  for (const drawer of DRAWERS) find(`#show-${drawer}`).setAttribute("aria-expanded", drawer === name);
  if (name) find(`#${name} :is(a, button, summary)`)?.focus();
  else if (before) find(`#show-${before}`).focus();
}

function startDrawers() {
  for (const drawer of DRAWERS) {
    find(`#show-${drawer}`).addEventListener("click", () => draw(drawn() === drawer ? "" : drawer));
  }
  for (const closer of ["#shade", "#hide-trouble"]) find(closer).addEventListener("click", () => draw(""));
  find("#channels").addEventListener("click", () => drawn() === "left" && draw(""));
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
    const at = all.findIndex(({ hash }) => hash === here().hash);
    location.hash = all[(at + step + all.length) % all.length].hash;
  } else if (event.key === "Escape") {
    if (find("#acting").open) {
      find("#acting").open = false;
      find("#acting summary").focus();
    } else if (drawn()) draw("");
  } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey
    && event.key !== " " && !event.target.closest("input, textarea")) {
    focusComposer(); // what is typed nowhere else goes there
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
  setInterval(tick, 1000);
  listen((state) => {
    store.state = state;
    render();
  }, (linked) => {
    find("#offline").hidden = linked;
  });
}

start();
