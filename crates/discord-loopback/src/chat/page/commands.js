// Lists commands. No DOM. The server splits lines into options.
import { currentPlace, store } from "./state.js";

const GROUP = 2;
const BOOLEAN = 5;

/** Commands that can be sent in this place: {name: "/duck start", description, options}. */
export function commands() {
  return store.state.commands.filter(isOffered).flatMap((command) => flatten("/", command));
}

// Discord offers the commands of a server only in that server.
function isOffered({ guild_id: guild }) {
  return !currentPlace().direct || !guild;
}

function flatten(before, { name, description, options = [] }) {
  const nested = options.filter((option) => option.type <= GROUP);
  if (nested.length) return nested.flatMap((option) => flatten(`${before}${name} `, option));
  return [{ name: before + name, description, options }];
}

export function matchingCommands(text) {
  const wanted = text.slice(1).trim().toLowerCase();
  return commands().filter(({ name }) => name.slice(1).includes(wanted));
}

/** Command whose name the text begins with, if the name is complete. */
export function typedCommand(text) {
  return commands().find(({ name }) => text.startsWith(`${name} `)) ?? null;
}

/** Fixed choices of an option; null if it takes any value. */
export function choices(option) {
  if (option.choices?.length) return option.choices.map(({ name }) => ({ name, value: name }));
  if (option.type === BOOLEAN) return ["True", "False"].map((name) => ({ name, value: name }));
  return null;
}
