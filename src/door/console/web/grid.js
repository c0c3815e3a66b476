// Grid of a result: only the rows and columns in view are elements.

import { h, place, showText, uniqueId } from './dom.js';
import { count, isNumeric, number, textWidth } from './format.js';
import { Columns, ROW_HEIGHT, Rows } from './grid-geometry.js';
import { Selection } from './grid-selection.js';
import { Pages } from './pages.js';

const HEAD_HEIGHT = 40;
const MAX_SHOWN_ROWS = 14;
/** Characters of a value that a cell shows. The side panel has the whole value. */
const MAX_SHOWN_CHARS = 300;

/**
 * @typedef {object} Options
 * @property {{name: string, type: string}[]} columns
 * @property {number} rows
 * @property {import('./pages.js').Value[][]} first first rows
 * @property {import('./pages.js').Source} source
 * @property {string} label name for screen readers
 * @property {(at: {row: number, column: number, sort?: object}, isAsked: boolean) => void} onCell the active cell
 *   changed, or its value is asked for
 * @property {(text: string) => void} say
 */

let measured = 0;
/** Width of a character in cells, which depends on the fonts of the computer. */
function charWidth() {
  if (!measured) {
    const probe = h('span.grid-probe', { text: '0'.repeat(100), 'aria-hidden': 'true' });
    document.body.append(probe);
    measured = probe.getBoundingClientRect().width / 100;
    probe.remove();
  }
  return measured;
}

export class Grid {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.columns = options.columns;
    this.isNumber = options.columns.map((it) => isNumeric(it.type));
    this.pages = new Pages(options.columns.length, options.rows, options.source, () => this.arrived());
    this.pages.fill(options.first);
    this.rows = new Rows(options.rows);
    this.gutter = Math.max(38, number(options.rows).length * charWidth() + 12);
    this.places = new Columns(options.columns.map((_, index) => this.fittingWidth(index, options.first)));
    this.id = uniqueId('grid');
    this.sort = undefined;
    this.drawn = [];
    /** Columns whose width a person chose. */
    this.chosen = new Set();
    this.build();
    this.selection = new Selection(this);
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.scroller);
  }

  build() {
    this.head = h('div.grid-head', { role: 'row', 'aria-rowindex': 1 });
    this.body = h('div.grid-rows', { role: 'rowgroup' });
    this.empty = h('p.grid-empty', { hidden: this.options.rows > 0, text: 'No rows' });
    this.failed = h('p.grid-failed', { hidden: true, role: 'alert' });
    this.layer = h('div.grid-layer', {}, this.head, this.body, this.empty, this.failed);
    this.size = h('div.grid-size', {}, this.layer);
    this.scroller = h(
      'div.grid-scroller',
      {
        role: 'grid',
        tabindex: 0,
        'aria-label': this.options.label,
        'aria-rowcount': this.options.rows + 1,
        'aria-colcount': this.columns.length,
        'aria-multiselectable': 'true',
      },
      this.size,
    );
    this.element = h('div.grid', { 'data-grid': '' }, this.scroller);
    this.scroller.addEventListener('scroll', () => {
      this.measure();
      this.rows.scrolled(this.scroller.scrollTop);
      this.draw();
    });
    // A scaled scroll bar would skip rows: move by pixels instead.
    this.scroller.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    this.setSize();
  }

  setSize() {
    const shown = Math.min(Math.max(1, this.options.rows), MAX_SHOWN_ROWS);
    place(this.element, { '--grid-height': `${HEAD_HEIGHT + shown * ROW_HEIGHT + 2}px` });
    place(this.size, {
      width: `${this.gutter + this.places.total}px`,
      height: `${HEAD_HEIGHT + this.rows.height}px`,
    });
    place(this.layer, { '--gutter': `${this.gutter}px` });
  }

  /** Width in which a column's name, type and first values fit. */
  fittingWidth(index, rows) {
    const { name, type } = this.columns[index];
    let chars = Math.max(textWidth(name) + 2, Math.min(16, textWidth(type)));
    for (const row of rows) {
      const value = row[index];
      const text = value === null ? 'NULL' : typeof value === 'string' ? value : value[0];
      if (text.length > chars) chars = Math.max(chars, textWidth(text.slice(0, 80)));
    }
    return Math.round(Math.min(380, Math.max(56, chars * charWidth() + 19)));
  }

  /** Takes over the height of the area, which can change before the observer tells it. */
  measure() {
    this.rows.view = Math.max(0, this.scroller.clientHeight - HEAD_HEIGHT);
  }

  resized() {
    const { clientWidth, clientHeight } = this.scroller;
    if (!clientWidth) return;
    this.measure();
    place(this.layer, { width: `${clientWidth}px`, height: `${clientHeight}px` });
    place(this.element, { '--scrollbar': `${this.scroller.offsetHeight - clientHeight}px` });
    this.scroller.scrollTop = this.rows.moveTo(this.rows.top);
    this.draw();
  }

  wheel(event) {
    if (!this.rows.isScaled || event.ctrlKey || event.shiftKey || Math.abs(event.deltaY) < Math.abs(event.deltaX))
      return;
    const by = event.deltaY * (event.deltaMode === 1 ? ROW_HEIGHT : event.deltaMode === 2 ? this.rows.view : 1);
    const { top } = this.rows;
    this.moveTo(top + by);
    if (this.rows.top !== top) event.preventDefault();
  }

  /** Scrolls to a vertical position. */
  moveTo(top) {
    this.scroller.scrollTop = this.rows.moveTo(top);
    this.draw();
  }

  /** Scrolls a cell into view. Row -1 is the header. */
  reveal(row, column) {
    if (row >= 0) this.moveTo(this.rows.reveal(row));
    const view = this.scroller.clientWidth - this.gutter;
    this.scroller.scrollLeft = this.places.reveal(column, this.scroller.scrollLeft, view);
    this.draw();
  }

  /** Draws before the next frame. */
  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.drawNow();
    });
  }

  drawNow() {
    const { first, end } = this.rows.visible();
    const { scrollLeft, clientWidth } = this.scroller;
    const seen = this.places.visible(scrollLeft, clientWidth - this.gutter);
    this.pages.want(first, end);
    this.drawHead(seen, scrollLeft);
    while (this.drawn.length < end - first) this.drawn.push(this.newRow());
    this.drawn.forEach((line, index) => {
      const row = first + index;
      line.element.hidden = row >= end;
      if (row < end) this.drawRow(line, row, seen, scrollLeft);
    });
    const { active } = this.selection;
    const isDrawn = active.row < 0 || (active.row >= first && active.row < end);
    if (isDrawn && active.column >= seen.first && active.column < seen.end) {
      this.scroller.setAttribute('aria-activedescendant', this.cellId(active.row, active.column));
    } else {
      this.scroller.removeAttribute('aria-activedescendant');
    }
    this.drawFailure();
  }

  cellId(row, column) {
    return `${this.id}-${row}-${column}`;
  }

  newRow() {
    const label = h('div.grid-number', { role: 'rowheader' });
    const element = h('div.grid-row', { role: 'row' }, label);
    this.body.append(element);
    return { element, label, cells: [] };
  }

  drawRow(line, row, seen, scrollLeft) {
    const { element, label, cells } = line;
    const values = this.pages.get(row);
    place(element, { transform: `translateY(${row * ROW_HEIGHT - this.rows.top}px)` });
    if (line.row !== row) {
      element.setAttribute('aria-rowindex', row + 2);
      element.classList.toggle('is-odd', row % 2 === 1);
      label.textContent = number(row + 1);
      line.row = row;
    }
    label.classList.toggle('is-selected', this.selection.hasRow(row));
    element.setAttribute('aria-busy', String(!values));
    const width = seen.end - seen.first;
    while (cells.length < width) cells.push(this.newCell(element));
    cells.forEach((cell, index) => {
      const column = seen.first + index;
      cell.element.hidden = index >= width;
      if (index < width) this.drawCell(cell, row, column, values ? values[column] : undefined, scrollLeft);
    });
  }

  newCell(row) {
    const element = h('div.grid-cell', { role: 'gridcell' });
    row.append(element);
    return { element };
  }

  drawCell(cell, row, column, value, scrollLeft) {
    const { element } = cell;
    const left = this.places.edges[column] - scrollLeft + this.gutter;
    place(element, { left: `${left}px`, width: `${this.places.widths[column]}px` });
    const state = this.selection.stateOf(row, column);
    if (cell.row === row && cell.column === column && cell.value === value && cell.state === state) return;
    element.id = this.cellId(row, column);
    element.setAttribute('aria-colindex', column + 1);
    element.setAttribute('aria-selected', String(state !== ''));
    const kind = value === undefined ? ' is-loading' : value === null ? ' is-null' : value === '' ? ' is-empty' : '';
    element.className = `grid-cell${this.isNumber[column] ? ' is-number' : ''}${kind}${state}`;
    if (cell.value !== value || value === undefined) this.fillCell(element, value);
    Object.assign(cell, { row, column, value, state });
  }

  fillCell(element, value) {
    if (value === undefined) element.textContent = '';
    else if (value === null) element.textContent = 'NULL';
    else {
      const text = typeof value === 'string' ? value : value[0];
      const isCut = typeof value !== 'string' || text.length > MAX_SHOWN_CHARS;
      showText(element, isCut ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text);
    }
  }

  drawHead(seen, scrollLeft) {
    const key = `${seen.first} ${seen.end} ${JSON.stringify(this.sort)} ${this.selection.title}`;
    if (this.headKey !== key) {
      this.headKey = key;
      const cells = [];
      for (let it = seen.first; it < seen.end; it += 1) cells.push(this.headCell(it));
      const all = h('div.grid-number.grid-corner', {
        role: 'columnheader',
        text: '#',
        title: 'Select all (Ctrl-A)',
        on: { click: () => this.selection.selectAll() },
      });
      this.head.replaceChildren(all, ...cells);
    }
    [...this.head.children].slice(1).forEach((cell, index) => {
      const column = seen.first + index;
      const left = this.places.edges[column] - scrollLeft + this.gutter;
      place(cell, { left: `${left}px`, width: `${this.places.widths[column]}px` });
    });
  }

  headCell(column) {
    const { name, type } = this.columns[column];
    const sort = this.sort?.column === column ? (this.sort.descending ? 'descending' : 'ascending') : 'none';
    const grip = h('span.grid-grip', {
      'aria-hidden': 'true',
      on: {
        pointerdown: (event) => this.startResize(event, column),
        dblclick: (event) => {
          event.stopPropagation();
          this.fit(column);
        },
        click: (event) => event.stopPropagation(),
      },
    });
    const title = h('bdi.grid-name');
    showText(title, name);
    const isActive = this.selection.title === column;
    return h(
      `div.grid-title${isActive ? '.is-active' : ''}${this.isNumber[column] ? '.is-number' : ''}`,
      {
        role: 'columnheader',
        id: this.cellId(-1, column),
        'aria-colindex': column + 1,
        'aria-sort': sort,
        title: `${name}\n${type}`,
        'data-column': name,
        on: { click: () => this.toggleSort(column) },
      },
      title,
      h('span.grid-type', { text: type }),
      grip,
    );
  }

  startResize(event, column) {
    event.preventDefault();
    event.stopPropagation();
    const grip = event.currentTarget;
    const from = event.clientX - this.places.widths[column];
    grip.setPointerCapture(event.pointerId);
    const move = (it) => this.resizeColumn(column, it.clientX - from);
    grip.addEventListener('pointermove', move);
    grip.addEventListener('lostpointercapture', () => grip.removeEventListener('pointermove', move), { once: true });
  }

  resizeColumn(column, width) {
    this.chosen.add(column);
    this.places.resize(column, width);
    this.setSize();
    this.draw();
  }

  /** Fits a column to its rows in view. */
  fit(column) {
    const { first, end } = this.rows.visible();
    const rows = [];
    for (let it = first; it < end; it += 1) rows.push(this.pages.get(it));
    this.resizeColumn(column, this.fittingWidth(column, rows.filter(Boolean)));
  }

  /** Widens columns of numbers in view, so that no digit is cut off. Widths that a person chose stay. */
  widen() {
    const { first, end } = this.rows.visible();
    const seen = this.places.visible(this.scroller.scrollLeft, this.scroller.clientWidth);
    let isWider = false;
    for (let column = seen.first; column < seen.end; column += 1) {
      if (!this.isNumber[column] || this.chosen.has(column)) continue;
      let chars = 0;
      for (let row = first; row < end; row += 1) chars = Math.max(chars, this.pages.get(row)?.[column]?.length ?? 0);
      const width = Math.min(380, chars * charWidth() + 19);
      if (width <= this.places.widths[column]) continue;
      this.places.widths[column] = Math.ceil(width);
      isWider = true;
    }
    if (!isWider) return;
    this.places.place();
    this.setSize();
  }

  /** Sorts by a column: up, down, and back to the order of the result. */
  toggleSort(column) {
    if (this.options.rows < 2) return;
    const isSame = this.sort?.column === column;
    if (!isSame) this.sort = { column, descending: false };
    else if (!this.sort.descending) this.sort = { column, descending: true };
    else this.sort = undefined;
    this.pages.setSort(this.sort);
    this.moveTo(0);
    this.selection.sorted();
    const { name } = this.columns[column];
    const order = this.sort ? `Sorted by ${name}, ${this.sort.descending ? 'descending' : 'ascending'}` : 'Not sorted';
    this.options.say(order);
  }

  arrived() {
    this.widen();
    this.draw();
    this.selection.arrived();
  }

  drawFailure() {
    const { error, sort } = this.pages;
    this.sort = sort;
    // The result itself says that it is gone.
    this.failed.hidden = !error || error.kind === 'gone';
    if (this.failed.hidden || this.shownError === error) return;
    this.shownError = error;
    const again = h('button.text-button', { text: 'Try again', on: { click: () => this.pages.retry() } });
    this.failed.replaceChildren(error.message, ' ', again);
  }

  /** Describes the selection: "3 rows, 2 columns". */
  describe({ rows, columns }) {
    return `${count(rows, 'row')}, ${count(columns, 'column')} selected`;
  }

  focus() {
    this.scroller.focus();
  }

  destroy() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    this.pages.clear();
  }
}
