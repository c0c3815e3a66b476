// Renders people, the bot and the side columns: places on the left, members on the right.
import { el, fill, icon } from "./dom.js";
import { currentPlace, isBot, nameOf, places, countUnseen, store } from "./state.js";

const TINTS = 7;

export function avatar(id) {
  if (isBot(id)) return el("span.avatar.duck", { "aria-hidden": "true" }, icon("duck"));
  const tint = Number(BigInt(id) % BigInt(TINTS));
  return el(`span.avatar.tint-${tint}`, { "aria-hidden": "true" }, [...nameOf(id)][0].toUpperCase());
}

export function appTag() {
  return el("span.app", {}, "APP");
}

/** The bot's avatar with a dot for its status. */
function botAvatar() {
  const { status } = store.state.bot;
  const dot = el(`span.dot.${status}`, { role: "img", "aria-label": status });
  return el("span.with-dot", {}, avatar(store.state.bot.id), dot);
}

export function renderColumns() {
  const { guild, people, me, bot } = store.state;
  fill(document.querySelector("#guild"), guild.name, (name) => name);
  const shown = currentPlace().hash;
  const listed = places().map((place) => (
    { ...place, unseen: countUnseen(place), current: place.hash === shown }
  ));
  fill(document.querySelector("#channels"), { listed, bot }, () => channels(listed));
  fill(document.querySelector("#acting"), { people, me, shown }, () => personSwitcher());
  fill(document.querySelector("#right"), { people, bot }, () => members());
}

function channels(listed) {
  const direct = listed.at(-1);
  return [
    el("h3", {}, "Text Channels"),
    el("ul", {}, listed.slice(0, -1).map((place) => el("li", {}, channel(place, icon("hash"))))),
    el("h3", {}, "Direct Messages"),
    el("ul", {}, el("li", {}, channel(direct, botAvatar(), direct.id ? null : "No messages yet"))),
  ];
}

function channel(place, picture, note) {
  const { all, mine } = place.unseen;
  const news = all > 0 && !place.current;
  const props = { href: place.hash, "data-key": place.hash, "aria-current": place.current && "page" };
  return el(news ? "a.channel.news" : "a.channel", props, picture,
    el("span.channel-name", {}, place.name, note && el("span.note", {}, note)),
    news && el("span.hidden", {}, `, ${all} unread`),
    mine > 0 && news && el("span.badge", { "aria-label": `, ${mine} for you` }, String(mine)));
}

function roleOf(person) {
  if (!person.in_guild) return "not in this server";
  return person.roles.join(", ") || "no role";
}

function personSwitcher() {
  const { people, me } = store.state;
  const acting = people.find((person) => person.id === me);
  const others = people.filter((person) => person.id !== me);
  const label = `Acting as ${acting.name}, ${roleOf(acting)}. Switch person`;
  return [
    el("summary", { "data-key": "acting", "aria-label": label },
      avatar(me), nameWithNote(acting.name, roleOf(acting)), icon("open")),
    el("ul.menu", { "aria-label": "Act as another person" }, others.map((person) => el("li", {}, el("a", {
      href: `?as=${encodeURIComponent(person.name)}${currentPlace().hash}`,
    }, avatar(person.id), nameWithNote(`Act as ${person.name}`, roleOf(person)))))),
  ];
}

function nameWithNote(name, note) {
  return el("span.who", {}, el("b", {}, name), el("span.note", {}, note));
}

/** Members grouped by first role, then the bot, then people who are not in the guild. */
function members() {
  const { people, bot } = store.state;
  const groups = new Map();
  for (const person of people) {
    const name = person.in_guild ? person.roles[0] ?? "no role" : "not in this server";
    groups.set(name, [...groups.get(name) ?? [], person]);
  }
  const left = groups.get("not in this server") ?? [];
  groups.delete("not in this server");
  const name = el("span", {}, bot.name, " ", appTag());
  return [
    ...[...groups].map(([role, group]) => memberGroup(role, group)),
    el("section", {}, el("h3", {}, "Bot"),
      el("ul", {}, el("li.member", {}, botAvatar(), nameWithNote(name, bot.activity ?? bot.status)))),
    left.length > 0 && memberGroup("not in this server", left, "away"),
  ];
}

function memberGroup(name, group, look = "here") {
  return el("section", {}, el("h3", {}, `${name} — ${group.length}`), el("ul", {}, group.map((person) => {
    const roles = person.in_guild ? roleOf(person) : "";
    const note = [roles, !person.dms_open && "DMs closed"].filter(Boolean).join(" · ");
    return el(`li.member.${look}`, {}, avatar(person.id), nameWithNote(person.name, note));
  })));
}
