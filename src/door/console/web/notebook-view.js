// Notebook on the page: the list of cells, and the keys between them.

import { h, textButton } from './dom.js';
import { CellView } from './cell.js';
import { newCell } from './notebook.js';

const ESCAPE_TWICE_MS = 800;

export class NotebookView {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.list = h('div.cells');
    this.adder = h(
      'div.adder',
      {},
      textButton(
        'SQL',
        () => this.add('sql', '', { after: this.views.at(-1) }),
        { 'aria-label': 'Add an SQL cell' },
        'plus',
      ),
      textButton(
        'Text',
        () => this.add('text', '', { after: this.views.at(-1) }),
        { 'aria-label': 'Add a text cell' },
        'plus',
      ),
    );
    this.hint = h(
      'div.welcome',
      { hidden: true },
      h('p', {}, 'Type SQL and press ', h('kbd', { text: 'Ctrl' }), ' ', h('kbd', { text: 'Enter' }), '.'),
      h('p', { text: 'Click a table on the left to insert its name, or look into it with the buttons beside it.' }),
      (this.fileHint = h('p', { text: 'Drop a CSV, Parquet or JSON file onto the page to load it.' })),
      h('p', {}, h('kbd', { text: '?' }), ' outside a text shows all keys.'),
    );
    root.replaceChildren(this.list, this.adder, this.hint);
    /** @type {CellView[]} */
    this.views = [];
    this.current = null;
    this.notebook = null;
  }

  /** Shows a notebook instead of the one before. @param {import('./notebook.js').Notebook} notebook */
  open(notebook) {
    this.close();
    this.notebook = notebook;
    this.listener = () => this.sync();
    notebook.addEventListener('cells', this.listener);
    this.sync();
    this.root.scrollTop = 0;
  }

  close() {
    if (!this.notebook) return;
    this.notebook.removeEventListener('cells', this.listener);
    for (const view of this.views.splice(0)) view.destroy();
    this.current = null;
  }

  /** Makes the page show the notebook's cells. Cells that stay keep their results. */
  sync() {
    const known = new Map(this.views.map((it) => [it.cell.id, it]));
    this.views = this.notebook.cells.map((cell) => {
      const view = known.get(cell.id);
      if (!view || view.cell.kind !== cell.kind) return new CellView(this.app, this, cell);
      known.delete(cell.id);
      const isOther = view.cell !== cell;
      view.cell = cell;
      if (isOther) view.setText(cell.text);
      return view;
    });
    for (const view of known.values()) {
      if (this.current === view) this.current = null;
      view.destroy();
    }
    this.showHint();
    this.views.forEach((view, index) => {
      view.setNumber(index + 1);
      // Moving an element that is in place already would take its focus.
      if (this.list.children[index] !== view.element)
        this.list.insertBefore(view.element, this.list.children[index] ?? null);
    });
  }

  /** A notebook with nothing in it shows how to begin. */
  showHint() {
    const { cells } = this.notebook;
    this.fileHint.hidden = !this.app.info.files;
    this.hint.hidden = cells.length > 1 || Boolean(cells[0]?.text.trim());
  }

  setCurrent(view) {
    if (this.current === view) return;
    this.current?.element.classList.remove('is-current');
    this.current = view;
    view.element.classList.add('is-current');
  }

  indexOf(view) {
    return this.views.indexOf(view);
  }

  /**
   * Adds a cell.
   * @param {'sql'|'text'} kind
   * @param {{after?: CellView, before?: CellView, run?: boolean, focus?: boolean}} options
   */
  add(kind, text, { after, before, run = false, focus = true } = {}) {
    const cell = newCell(kind, text);
    const at = before ? this.indexOf(before) : after ? this.indexOf(after) + 1 : this.views.length;
    this.notebook.insertAt(cell, at);
    const view = this.views[at];
    if (focus) view.edit(text.length);
    view.element.scrollIntoView({ block: 'nearest' });
    if (run) view.run();
    return view;
  }

  /** Adds SQL below the current cell, or into it if it is empty. */
  addSql(text, { run = false } = {}) {
    const { current } = this;
    if (current?.isSql && !current.editor.text().trim()) {
      current.editor.focus();
      current.editor.insert(text);
      if (run) current.run();
      return;
    }
    this.add('sql', text, { after: current ?? this.views.at(-1), run });
  }

  /** Inserts a name at the cursor. */
  insert(text) {
    const view = this.current?.isSql ? this.current : this.views.findLast((it) => it.isSql);
    if (view) view.insert(text);
    else this.add('sql', text);
  }

  remove(view) {
    const { cell } = view;
    const at = this.indexOf(view);
    const { notebook } = this;
    notebook.remove(cell.id);
    const next = this.views[Math.min(at, this.views.length - 1)];
    if (next) next.focusCell();
    else this.adder.querySelector('button').focus();
    if (!cell.text.trim()) return;
    this.app.messages.show('The cell was deleted.', {
      label: 'Undo',
      act: () => {
        notebook.insertAt(cell, Math.min(at, notebook.cells.length));
        this.views.find((it) => it.cell === cell)?.focusCell();
      },
    });
  }

  move(view, by) {
    const hadFocus = document.activeElement;
    if (!this.notebook.move(view.cell.id, by)) return;
    hadFocus?.focus({ preventScroll: true });
    view.element.scrollIntoView({ block: 'nearest' });
    this.app.messages.say(`Moved to position ${view.number}`);
  }

  runAll() {
    const started = this.views.filter((view) => view.run({ isBatch: true }));
    if (!started.length) this.app.messages.say('There is nothing to run.', true);
  }

  /** Carries out a key of a cell's editor. */
  command(name, view) {
    const at = this.indexOf(view);
    const go = (to, end) => {
      const next = this.views[to];
      if (!next) return;
      if (next.isSql) next.edit(end ? next.editor.text().length : 0);
      else next.focusCell();
    };
    switch (name) {
      case 'run':
        if (view.isSql) view.run();
        else view.leave();
        break;
      case 'run-selection':
        view.runSelection();
        break;
      case 'run-next':
        if (view.isSql) view.run();
        else view.render();
        if (at + 1 < this.views.length) go(at + 1, false);
        else this.add('sql', '', { after: view });
        break;
      case 'leave':
        view.leave();
        this.escaped();
        break;
      case 'previous':
        go(at - 1, true);
        break;
      case 'next':
        go(at + 1, false);
        break;
    }
  }

  /** Counts presses of Escape: two of them cancel. */
  escaped() {
    const now = performance.now();
    const isSecond = now - (this.lastEscape ?? -Infinity) < ESCAPE_TWICE_MS;
    this.lastEscape = isSecond ? -Infinity : now;
    if (isSecond && this.app.runner.isBusy) this.app.runner.cancel();
  }

  /** Carries out a key of a cell that has the focus itself. */
  key(event, view) {
    const at = this.indexOf(view);
    const focus = (to) => this.views[to]?.focusCell();
    const control = event.ctrlKey || event.metaKey;
    const plain = !control && !event.altKey && !event.shiftKey;
    const acts = {
      Enter: () => {
        if (control) this.command(event.shiftKey ? 'run-selection' : 'run', view);
        else if (event.shiftKey) {
          view.run();
          focus(at + 1);
        } else view.edit();
      },
      ArrowUp: () => (event.altKey ? this.move(view, -1) : focus(at - 1)),
      ArrowDown: () => (event.altKey ? this.move(view, 1) : focus(at + 1)),
      Escape: () => this.escaped(),
      ...(plain && {
        Delete: () => this.remove(view),
        a: () => this.add('sql', '', { before: view }),
        b: () => this.add('sql', '', { after: view }),
        t: () => this.add('text', '', { after: view }),
      }),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  markGone(reason) {
    for (const view of this.views) view.markGone(reason);
  }
}
