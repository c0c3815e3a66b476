// Converts Discord's Markdown to DOM nodes.
import { el, link } from "./dom.js";
import { wideBlock } from "./overflow.js";
import { timestamp } from "./times.js";
import { channelName, nameOf, store } from "./state.js";

const FENCE = /```(?:([\w+#.-]*)\n)?([\s\S]+?)\n?```\n?/g;
const ITEM = /^( *)([-*]|\d+\.) +(\S.*)/;
// A bare link does not include the punctuation that ends its sentence.
const BARE = "https?:\\/\\/(?:[^\\s()<>]|\\([^\\s()]*\\))*(?:[^\\s()<>.,:;\"'\\]!?]|\\([^\\s()]*\\))";
const LINK = "https?:\\/\\/(?:[^\\s()<>]|\\([^\\s()]*\\))+";

/** Converts a text to a list of nodes. */
export function markdown(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(FENCE)) {
    nodes.push(...blocks(text.slice(from, match.index).replace(/\n$/, "")));
    nodes.push(wideBlock({ "data-lang": match[1] }, match[2]));
    from = match.index + match[0].length;
  }
  return [...nodes, ...blocks(text.slice(from))];
}

// Parsers of blocks. Each returns the number of lines that it consumed and their node, or a falsy value.
const BLOCKS = [
  (lines) => {
    const rest = lines[0].match(/^>>> ([\s\S]*)/);
    return rest && [lines.length, quote([rest[1], ...lines.slice(1)])];
  },
  (lines) => {
    const count = run(lines, /^> /);
    return count && [count, quote(lines.slice(0, count).map((line) => line.slice(2)))];
  },
  (lines) => {
    const head = lines[0].match(/^(#{1,3}) +(\S.*)/);
    return head && [1, el(`h${head[1].length + 2}`, {}, inline(head[2]))];
  },
  (lines) => {
    const sub = lines[0].match(/^-# +(\S.*)/);
    return sub && [1, el("small.subtext", {}, inline(sub[1]))];
  },
  (lines) => {
    const [, indent, mark] = lines[0].match(ITEM) ?? [];
    if (!mark) return null;
    const deeper = `^ {${indent.length + 1},}(?:[-*]|\\d+\\.) +\\S`;
    const same = `^ *${/\d/.test(mark) ? "\\d+\\." : "[-*]"} +\\S`;
    const count = run(lines, new RegExp(`${deeper}|${same}`));
    return [count, itemise(lines.slice(0, count), indent.length, mark)];
  },
];

function run(lines, pattern) {
  const end = lines.findIndex((line) => !pattern.test(line));
  return end < 0 ? lines.length : end;
}

function blocks(text) {
  const nodes = [];
  let plain = [];
  const flush = () => {
    if (plain.join("")) nodes.push(el("p", {}, inline(plain.join("\n"))));
    plain = [];
  };
  let lines = text ? text.split("\n") : [];
  while (lines.length) {
    let taken = null;
    for (const block of BLOCKS) taken ||= block(lines);
    if (taken) {
      flush();
      nodes.push(taken[1]);
    } else {
      plain.push(lines[0]);
    }
    lines = lines.slice(taken ? taken[0] : 1);
  }
  flush();
  return nodes;
}

function quote(lines) {
  return el("blockquote", {}, blocks(lines.join("\n")));
}

/** Converts lines to a list. Lines with more indent than the first belong to the item before them. */
function itemise(lines, indent, mark) {
  const list = /\d/.test(mark) ? el("ol", { start: Number.parseInt(mark, 10) }) : el("ul");
  for (let at = 0; at < lines.length;) {
    const deeper = run(lines.slice(at + 1), new RegExp(`^ {${indent + 1}}`));
    const nested = blocks(lines.slice(at + 1, at + 1 + deeper).join("\n"));
    list.append(el("li", {}, inline(lines[at].match(ITEM)[3]), nested));
    at += 1 + deeper;
  }
  return list;
}

// Inline patterns in the order in which they are tried; the last one always matches.
const INLINE = [
  [/\\([^a-zA-Z0-9\s])/y, ([, char]) => char],
  [/(`+)([\s\S]*?[^`])\1(?!`)/y, ([, , code]) => el("code", {}, code.replace(/^ ([\s\S]*) $/, "$1"))],
  [/<(https?:\/\/[^\s<>]+)>/y, ([, url]) => link(url, url)],
  [/<@!?(\d+)>/y, ([, id]) => mention(`@${nameOf(id)}`, id === store.state.me)],
  [/<#(\d+)>/y, ([, id]) => mention(channelName(id))],
  [/<@&\d+>/y, () => mention("@role")],
  [/<\/([^:<>]+):\d+>/y, ([, name]) => mention(`/${name}`)],
  [/@(?:everyone|here)\b/y, ([all]) => mention(all)],
  [/<t:(-?\d+)(?::([tTdDfFR]))?>/y, ([, unix, style]) => timestamp(Number(unix), style)],
  [new RegExp(`\\[((?:[^\\[\\]\\\\]|\\\\.)+)\\]\\(<?(${LINK})>?\\)`, "y"),
    ([, text, url]) => link(url, inline(text))],
  [new RegExp(BARE, "y"), ([url]) => link(url, url)],
  [/\*\*([\s\S]+?)\*\*(?!\*)/y, ([, text]) => el("strong", {}, inline(text))],
  [/__([\s\S]+?)__(?!_)/y, ([, text]) => el("u", {}, inline(text))],
  [/\b_((?:__|\\[\s\S]|[^\\_])+?)_\b/y, ([, text]) => el("em", {}, inline(text))],
  [/\*(?=\S)((?:\*\*|\s+(?:[^*\s]|\*\*)|[^\s*])+?)\*(?!\*)/y, ([, text]) => el("em", {}, inline(text))],
  [/~~([\s\S]+?)~~/y, ([, text]) => el("s", {}, inline(text))],
  [/\|\|([\s\S]+?)\|\|/y, ([, text]) => spoiler(text)],
  [/[\s\S]+?(?=[^0-9A-Za-z\s\u00c0-\uffff]|https?:\/\/|$)/y, ([text]) => text],
];

function inline(text) {
  const nodes = [];
  for (let at = 0; at < text.length;) {
    for (const [pattern, build] of INLINE) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (!match) continue;
      nodes.push(build(match));
      at += match[0].length;
      break;
    }
  }
  return nodes;
}

function mention(text, me = false) {
  return el(me ? "span.mention.me" : "span.mention", {}, text);
}

function spoiler(text) {
  const open = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    if (node.classList.contains("open")) return;
    event.preventDefault();
    node.classList.add("open");
    node.removeAttribute("role");
    node.removeAttribute("aria-label");
  };
  const node = el("span.spoiler", {
    role: "button", tabindex: 0, "aria-label": "Spoiler, hidden", onclick: open, onkeydown: open,
  }, el("span", {}, inline(text)));
  return node;
}
