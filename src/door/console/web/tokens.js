// Colors of an SQL text: tokens with a start and a kind. No DOM.

/** @typedef {[number, string]} Token start in UTF-16 units, and kind */

/**
 * Moves tokens to their places in an edited text, until DuckDB has read it.
 * @param {Token[]} tokens
 */
export function shiftTokens(tokens, before, after) {
  const shorter = Math.min(before.length, after.length);
  let same = 0;
  while (same < shorter && before[same] === after[same]) same += 1;
  let end = 0;
  while (end < shorter - same && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const by = after.length - before.length;
  return tokens
    .filter(([at]) => at <= same || at >= before.length - end)
    .map(([at, kind]) => (at <= same ? [at, kind] : [at + by, kind]));
}

/**
 * Cuts a text into colored parts.
 * @param {string} text
 * @param {Token[]} tokens
 * @param {{from: number, to: number} | null} error
 * @returns {{kind: string | null, part: string, isError: boolean}[]}
 */
export function cutTokens(text, tokens, error = null) {
  const cuts = new Map([[0, null]]);
  for (const [at, kind] of tokens) if (at < text.length) cuts.set(at, kind);
  const starts = [...cuts.keys()].sort((a, b) => a - b);
  const parts = [];
  const push = (from, to, kind) => {
    if (from >= to) return;
    const isError = error !== null && from >= error.from && to <= error.to;
    parts.push({ kind, part: text.slice(from, to), isError });
  };
  starts.forEach((from, index) => {
    const to = starts[index + 1] ?? text.length;
    const kind = cuts.get(from);
    const edges = error ? [error.from, error.to].filter((it) => it > from && it < to) : [];
    const all = [from, ...edges, to];
    for (let it = 1; it < all.length; it += 1) push(all[it - 1], all[it], kind);
  });
  return parts;
}
