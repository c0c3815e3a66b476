// Texts for numbers, times and values. No DOM.

import { RESERVED } from './words.js';

const numbers = new Intl.NumberFormat('en');

/** Number with separators: 1,234,567. */
export const number = (value) => numbers.format(value);

/** Number and noun: "1 row", "1,234 rows". */
export const count = (value, noun) => `${number(value)} ${noun}${value === 1 ? '' : 's'}`;

/** Duration in words: "8 ms", "0.34 s", "12.4 s", "3 min 5 s". */
export function duration(ms) {
  if (ms < 100) return `${Math.round(ms)} ms`;
  if (ms < 9995) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 59950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Elapsed time of a running query. It changes ten times a second at most. */
export function elapsed(ms) {
  return ms < 60000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

/** Time in the past: "just now", "5 min ago", "14:02", "3 Nov, 14:02". */
export function when(time, now = new Date()) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  const minutes = Math.floor((now - date) / 60000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  const clock = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  if (date.toDateString() === now.toDateString()) return clock;
  const day = date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(date.getFullYear() !== now.getFullYear() && { year: 'numeric' }),
  });
  return `${day}, ${clock}`;
}

/** Identifier in SQL. Names that need no quotes stay as they are. */
export function identifier(name) {
  return /^[a-z_][a-z0-9_]*$/i.test(name) && !reserved.has(name.toLowerCase())
    ? name
    : `"${name.replaceAll('"', '""')}"`;
}

/** Name of a table in SQL, with its database and schema. */
export const tableName = ({ database, schema, name }) => [database, schema, name].map(identifier).join('.');

const reserved = new Set(RESERVED.split(/\s+/));

/** Characters that a reader would not see, or that reorder the text around them. */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/;

/** Returns true if the text has characters that {@link visible} replaces. */
export const hasHidden = (text) => HIDDEN.test(text);

/** Visible form of a hidden character: an arrow, or its code point in hexadecimal. */
export function visible(character) {
  const code = character.codePointAt(0);
  if (code === 10) return '↵';
  if (code === 9) return '⇥';
  return `‹${code.toString(16).toUpperCase().padStart(2, '0')}›`;
}

/**
 * Splits a text into parts that are shown as they are and hidden characters in a visible form.
 * @param {string} text
 * @param {boolean} lines true: line breaks and tabs stay
 * @returns {{text: string, hidden: boolean}[]}
 */
export function visibleParts(text, lines = false) {
  const parts = [];
  let plain = '';
  for (const character of text) {
    if (!HIDDEN.test(character) || (lines && (character === '\n' || character === '\t'))) {
      plain += character;
      continue;
    }
    if (plain) parts.push({ text: plain, hidden: false });
    plain = '';
    parts.push({ text: visible(character), hidden: true });
  }
  if (plain) parts.push({ text: plain, hidden: false });
  return parts;
}

/** Field of tab-separated text, quoted as spreadsheets expect it. NULL is empty. */
function tsvField(value) {
  if (value === null) return '';
  return /[\t\n\r"]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** Rows as tab-separated text. */
export const tsv = (rows) => rows.map((row) => row.map(tsvField).join('\t')).join('\n');

/** Returns true for types whose values are aligned to the right. */
export const isNumeric = (type) =>
  /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM|VARINT|FLOAT|DOUBLE|DECIMAL(\(.*\))?)$/.test(type);

/** Returns true for types whose values can be unfolded. */
export const isNested = (type) => /^(STRUCT|MAP|UNION|VARIANT|JSON)\b|\[\d*\]$/.test(type);

/** Columns that a text takes in a monospace font. Wide characters count twice. */
export function textWidth(text) {
  let width = 0;
  for (const character of text) width += character.codePointAt(0) > 0x10ff ? 2 : 1;
  return width;
}

/** File name for a title: letters, digits and hyphens. */
export function fileName(title) {
  const name = title
    .normalize('NFKC')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '');
  return name.slice(0, 80) || 'notebook';
}
