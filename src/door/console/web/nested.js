// Values inside lists, structs, maps and JSON, read from DuckDB's text. No DOM.

/**
 * @typedef {{kind: 'value', text: string, quoted: boolean}
 *   | {kind: 'list', items: Node[]}
 *   | {kind: 'struct', entries: {key: string, value: Node}[]}} Node
 */

const MAX_DEPTH = 100;

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  spaces() {
    while (' \n\r\t'.includes(this.text[this.at] ?? 'x')) this.at += 1;
  }

  take(character) {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  /** Reads up to one of the characters. */
  bare(ends) {
    const from = this.at;
    while (this.at < this.text.length && !ends.includes(this.text[this.at])) this.at += 1;
    return this.text.slice(from, this.at).trim();
  }

  quoted(quote) {
    let text = '';
    for (;;) {
      const character = this.text[this.at];
      if (character === undefined) throw new Error('a string does not end');
      this.at += 1;
      if (character === quote) {
        if (quote === '"' || this.text[this.at] !== quote) return text;
        this.at += 1;
        text += quote;
      } else if (character === '\\') {
        text += this.escaped(quote);
      } else {
        text += character;
      }
    }
  }

  escaped(quote) {
    const character = this.text[this.at];
    this.at += 1;
    if (quote === "'") return character ?? '';
    if (character === 'u') {
      const code = this.text.slice(this.at, this.at + 4);
      if (!/^[\da-f]{4}$/i.test(code)) throw new Error('not an escape');
      this.at += 4;
      return String.fromCharCode(parseInt(code, 16));
    }
    return { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' }[character] ?? character ?? '';
  }

  /** @returns {Node} */
  value(ends, depth) {
    if (depth > MAX_DEPTH) throw new Error('too deep');
    this.spaces();
    let node;
    if (this.take('[')) node = this.list(depth);
    else if (this.take('{')) node = this.struct(depth);
    else if (this.take("'")) node = { kind: 'value', text: this.quoted("'"), quoted: true };
    else if (this.take('"')) node = { kind: 'value', text: this.quoted('"'), quoted: true };
    else return { kind: 'value', text: this.bare(ends), quoted: false };
    this.spaces();
    if (this.at < this.text.length && !ends.includes(this.text[this.at])) {
      throw new Error('text after a value');
    }
    return node;
  }

  list(depth) {
    const items = [];
    this.spaces();
    if (this.take(']')) return { kind: 'list', items };
    do items.push(this.value(',]', depth + 1));
    while (this.take(','));
    if (!this.take(']')) throw new Error('a list does not end');
    return { kind: 'list', items };
  }

  struct(depth) {
    const entries = [];
    this.spaces();
    if (this.take('}')) return { kind: 'struct', entries };
    do {
      const key = this.value(':=', depth + 1);
      if (!this.take(':') && !this.take('=')) throw new Error('a key has no value');
      entries.push({ key: plain(key), value: this.value(',}', depth + 1) });
    } while (this.take(','));
    if (!this.take('}')) throw new Error('a struct does not end');
    return { kind: 'struct', entries };
  }
}

/** Text of a key, which in a map can be nested, too. */
function plain(node) {
  if (node.kind === 'value') return node.text;
  if (node.kind === 'list') return `[${node.items.map(plain).join(', ')}]`;
  return `{${node.entries.map((it) => `${it.key}: ${plain(it.value)}`).join(', ')}}`;
}

/**
 * Reads a list, struct, map or JSON value.
 * @param {string} text
 * @returns {Node | null} null if it is none of these
 */
export function unfold(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    const reader = new Reader(text);
    const node = reader.value('', 0);
    return reader.at === text.length && node.kind !== 'value' ? node : null;
  } catch {
    return null;
  }
}

/** Entries of a node, as keys and values. */
export const entriesOf = (node) =>
  node.kind === 'list' ? node.items.map((value, index) => ({ key: String(index + 1), value })) : node.entries;
