// Side panel with the statements that ran in this session.

import { call } from './api.js';
import { h, icon, showText, textButton } from './dom.js';
import { count, duration, when } from './format.js';

const SHOWN_CHARS = 600;

export class HistoryView {
  constructor(app) {
    this.app = app;
  }

  toggle() {
    if (this.app.panel.isOpenFor(this)) this.app.panel.close();
    else this.show();
  }

  async show() {
    const list = h('ul.history', { 'data-history': '' });
    const filter = h('input.search', {
      type: 'search',
      placeholder: 'Search the history',
      'aria-label': 'Search the history',
      on: { input: () => this.fill(list, filter.value) },
    });
    this.app.panel.open(this, {
      title: ['History'],
      tools: [textButton('Refresh', () => this.load(list, filter))],
      content: h(
        'div.history-panel',
        {},
        filter,
        list,
        h('p.note', { text: 'Kept until the session ends, never saved.' }),
      ),
      focus: true,
    });
    this.app.makeRoom();
    await this.load(list, filter);
  }

  async load(list, filter) {
    try {
      this.statements = (await call('history')).statements;
      this.fill(list, filter.value);
    } catch (error) {
      list.replaceChildren(h('li.note', { text: error.message }));
    }
  }

  fill(list, search) {
    const wanted = search.trim().toLowerCase();
    const found = this.statements.filter((it) => it.sql.toLowerCase().includes(wanted));
    const nothing = this.statements.length ? 'No statement has this text.' : 'No statement has run yet.';
    list.replaceChildren(...(found.length ? found.map((it) => this.item(it)) : [h('li.note', { text: nothing })]));
  }

  item({ at, sql, elapsed_ms: ms, outcome, rows, message }) {
    const text = h('pre.history-sql');
    showText(text, sql.trim().slice(0, SHOWN_CHARS), true);
    const outcomes = {
      rows: rows === undefined ? 'done' : count(rows, 'row'),
      error: 'failed',
      cancelled: 'cancelled',
    };
    const about = h(
      'span.history-about',
      {},
      icon({ rows: 'check', error: 'close', cancelled: 'stop' }[outcome] ?? 'check'),
      h('span', { text: outcomes[outcome] ?? outcome }),
      h('span', { text: duration(ms) }),
      h('time', { datetime: at, text: when(at) }),
    );
    const button = h(
      'button.history-item',
      {
        title: message ?? 'Insert into the notebook',
        'data-outcome': outcome,
        on: { click: () => this.app.view.addSql(sql) },
      },
      text,
      about,
    );
    return h('li', {}, button);
  }
}
