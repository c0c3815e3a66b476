// A subset of Markdown, read into a tree. No DOM.

/**
 * @typedef {{kind: string, children?: Inline[], text?: string, href?: string}} Inline
 * @typedef {{kind: string, level?: number, ordered?: boolean, start?: number, text?: string, children?: Inline[],
 *   items?: Block[][], blocks?: Block[], rows?: Inline[][][], align?: string[]}} Block
 */

const MAX_DEPTH = 20;

/** Links lead to the web only. */
const isSafe = (href) => /^https?:\/\//i.test(href);

const RULES = [
  [/^(`+)([^]*?[^`])\1(?!`)/, (m) => ({ kind: 'code', text: m[2].replace(/^ (.*) $/s, '$1') })],
  [/^\\([!-/:-@[-`{-~])/, (m) => ({ kind: 'text', text: m[1] })],
  [/^\*\*(?=\S)([^]*?\S)\*\*(?!\*)/, (m, depth) => ({ kind: 'strong', children: inline(m[1], depth) })],
  [/^\*(?=[^\s*])([^]*?[^\s*])\*(?!\*)/, (m, depth) => ({ kind: 'em', children: inline(m[1], depth) })],
  [/^__(?=\S)([^]*?\S)__(?!\w)/, (m, depth) => ({ kind: 'strong', children: inline(m[1], depth) }), true],
  [/^_(?=[^\s_])([^]*?[^\s_])_(?!\w)/, (m, depth) => ({ kind: 'em', children: inline(m[1], depth) }), true],
  [/^~~(?=\S)([^]*?\S)~~/, (m, depth) => ({ kind: 'del', children: inline(m[1], depth) })],
  [
    /^\[((?:[^\][\\]|\\.)+)\]\(\s*<?([^\s<>()]+(?:\([^\s()]*\)[^\s<>()]*)*)>?\s*\)/,
    (m, depth) =>
      isSafe(m[2]) ? { kind: 'link', href: m[2], children: inline(m[1], depth) } : { kind: 'text', text: m[0] },
  ],
  [/^<(https?:\/\/[^\s<>]+)>/i, (m) => ({ kind: 'link', href: m[1], children: [{ kind: 'text', text: m[1] }] })],
  [
    /^https?:\/\/[^\s<>]*[^\s<>.,;:!?'")\]]/i,
    (m) => ({ kind: 'link', href: m[0], children: [{ kind: 'text', text: m[0] }] }),
    true,
  ],
];

/** @returns {Inline[]} */
export function inline(text, depth = 0) {
  if (depth > MAX_DEPTH) return [{ kind: 'text', text }];
  const nodes = [];
  let plain = '';
  let at = 0;
  while (at < text.length) {
    const next = text.slice(at).search(/[`\\*_~[<h]/i);
    if (next === -1) break;
    plain += text.slice(at, at + next);
    at += next;
    const rest = text.slice(at, at + 5000);
    const inWord = /[\p{L}\p{N}]/u.test(text[at - 1] ?? ' ');
    let found = null;
    for (const [pattern, make, atWordStart] of RULES) {
      if (atWordStart && inWord) continue;
      const match = pattern.exec(rest);
      if (match) {
        found = { node: make(match, depth + 1), length: match[0].length };
        break;
      }
    }
    if (!found) {
      plain += text[at];
      at += 1;
      continue;
    }
    if (plain) nodes.push({ kind: 'text', text: plain });
    plain = '';
    nodes.push(found.node);
    at += found.length;
  }
  plain += text.slice(at);
  if (plain) nodes.push({ kind: 'text', text: plain });
  return nodes;
}

const FENCE = /^ {0,3}(```+|~~~+)\s*(\S*)/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:\s+|$)/;
const TABLE = /^\s*\|?(\s*:?-+:?\s*\|)+(\s*:?-+:?\s*)?$/;

const splitRow = (line) =>
  line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((it) => it.trim().replaceAll('\\|', '|'));

/**
 * Reads Markdown: headings, paragraphs, lists, quotes, code, tables and rules.
 * @param {string} text
 * @returns {Block[]}
 */
export function markdown(text, depth = 0) {
  const lines = text.split('\n');
  const blocks = [];
  let at = 0;
  const startsBlock = (line, next) =>
    line.trim() === '' ||
    FENCE.test(line) ||
    HEADING.test(line) ||
    RULE.test(line) ||
    ITEM.test(line) ||
    /^ {0,3}>/.test(line) ||
    (line.includes('|') && TABLE.test(next ?? ''));

  while (at < lines.length) {
    const line = lines[at];
    let match;
    if (line.trim() === '') {
      at += 1;
    } else if ((match = FENCE.exec(line))) {
      const end = lines.findIndex((it, index) => index > at && it.trim().startsWith(match[1]));
      const last = end === -1 ? lines.length : end;
      blocks.push({ kind: 'code', text: lines.slice(at + 1, last).join('\n') });
      at = last + 1;
    } else if ((match = HEADING.exec(line))) {
      blocks.push({ kind: 'heading', level: match[1].length, children: inline(match[2] ?? '') });
      at += 1;
    } else if (RULE.test(line)) {
      blocks.push({ kind: 'rule' });
      at += 1;
    } else if (/^ {0,3}>/.test(line) && depth < MAX_DEPTH) {
      const from = at;
      while (at < lines.length && /^ {0,3}>/.test(lines[at])) at += 1;
      const inner = lines.slice(from, at).map((it) => it.replace(/^ {0,3}> ?/, ''));
      blocks.push({ kind: 'quote', blocks: markdown(inner.join('\n'), depth + 1) });
    } else if ((match = ITEM.exec(line)) && depth < MAX_DEPTH) {
      const list = readList(lines, at, depth);
      blocks.push(list.block);
      at = list.end;
    } else if (line.includes('|') && TABLE.test(lines[at + 1] ?? '')) {
      const align = splitRow(lines[at + 1]).map((it) => (it.endsWith(':') ? 'right' : 'left'));
      const rows = [splitRow(line)];
      at += 2;
      while (at < lines.length && lines[at].includes('|')) {
        rows.push(splitRow(lines[at]));
        at += 1;
      }
      blocks.push({ kind: 'table', align, rows: rows.map((row) => row.map((it) => inline(it))) });
    } else {
      const from = at;
      do at += 1;
      while (at < lines.length && !startsBlock(lines[at], lines[at + 1]));
      blocks.push({ kind: 'paragraph', children: inline(lines.slice(from, at).join('\n').trim()) });
    }
  }
  return blocks;
}

function readList(lines, from, depth) {
  const ordered = /\d/.test(ITEM.exec(lines[from])[2]);
  const start = ordered ? parseInt(ITEM.exec(lines[from])[2], 10) : undefined;
  const items = [];
  let at = from;
  for (;;) {
    const match = at < lines.length ? ITEM.exec(lines[at]) : null;
    if (!match || /\d/.test(match[2]) !== ordered || RULE.test(lines[at])) break;
    const indent = match[0].trimEnd() === match[0] ? match[0].length + 1 : match[0].length;
    const body = [lines[at].slice(match[0].length)];
    at += 1;
    while (at < lines.length) {
      const isIndented = lines[at].search(/\S/) >= Math.min(indent, match[1].length + 2);
      const isBlank = lines[at].trim() === '' && /^\s{2,}\S/.test(lines[at + 1] ?? '');
      const isLazy =
        lines[at].trim() !== '' && !ITEM.test(lines[at]) && !HEADING.test(lines[at]) && !FENCE.test(lines[at]);
      if (!isIndented && !isBlank && !isLazy) break;
      body.push(lines[at].replace(new RegExp(`^ {0,${indent}}`), ''));
      at += 1;
    }
    items.push(markdown(body.join('\n'), depth + 1));
    if (lines[at]?.trim() === '' && ITEM.test(lines[at + 1] ?? '')) at += 1;
  }
  return { block: { kind: 'list', ordered, start, items }, end: at };
}
