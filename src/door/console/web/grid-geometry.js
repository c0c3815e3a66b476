// Positions in a grid of many rows and columns. No DOM.

/** Height of a row in CSS pixels. */
export const ROW_HEIGHT = 24;
/** Tallest scroll area. Browsers limit elements to 16 to 33 million pixels. */
const MAX_HEIGHT = 8_000_000;

/**
 * Maps a scroll bar to rows. Up to {@link MAX_HEIGHT} they are the same; above it, the scroll bar is scaled, and
 * `top` keeps the exact position.
 */
export class Rows {
  constructor(count) {
    this.count = count;
    this.total = count * ROW_HEIGHT;
    this.height = Math.min(this.total, MAX_HEIGHT);
    /** Position of the first visible pixel, from 0 to `total - view`. */
    this.top = 0;
    this.view = 0;
  }

  get isScaled() {
    return this.total > this.height;
  }

  get maxTop() {
    return Math.max(0, this.total - this.view);
  }

  get maxScroll() {
    return Math.max(0, this.height - this.view);
  }

  /** Moves to a position. Returns the matching position of the scroll bar. */
  moveTo(top) {
    this.top = Math.min(this.maxTop, Math.max(0, top));
    return this.isScaled ? Math.round((this.top / this.maxTop) * this.maxScroll) : this.top;
  }

  /** Takes over a position of the scroll bar. */
  scrolled(scroll) {
    if (!this.isScaled) this.top = Math.min(this.maxTop, scroll);
    // Keep the exact position if the scroll bar shows it already.
    else if (Math.abs(this.moveTo(this.top) - scroll) > 1) {
      this.moveTo((scroll / this.maxScroll) * this.maxTop);
    }
  }

  /** Position that makes a row visible with the least movement. */
  reveal(row) {
    const from = row * ROW_HEIGHT;
    if (from < this.top) return from;
    if (from + ROW_HEIGHT > this.top + this.view) return from + ROW_HEIGHT - this.view;
    return this.top;
  }

  /** First row and the row after the last one in view. */
  visible() {
    const first = Math.min(this.count, Math.floor(this.top / ROW_HEIGHT));
    const end = Math.min(this.count, Math.ceil((this.top + this.view) / ROW_HEIGHT));
    return { first, end };
  }
}

/** Left edges of columns of different widths. */
export class Columns {
  constructor(widths) {
    this.widths = widths;
    this.place();
  }

  place() {
    this.edges = new Float64Array(this.widths.length + 1);
    this.widths.forEach((width, index) => {
      this.edges[index + 1] = this.edges[index] + width;
    });
  }

  get total() {
    return this.edges[this.widths.length];
  }

  resize(index, width) {
    this.widths[index] = Math.min(2000, Math.max(40, Math.round(width)));
    this.place();
  }

  /** Column at a position, the last one if it is behind all. */
  at(x) {
    let low = 0;
    let high = this.widths.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.edges[middle] <= x) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** First column and the column after the last one in view. */
  visible(left, view) {
    if (this.widths.length === 0) return { first: 0, end: 0 };
    return { first: this.at(left), end: this.at(left + Math.max(0, view - 1)) + 1 };
  }

  /** Scroll position that makes a column visible with the least movement. */
  reveal(index, left, view) {
    if (this.edges[index] < left || this.widths[index] > view) return this.edges[index];
    return Math.max(left, this.edges[index + 1] - view);
  }
}
