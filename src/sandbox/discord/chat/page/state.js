// What the page knows: the server's state, the places to be in, and what this person has seen of them.

export const store = { state: null };

/** All places in order: the guild's channels, then the direct messages, without an id until they exist. */
export function places() {
  const { channels, bot } = store.state;
  const direct = channels.find((channel) => channel.with);
  const rooms = channels.filter((channel) => !channel.with).map(({ id, name }) => (
    { id, name, hash: `#${encodeURIComponent(name)}`, label: `#${name}`, direct: false }
  ));
  return [...rooms, { id: direct?.id ?? null, name: bot.name, hash: "#@bot", label: bot.name, direct: true }];
}

/** The place that is shown. */
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

// Per person and tab: it outlives a reload, and acting as somebody else for a while.
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

/** Whatever is in the place that is shown has been seen, if the tab is in front. */
export function markSeen() {
  const place = currentPlace();
  const last = store.state.messages.findLast((message) => message.channel === place.id);
  if (document.hidden || !last) return;
  remember((all) => { all.seen[place.id] = last.id; });
}

/** How much is new in a place, and how much of that is for me in particular. */
export function countUnseen(place) {
  const since = BigInt(memory().seen[place.id] ?? 0);
  const news = store.state.messages.filter((message) =>
    message.channel === place.id && message.author !== store.state.me && BigInt(message.id) > since);
  const mine = news.filter((message) => place.direct || message.pinged.includes(store.state.me));
  return { all: news.length, mine: mine.length };
}
