// Notebooks as `.sql` files: the "percent" format, which other notebook tools read too. No DOM.
//
//   -- Notebook: Ducks
//
//   -- %% [markdown]
//   -- # Heavy ducks
//
//   -- %%
//   SELECT * FROM ducks;

import { hasStatement, isTerminated } from './statements.js';

const TITLE = '-- Notebook: ';
const SQL = '-- %%';
const TEXT = '-- %% [markdown]';
/** Line after a statement without a semicolon, so that DuckDB can run the file. */
const END = '; -- end of cell';

/** All line breaks that an import knows. */
const LINE_BREAK = /\r\n?|\n/;

/** Lines that look like a marker get a backslash more. */
const escape = (line) => line.replace(/^-- (\\*%%)/, '-- \\$1');
const unescape = (line) => line.replace(/^-- \\(\\*%%)/, '-- $1');

function written({ kind, text }) {
  if (kind === 'text') {
    const lines = text.split(LINE_BREAK).map((line) => (line === '' ? '--' : `-- ${line}`));
    return [TEXT, ...lines.map(escape)].join('\n');
  }
  const lines = text.split('\n');
  if (lines.at(-1) === END || (hasStatement(text) && !isTerminated(text))) lines.push(END);
  return [SQL, ...lines.map(escape)].join('\n');
}

/**
 * Writes a notebook as SQL.
 * @param {{title: string, cells: {kind: 'sql'|'text', text: string}[]}} notebook
 */
export function toSql({ title, cells }) {
  const name = title.replace(/\s+/g, ' ');
  return [`${TITLE}${name}`, ...cells.map(written)].join('\n\n') + '\n';
}

function read(kind, lines) {
  if (kind === 'text') {
    const text = lines.map((line) => line.replace(/^--(?: |$)/, ''));
    return { kind, text: text.join('\n') };
  }
  if (lines.at(-1) === END) lines.pop();
  return { kind, text: lines.join('\n') };
}

/**
 * Reads a file written by {@link toSql}. Any other SQL file becomes one cell.
 * @param {string} file
 * @param {string} name title, if the file has none
 * @returns {{title: string, cells: {kind: 'sql'|'text', text: string}[]}}
 */
export function fromSql(file, name) {
  const lines = file
    .replace(/^\ufeff/, '')
    .replace(/\r\n?/g, '\n')
    .split('\n');
  if (lines.at(-1) === '') lines.pop();
  const title = lines[0]?.startsWith(TITLE) ? lines[0].slice(TITLE.length) : null;
  const isMarker = (line) => /^-- %%(?!%)/.test(line);
  const first = lines.findIndex(isMarker);
  const before = lines.slice(title === null ? 0 : 1, first === -1 ? lines.length : first);
  const cells = [];
  const loose = before.join('\n').trim();
  if (loose) cells.push({ kind: 'sql', text: loose });
  let at = first === -1 ? lines.length : first;
  while (at < lines.length) {
    const kind = /\[(markdown|md)\]/.test(lines[at]) ? 'text' : 'sql';
    let end = at + 1;
    while (end < lines.length && !isMarker(lines[end])) end += 1;
    const body = lines.slice(at + 1, end).map(unescape);
    if (end < lines.length && body.at(-1) === '') body.pop(); // the line between two cells
    cells.push(read(kind, body));
    at = end;
  }
  return { title: title ?? name, cells };
}
