// Selected cells of a grid: keys, pointer and copying.

import { call } from './api.js';
import { number, tsv } from './format.js';
import { ROW_HEIGHT } from './grid-geometry.js';

/** Values that can be copied at once. For more there are downloads. */
const MAX_COPIED = 100_000;
/** Cut values that are loaded whole for a copy. */
const MAX_WHOLE = 200;

export class Selection {
  /** @param {import('./grid.js').Grid} grid */
  constructor(grid) {
    this.grid = grid;
    /** Cell with the keyboard. Row -1 is the header. */
    this.active = { row: grid.options.rows > 0 ? 0 : -1, column: 0 };
    /** Other corner of the selection. */
    this.anchor = { ...this.active };
    this.isShown = false;
    const { scroller, body } = grid;
    scroller.addEventListener('keydown', (event) => this.key(event));
    scroller.addEventListener('copy', (event) => this.copyEvent(event));
    scroller.addEventListener('focus', () => this.show());
    body.addEventListener('pointerdown', (event) => this.press(event));
    body.addEventListener('dblclick', () => this.open());
  }

  show() {
    if (this.isShown) return;
    this.isShown = true;
    this.grid.draw();
  }

  /** First and last row and column of the selection. */
  get range() {
    const { active, anchor } = this;
    return {
      top: Math.max(0, Math.min(active.row, anchor.row)),
      bottom: Math.max(active.row, anchor.row),
      left: Math.min(active.column, anchor.column),
      right: Math.max(active.column, anchor.column),
    };
  }

  /** Column whose title has the keyboard, or -1. */
  get title() {
    return this.isShown && this.active.row < 0 ? this.active.column : -1;
  }

  hasRow(row) {
    const { top, bottom } = this.range;
    return this.isShown && row >= top && row <= bottom;
  }

  /** Classes of a cell. */
  stateOf(row, column) {
    if (!this.isShown) return '';
    const { top, bottom, left, right } = this.range;
    if (row < top || row > bottom || column < left || column > right) return '';
    return row === this.active.row && column === this.active.column ? ' is-selected is-active' : ' is-selected';
  }

  set(row, column, extend = false) {
    const { rows } = this.grid.options;
    this.isShown = true;
    const lowest = extend ? 0 : -1;
    this.active = {
      row: Math.min(rows - 1, Math.max(lowest, row)),
      column: Math.min(this.grid.columns.length - 1, Math.max(0, column)),
    };
    if (!extend) this.anchor = { ...this.active };
    this.grid.reveal(this.active.row, this.active.column);
    this.grid.options.onCell({ ...this.active, sort: this.grid.sort }, false);
  }

  selectAll() {
    this.isShown = true;
    this.anchor = { row: 0, column: 0 };
    this.active = { row: this.grid.options.rows - 1, column: this.grid.columns.length - 1 };
    this.grid.draw();
    this.announce();
  }

  announce() {
    const { top, bottom, left, right } = this.range;
    this.grid.options.say(this.grid.describe({ rows: bottom - top + 1, columns: right - left + 1 }));
  }

  sorted() {
    this.anchor = { ...this.active };
    this.arrived();
  }

  arrived() {
    const { row } = this.active;
    if (this.isShown && row >= 0 && this.grid.pages.get(row)) {
      this.grid.options.onCell({ ...this.active, sort: this.grid.sort }, false);
    }
  }

  /** Asks for the active cell's value. */
  open() {
    if (this.active.row < 0) return;
    this.grid.options.onCell({ ...this.active, sort: this.grid.sort }, true);
  }

  key(event) {
    const { key, shiftKey } = event;
    const control = event.ctrlKey || event.metaKey;
    const { row, column } = this.active;
    const { options, columns, rows } = this.grid;
    const page = Math.max(1, Math.floor(rows.view / ROW_HEIGHT) - 1);
    if (event.altKey) {
      const by = { ArrowLeft: -16, ArrowRight: 16 }[key];
      if (!by) return;
      this.grid.resizeColumn(column, this.grid.places.widths[column] + by);
      event.preventDefault();
      return;
    }
    const moves = {
      ArrowUp: () => this.set(control ? 0 : row - 1, column, shiftKey),
      ArrowDown: () => this.set(control ? options.rows - 1 : row + 1, column, shiftKey),
      ArrowLeft: () => this.set(row, control ? 0 : column - 1, shiftKey),
      ArrowRight: () => this.set(row, control ? columns.length - 1 : column + 1, shiftKey),
      PageUp: () => this.set(row - page, column, shiftKey),
      PageDown: () => this.set(row + page, column, shiftKey),
      Home: () => this.set(control ? 0 : row, 0, shiftKey),
      End: () => this.set(control ? options.rows - 1 : row, columns.length - 1, shiftKey),
      Enter: () => (row < 0 ? this.grid.toggleSort(column) : this.open()),
      ' ': () => (row < 0 ? this.grid.toggleSort(column) : this.open()),
    };
    let act = moves[key];
    if (control && (key === 'Enter' || key === ' ')) return;
    if (control && key.toLowerCase() === 'a') act = () => this.selectAll();
    else if (!control && key.toLowerCase() === 's') act = () => this.grid.toggleSort(column);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
    if (shiftKey && key !== 'Enter') this.announce();
  }

  /** Cell below the pointer. Column -1 is the row's number. */
  cellAt(event) {
    const { grid } = this;
    const box = grid.body.getBoundingClientRect();
    const y = event.clientY - box.top + grid.rows.top;
    const x = event.clientX - box.left - grid.gutter;
    const row = Math.min(grid.options.rows - 1, Math.max(0, Math.floor(y / ROW_HEIGHT)));
    return { row, column: x < 0 ? -1 : grid.places.at(x + grid.scroller.scrollLeft) };
  }

  press(event) {
    if (event.button !== 0) return;
    const at = this.cellAt(event);
    const isActive = this.isShown && at.row === this.active.row && at.column === this.active.column;
    const { body, scroller, columns } = this.grid;
    scroller.focus({ preventScroll: true });
    if (at.column < 0) {
      if (!event.shiftKey) this.anchor = { row: at.row, column: 0 };
      this.active = { row: at.row, column: columns.length - 1 };
      this.isShown = true;
      this.grid.draw();
      return;
    }
    this.set(at.row, at.column, event.shiftKey);
    // A finger scrolls, and opens a value with a second tap. A mouse selects, and takes the view along at the edges.
    if (event.pointerType !== 'mouse') {
      if (isActive) this.open();
      return;
    }
    event.preventDefault();
    const move = (it) => {
      const to = this.cellAt(it);
      if (to.row === this.active.row && to.column === this.active.column) return;
      this.set(to.row, Math.max(0, to.column), true);
    };
    body.setPointerCapture(event.pointerId);
    body.addEventListener('pointermove', move);
    body.addEventListener('lostpointercapture', () => body.removeEventListener('pointermove', move), { once: true });
  }

  /** Selected values if all of them are here and whole, else null. */
  values() {
    const { top, bottom, left, right } = this.range;
    if ((bottom - top + 1) * (right - left + 1) > MAX_COPIED) return null;
    const lines = [];
    for (let row = top; row <= bottom; row += 1) {
      const values = this.grid.pages.get(row)?.slice(left, right + 1);
      if (!values || values.some(Array.isArray)) return null;
      lines.push(values);
    }
    return lines;
  }

  copyEvent(event) {
    if (String(document.getSelection())) return;
    event.preventDefault();
    if (this.active.row < 0) {
      event.clipboardData.setData('text/plain', this.grid.columns[this.active.column].name);
      this.grid.options.say('Copied the name', true);
      return;
    }
    const values = this.values();
    if (!values) {
      this.copy();
      return;
    }
    event.clipboardData.setData('text/plain', tsv(values));
    this.copied(values);
  }

  copied(values) {
    this.grid.options.say(`Copied ${number(values.length * values[0].length)} values`, true);
  }

  /** Copies the selection, or all of it with the names of the columns. */
  async copy({ all = false } = {}) {
    if (this.grid.options.rows === 0) return;
    if (all) this.selectAll();
    if (this.active.row < 0) this.set(0, this.active.column);
    const { top, bottom, left, right } = this.range;
    const { grid } = this;
    const { say } = grid.options;
    if ((bottom - top + 1) * (right - left + 1) > MAX_COPIED) {
      say(`At most ${number(MAX_COPIED)} values can be copied at once. Download the result instead.`, true);
      return;
    }
    try {
      const values = this.values() ?? (await this.loadValues(top, bottom, left, right));
      const names = grid.columns.slice(left, right + 1).map((it) => it.name);
      await navigator.clipboard.writeText(tsv(all ? [names, ...values] : values));
      this.copied(values);
    } catch (error) {
      say(`Nothing was copied: ${error.message}`, true);
    }
  }

  async loadValues(top, bottom, left, right) {
    const { pages, options } = this.grid;
    const lines = [];
    let whole = 0;
    for (let from = top; from <= bottom; from += pages.size) {
      const size = Math.min(pages.size, bottom + 1 - from);
      for (const row of await pages.load(from, size)) lines.push(row.slice(left, right + 1));
    }
    for (const [row, line] of lines.entries()) {
      for (const [column, value] of line.entries()) {
        if (!Array.isArray(value)) continue;
        whole += 1;
        if (whole > MAX_WHOLE) throw new Error('too many long values. Download the result instead.');
        const place = { result: options.result, row: top + row, column: left + column, sort: this.grid.sort };
        line[column] = (await call('value', place)).value;
      }
    }
    return lines;
  }
}
