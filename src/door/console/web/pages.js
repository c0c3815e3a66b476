// Pages of a result that are in memory. No DOM.

/** Rows and values in memory at most. */
const MAX_ROWS = 4000;
const MAX_VALUES = 400_000;
/** Values that one call asks for, about. */
const PAGE_VALUES = 20_000;

/**
 * @typedef {null | string | [string, number]} Value `[text, length]` if the text is cut
 * @typedef {(from: number, count: number, sort?: object) => Promise<Value[][]>} Source
 */

export class Pages {
  /**
   * @param {number} columns
   * @param {number} rows
   * @param {Source} source
   * @param {() => void} changed called when rows have arrived
   */
  constructor(columns, rows, source, changed) {
    this.rows = rows;
    this.source = source;
    this.changed = changed;
    this.size = Math.min(200, Math.max(20, Math.floor(PAGE_VALUES / Math.max(1, columns))));
    const most = Math.min(MAX_ROWS, MAX_VALUES / Math.max(1, columns));
    this.kept = Math.max(4, Math.floor(most / this.size));
    this.sort = undefined;
    this.error = null;
    this.clear();
  }

  clear() {
    /** Pages by number, the least recently used first. */
    this.pages = new Map();
    this.loading = new Set();
    this.wanted = [];
    this.round = {};
    this.error = null;
  }

  /** Puts in rows that are known already, from the first one on. */
  fill(rows) {
    const complete = rows.length === this.rows;
    for (let from = 0; from < rows.length; from += this.size) {
      const page = rows.slice(from, from + this.size);
      if (page.length === this.size || complete) this.pages.set(from / this.size, page);
    }
  }

  /** Starts over in another order. If no row comes in it, the order from before is back. */
  setSort(sort) {
    const before = { sort: this.sort, pages: this.pages };
    this.sort = sort;
    this.clear();
    this.before = before;
  }

  restore() {
    if (this.pages.size > 0 || !this.before) return;
    this.sort = this.before.sort;
    this.pages = this.before.pages;
    this.before = null;
  }

  /** Row, if it is here. */
  get(row) {
    const number = Math.floor(row / this.size);
    return this.pages.get(number)?.[row % this.size];
  }

  /** Asks for rows in view, the newest wish first. */
  want(first, end) {
    if (this.error) return;
    const wanted = [];
    const from = Math.floor(first / this.size);
    const to = Math.max(from, Math.ceil(end / this.size) - 1);
    const seen = [];
    for (let it = from; it <= to; it += 1) seen.push(it);
    // In the order of the result, a page costs DuckDB little: the ones beside are loaded ahead.
    if (!this.sort) seen.push(to + 1, from - 1);
    for (const it of seen.filter((page) => page >= 0 && page * this.size < this.rows)) {
      const page = this.pages.get(it);
      if (page) {
        this.pages.delete(it);
        this.pages.set(it, page);
      } else if (!this.loading.has(it)) {
        wanted.push(it);
      }
    }
    this.wanted = wanted;
    this.loadNext();
  }

  retry() {
    this.error = null;
    this.changed();
  }

  async loadNext() {
    if (this.loading.size >= 2 || this.wanted.length === 0) return;
    const number = this.wanted.shift();
    const { round } = this;
    this.loading.add(number);
    try {
      const from = number * this.size;
      const rows = await this.load(from, Math.min(this.size, this.rows - from));
      if (round !== this.round) return;
      this.pages.set(number, rows);
      this.before = null;
      while (this.pages.size > this.kept) this.pages.delete(this.pages.keys().next().value);
    } catch (error) {
      if (round !== this.round) return;
      this.error = error;
      this.restore();
    }
    this.loading.delete(number);
    this.changed();
    this.loadNext();
  }

  /** Loads rows. An answer has fewer of them if their values are large. */
  async load(from, count) {
    const { sort } = this;
    const rows = [];
    while (rows.length < count) {
      const more = await this.source(from + rows.length, count - rows.length, sort);
      if (!more.length) throw new Error('The result has fewer rows than expected. Run the cell again.');
      rows.push(...more);
    }
    return rows;
  }
}
