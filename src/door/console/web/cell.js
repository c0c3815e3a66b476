// Cell of the notebook: editor, state and result.

import { tab } from './api.js';
import { h, icon, iconButton, showText, textButton } from './dom.js';
import { createEditor } from './editors.js';
import { elapsed } from './format.js';
import { markdownNodes } from './markdown-view.js';
import { menuButton } from './menu.js';
import { Result, summary } from './result.js';
import { changesCatalog, endOfWord, hasStatement, lineOf, statementAt } from './statements.js';

const HINTS = {
  sql: 'SELECT …  Ctrl-Enter runs this cell',
  text: 'Notes in Markdown: # heading, **bold**, - list',
};

export class CellView {
  /**
   * @param {object} app
   * @param {import('./notebook-view.js').NotebookView} owner
   * @param {import('./notebook.js').Cell} cell
   */
  constructor(app, owner, cell) {
    this.app = app;
    this.owner = owner;
    this.cell = cell;
    this.isSql = cell.kind === 'sql';
    this.state = 'idle';
    this.result = null;
    this.build();
    if (!this.isSql) this.render();
  }

  build() {
    const { cell, owner } = this;
    this.runButton = h('button.run-button', { on: { click: () => this.pressRun() } });
    this.status = h('div.cell-status', { hidden: true });
    this.output = h('div.cell-output');
    const move = (by) => () => owner.move(this, by);
    const add = (label, kind, where) => ({ label, act: () => owner.add(kind, '', { [where]: this }) });
    const places = () => [
      add('SQL above', 'sql', 'before'),
      add('SQL below', 'sql', 'after'),
      add('Text above', 'text', 'before'),
      add('Text below', 'text', 'after'),
    ];
    this.tools = h(
      'div.cell-tools',
      { role: 'toolbar', 'aria-label': 'Cell' },
      !this.isSql && iconButton('edit', 'Edit', () => this.edit(), {}, 'Enter'),
      menuButton('Add a cell', places, { icon: 'plus' }),
      iconButton('up', 'Move up', move(-1), {}, 'Alt-↑'),
      iconButton('down', 'Move down', move(1), {}, 'Alt-↓'),
      iconButton('trash', 'Delete', () => owner.remove(this), {}, 'Delete'),
    );
    this.rendered = h('div.rendered', { on: { dblclick: () => this.edit() } });
    this.input = h('div.cell-input');
    this.gutter = h('div.cell-gutter', {}, this.isSql ? this.runButton : null);
    this.element = h(
      `section.cell.cell-${cell.kind}`,
      {
        tabindex: -1,
        role: 'group',
        'data-cell': cell.id,
        'data-kind': cell.kind,
        on: {
          focusin: () => owner.setCurrent(this),
          focusout: () => setTimeout(() => this.left()),
          keydown: (event) => event.target === this.element && owner.key(event, this),
        },
      },
      this.gutter,
      h('div.cell-main', {}, this.input, this.rendered, this.status, this.output),
      this.tools,
    );
    this.rendered.hidden = this.isSql;
    if (this.isSql) this.openEditor();
    this.setState('idle');
  }

  openEditor() {
    this.editor = createEditor({
      text: this.cell.text,
      kind: this.cell.kind,
      label: this.label('Text of'),
      hint: HINTS[this.cell.kind],
      onChange: (text) => this.changed(text),
      onCommand: (command) => this.owner.command(command, this),
      onFocus: () => this.owner.setCurrent(this),
    });
    this.input.replaceChildren(this.editor.element);
    this.input.hidden = false;
  }

  label(before) {
    const kind = this.isSql ? 'SQL cell' : 'text cell';
    return `${before} ${kind} ${this.number ?? ''}`.trim();
  }

  setNumber(number) {
    if (this.number === number) return;
    this.number = number;
    this.element.setAttribute('aria-label', this.isSql ? `SQL cell ${number}` : `Text cell ${number}`);
    this.editor?.setLabel(this.label('Text of'));
    this.setState(this.state);
  }

  changed(text) {
    this.owner.notebook.setText(this.cell.id, text);
    this.owner.showHint();
    if (this.result) this.element.classList.toggle('is-edited', text !== this.ranText);
  }

  /** Takes over a text that another tab saved. */
  setText(text) {
    this.cell.text = text;
    this.editor?.setText(text);
    if (!this.isSql && !this.isEditing) this.render();
  }

  get isEditing() {
    return !this.isSql && this.editor !== undefined;
  }

  /** Shows the Markdown. */
  render() {
    const nodes = markdownNodes(this.cell.text);
    const empty = h('p.note', { text: 'Empty text. Double-click, or press Enter, to write.' });
    this.rendered.replaceChildren(...(nodes.length ? nodes : [empty]));
    this.rendered.hidden = false;
    this.input.hidden = true;
    this.editor?.destroy();
    this.editor = undefined;
    this.element.classList.remove('is-editing');
  }

  /** Opens the editor of a text, or moves into that of SQL. */
  edit(position) {
    if (!this.editor) {
      this.openEditor();
      this.rendered.hidden = true;
      this.element.classList.add('is-editing');
    }
    this.editor.focus(position);
  }

  /** A text is shown when the focus moves elsewhere on the page. */
  left() {
    const isElsewhere = document.hasFocus() && !this.element.contains(document.activeElement);
    if (this.isEditing && isElsewhere) this.render();
  }

  focusCell() {
    this.element.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: 'nearest' });
  }

  /** Ends editing: a text is shown, and the cell has the focus. */
  leave() {
    if (!this.isSql) this.render();
    this.focusCell();
  }

  insert(text) {
    if (!this.isSql) return;
    this.editor.insert(text);
  }

  // --- running

  pressRun() {
    if (this.state === 'running' || this.state === 'queued') this.app.runner.cancel();
    else this.run();
  }

  /** Runs all of the cell. @returns {boolean} false if there is nothing to run */
  run({ isBatch = false } = {}) {
    if (!this.isSql || !hasStatement(this.editor.text())) return false;
    this.app.runner.add({ view: this, sql: this.editor.text(), offset: 0, isBatch });
    return true;
  }

  /** Runs the selection, or the statement at the cursor. */
  runSelection() {
    if (!this.isSql) return;
    const text = this.editor.text();
    let { from, to } = this.editor.selection();
    if (from === to) ({ from, to } = statementAt(text, from));
    const sql = text.slice(from, to);
    if (hasStatement(sql)) this.app.runner.add({ view: this, sql, offset: from, isBatch: false });
  }

  setState(state) {
    this.state = state;
    this.element.dataset.state = state;
    const isBusy = state === 'running' || state === 'queued';
    const name = isBusy ? this.label('Cancel') : this.label('Run');
    this.runButton.replaceChildren(icon(isBusy ? 'stop' : 'run'));
    this.runButton.setAttribute('aria-label', name);
    this.runButton.title = isBusy ? 'Cancel (Escape twice)' : 'Run (Ctrl-Enter)';
    this.element.setAttribute('aria-busy', String(isBusy));
    if (state !== 'running') clearInterval(this.clock);
  }

  setIdle() {
    this.setState('idle');
    this.showStatus();
  }

  showStatus(...content) {
    this.status.hidden = content.length === 0;
    this.status.replaceChildren(...content);
  }

  setQueued() {
    if (this.state === 'running') return;
    this.setState('queued');
    this.showStatus(h('span', { text: 'Waiting for the query before' }));
  }

  setRunning() {
    this.setState('running');
    this.editor.unmark();
    const time = h('span.elapsed', { text: '0.0 s', 'data-elapsed': '' });
    const from = performance.now();
    this.clock = setInterval(() => {
      time.textContent = elapsed(performance.now() - from);
    }, 100);
    this.showStatus(h('span.spinner', { 'aria-hidden': 'true' }), (this.verb = h('span', { text: 'Running' })), time);
    this.element.classList.add('is-running');
  }

  setCancelling() {
    if (this.verb) this.verb.textContent = 'Cancelling';
  }

  finish(state, sql) {
    this.element.classList.remove('is-running', 'is-edited');
    this.setState(state);
    this.showStatus();
    if (changesCatalog(sql)) this.app.tree.load();
  }

  setResult(answer, sql) {
    this.finish('done', sql);
    if (!this.element.isConnected) return;
    this.ranText = this.cell.text;
    this.result?.destroy();
    this.result = new Result(this.app, answer, {
      sql,
      tab,
      label: this.label('Result of'),
      name: () => `${this.owner.notebook.title} ${this.number}`,
    });
    this.output.replaceChildren(this.result.element);
    this.app.messages.say(`Cell ${this.number}: ${summary(answer)}`);
  }

  setError(error, { offset, sql, isCancelled }) {
    this.finish(isCancelled ? 'cancelled' : 'failed', sql);
    if (!this.element.isConnected) return;
    this.result?.destroy();
    this.result = null;
    if (isCancelled) {
      this.output.replaceChildren(h('p.note', { text: 'Cancelled', 'data-cancelled': '' }));
      this.app.messages.say(`Cell ${this.number}: cancelled`);
      return;
    }
    this.output.replaceChildren(this.errorBox(error, offset, sql));
    this.app.messages.say(`Cell ${this.number}: ${error.message}`);
  }

  errorBox(error, offset, sql) {
    const message = h('pre.error-message');
    showText(message, error.message, true);
    const box = h('div.error', { role: 'group', 'aria-label': 'Error', 'data-error': error.kind }, message);
    if (error.hint) {
      const hint = h('p.error-hint');
      showText(hint, error.hint, true);
      box.append(hint);
    }
    if (error.kind === 'busy') box.append(textButton('Cancel the other query', () => this.app.runner.cancelOther()));
    const text = this.editor.text();
    if (Number.isInteger(error.position) && text.slice(offset, offset + sql.length) === sql) {
      const from = offset + error.position;
      this.editor.mark(from, endOfWord(text, from));
      const go = h('button.text-button', {
        text: `Go to line ${lineOf(text, from)}`,
        on: { click: () => this.editor.focus(from) },
      });
      box.append(go);
    }
    return box;
  }

  markGone(reason) {
    this.result?.markGone(reason);
  }

  destroy() {
    clearInterval(this.clock);
    this.app.runner.forget(this);
    this.editor?.destroy();
    this.result?.destroy();
    this.element.remove();
  }
}
