// State of the page: the server's state, the places, and what the person has seen in them.

// `mine` has the interactions that this tab created.
export const store = { state: null, mine: new Set() };

/** Places in order: the guild's channels, then the direct messages, whose ID is null until they exist. */
export function places() {
  const { channels, bot } = store.state;
  const direct = channels.find((channel) => channel.with);
  const rooms = channels.filter((channel) => !channel.with).map(({ id, name }) => (
    { id, name, hash: `#${encodeURIComponent(name)}`, label: `#${name}`, direct: false }
  ));
  return [...rooms, { id: direct?.id ?? null, name: bot.name, hash: "#@bot", label: bot.name, direct: true }];
}

/** The place on the page. */
export function currentPlace() {
  return places().find((place) => place.hash === location.hash) ?? places()[0];
}

export function isBot(id) {
  return id === store.state.bot.id;
}

export function nameOf(id) {
  if (isBot(id)) return store.state.bot.name;
  return store.state.people.find((person) => person.id === id)?.name ?? "unknown";
}

export function channelName(id) {
  const channel = store.state.channels.find((channel) => channel.id === id);
  return channel?.with ? `@${store.state.bot.name}` : `#${channel?.name ?? "unknown"}`;
}

// Stored per person and tab, so it survives a reload and a switch of the person.
function memory() {
  return JSON.parse(sessionStorage.getItem(`person ${store.state.me}`)) ?? { seen: {}, dismissed: [] };
}

function remember(change) {
  const all = memory();
  change(all);
  sessionStorage.setItem(`person ${store.state.me}`, JSON.stringify(all));
}

export function dismissedKeys() {
  return new Set(memory().dismissed);
}

export function dismiss(key) {
  remember((all) => all.dismissed.push(key));
}

/** Marks the messages of the current place as seen, if the tab is visible. */
export function markSeen() {
  const place = currentPlace();
  const last = store.state.messages.findLast((message) => message.channel === place.id);
  if (document.hidden || !last) return;
  remember((all) => { all.seen[place.id] = last.id; });
}

/** Number of unread messages in a place, and of those that are direct or mention this person. */
export function countUnseen(place) {
  const since = BigInt(memory().seen[place.id] ?? 0);
  const news = store.state.messages.filter((message) =>
    message.channel === place.id && message.author !== store.state.me && BigInt(message.id) > since);
  const mine = news.filter((message) => place.direct || message.pinged.includes(store.state.me));
  return { all: news.length, mine: mine.length };
}
