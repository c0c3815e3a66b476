// Statements of an SQL text. No DOM.

/** Start of a string, a quoted name or a comment, or a semicolon. */
const START =
  /[eE]'(?:[^'\\]|\\[^]|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|--[^\n]*|\/\*|\$([A-Za-z_]\w*)?\$[^]*?(?:\$\1\$|$)|;/g;

/** End of a block comment. In DuckDB they nest. */
function endOfComment(sql, from) {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from;
  let depth = 0;
  for (let it = mark.exec(sql); it; it = mark.exec(sql)) {
    depth += it[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return sql.length;
}

/** Strings, quoted names, comments and semicolons. Unterminated ones reach to the end. */
function pieces(sql) {
  const found = [];
  const start = new RegExp(START);
  for (let it = start.exec(sql); it; it = start.exec(sql)) {
    if (it[0] === '/*') start.lastIndex = endOfComment(sql, it.index);
    found.push({ kind: it[0].slice(0, 2), from: it.index, to: start.lastIndex });
    if (start.lastIndex >= sql.length) break;
  }
  return found;
}

/**
 * Splits a text at the semicolons outside strings, quoted names and comments.
 * @param {string} sql
 * @returns {{from: number, to: number}[]} `to` is after the semicolon. The parts cover the text.
 */
export function statements(sql) {
  const parts = [];
  let from = 0;
  for (const piece of pieces(sql)) {
    if (piece.kind !== ';') continue;
    parts.push({ from, to: piece.to });
    from = piece.to;
  }
  if (from < sql.length || parts.length === 0) parts.push({ from, to: sql.length });
  return parts;
}

/** Text without comments, for questions about it. */
function bare(sql) {
  let text = '';
  let from = 0;
  for (const piece of pieces(sql)) {
    if (piece.kind !== '--' && piece.kind !== '/*') continue;
    text += `${sql.slice(from, piece.from)} `;
    from = piece.to;
  }
  return text + sql.slice(from);
}

/** Returns true if the text has a statement: more than comments, spaces and semicolons. */
export const hasStatement = (sql) => /[^\s;]/.test(bare(sql));

/** Returns true if the text ends with a semicolon, comments aside. */
export const isTerminated = (sql) => bare(sql).trimEnd().endsWith(';');

/**
 * Finds the statement at a position: the one before the cursor, if the cursor is right after its semicolon.
 * @returns {{from: number, to: number}} without the spaces around it
 */
export function statementAt(sql, position) {
  const all = statements(sql).filter((it) => hasStatement(sql.slice(it.from, it.to)));
  const found = all.find((it) => position <= it.to) ?? all.at(-1) ?? { from: 0, to: sql.length };
  const text = sql.slice(found.from, found.to);
  const from = found.from + (text.length - text.trimStart().length);
  return { from, to: Math.max(from, found.from + text.trimEnd().length) };
}

/** Returns true if the text can create, rename or remove tables. It may err on the side of true. */
export const changesCatalog = (sql) => /\b(create|drop|alter|attach|detach|import|load|rollback)\b/i.test(bare(sql));

/** Line of a position, counted from 1. */
export const lineOf = (text, position) => text.slice(0, position).split('\n').length;

/** End of the name, number, string or sign that starts at a position of a text. */
export function endOfWord(text, position) {
  const rest = text.slice(position, position + 1000);
  const name = String.raw`(?:"(?:[^"]|"")*"?|[\p{L}\p{N}_$]+)`;
  const word = new RegExp(`^(?:${name}(?:\\.${name})*|'(?:[^']|'')*'?|\\S)`, 'u').exec(rest);
  return position + (word ? word[0].length : 0);
}
