// Choice of DuckDB's suggestions for what is typed. No DOM.

const MAX_SHOWN = 60;

/**
 * Keeps suggestions that continue a word, the best first: names and words that start with it, then names that
 * have it inside. DuckDB also suggests operators.
 * @param {string} typed part of the text that a suggestion replaces
 * @param {{text: string, kind: string}[]} suggestions
 */
export function usefulSuggestions(typed, suggestions) {
  const wanted = typed.toLowerCase().replace(/^"/, '');
  const ranked = [];
  for (const suggestion of suggestions) {
    const name = suggestion.text.trim();
    const kind = suggestion.kind.replaceAll('_', ' ');
    const bare = name.toLowerCase().replace(/^"/, '');
    if (!/^["\p{L}_]/u.test(name) || name === typed.trim()) continue;
    if (bare.startsWith(wanted)) ranked.push({ rank: 0, text: name, kind });
    else if (wanted.length > 1 && kind !== 'keyword' && bare.includes(wanted))
      ranked.push({ rank: 1, text: name, kind });
  }
  return ranked.sort((a, b) => a.rank - b.rank).slice(0, MAX_SHOWN);
}
