// Lists commands, and parses and formats command lines. No DOM.
import { store } from "./state.js";

const GROUP = 2;
const BOOLEAN = 5;

/** Commands that can be sent: {name: "/duck start", description, options}. */
export function commands() {
  return store.state.commands.flatMap((command) => flatten("/", command));
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

/** Parses a line into its command and the values of its options. Returns null if its name is incomplete. */
export function parseLine(text) {
  const command = commands().find(({ name }) => text.startsWith(`${name} `));
  if (!command) return null;
  const given = [];
  let rest = "";
  for (const word of text.slice(command.name.length + 1).split(" ")) {
    const option = command.options.find(({ name }) => word.startsWith(`${name}:`));
    if (option) given.push({ option, value: word.slice(option.name.length + 1) });
    else if (given.length) given.at(-1).value += ` ${word}`;
    else rest += word;
  }
  return { command, given, rest };
}

/** Formats a command with its options as the line to send. */
export function formatLine(command, given) {
  return [command.name, ...given.map(({ option, value }) => `${option.name}:${value}`)].join(" ");
}

/** Fixed choices of an option; null if it takes any value. */
export function choices(option) {
  if (option.choices?.length) return option.choices.map(({ name }) => ({ name, value: name }));
  if (option.type === BOOLEAN) return ["True", "False"].map((name) => ({ name, value: name }));
  return null;
}
