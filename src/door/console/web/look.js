// Side panel with a preview and a summary of a table.

import { call, tab } from './api.js';
import { h, showText, textButton } from './dom.js';
import { tableName } from './format.js';
import { Result } from './result.js';

/** Previews have a connection of their own, so a running query does not hold them up. */
const LOOK_TAB = `${tab}-look`;
const QUERIES = {
  preview: (name) => `FROM ${name} LIMIT 1000`,
  summary: (name) => `SUMMARIZE ${name}`,
};

export class Look {
  constructor(app) {
    this.app = app;
    this.round = 0;
  }

  get tab() {
    return LOOK_TAB;
  }

  /** @param {'preview'|'summary'} what */
  async show(table, what) {
    const { panel } = this.app;
    const full = tableName(table);
    const title = h('bdi');
    showText(title, table.name);
    const area = h('div.look-result', { 'data-look': what });
    const tabs = Object.entries({ preview: 'Preview', summary: 'Summary' }).map(([key, text]) =>
      h('button.tab', { 'aria-pressed': String(key === what), text, on: { click: () => this.show(table, key) } }),
    );
    const query = textButton('Insert query', () => this.app.view.addSql(QUERIES[what](full)), {}, 'insert');
    const where = h('p.note');
    showText(where, full);
    const bar = h('div.look-bar', {}, h('div.tabs', { role: 'group', 'aria-label': 'View' }, ...tabs), query);
    panel.open(this, {
      title: [title],
      content: h('div.look', {}, where, bar, area),
      onClose: () => this.forget(),
    });
    this.app.makeRoom();
    this.forget();
    const { round } = this;
    area.replaceChildren(h('p.note', { text: 'Loading…' }));
    const sql = QUERIES[what](full);
    try {
      const answer = await call('run', { tab: LOOK_TAB, cell: 'look', sql });
      if (round !== this.round) return;
      this.result = new Result(this.app, answer, {
        sql,
        tab: LOOK_TAB,
        label: `${what === 'preview' ? 'Preview' : 'Summary'} of ${table.name}`,
        name: () => table.name,
      });
      area.replaceChildren(this.result.element);
      this.app.messages.say(`${table.name}: ${this.result.status.textContent}`);
    } catch (error) {
      if (round !== this.round) return;
      const message = h('pre.error-message');
      showText(message, error.message, true);
      area.replaceChildren(h('div.error', {}, message));
    }
  }

  forget() {
    this.round += 1;
    this.result?.destroy();
    this.result = null;
  }
}
