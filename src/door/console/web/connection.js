// Banners about the session: signed out, ended, restarted, out of reach.

import { call, calls } from './api.js';
import { h, iconButton, textButton } from './dom.js';

const GONE = 'DuckDB was restarted, so this result is gone. Run the cell again.';

const TEXTS = {
  'signed-out': [
    'This browser is not signed in to the session any more. In Discord, press Open under the message about the session, or type /duck open. Your cells are kept in this tab.',
    null,
  ],
  ended: [
    'This session has ended. In Discord, type /duck start. If your team saves work, your notebooks come back.',
    null,
  ],
  unreachable: ['The session cannot be reached. Check your connection. Your cells are kept in this tab.', 'Try again'],
  unavailable: ['DuckDB does not answer. It may be starting again. Your cells are kept in this tab.', 'Try again'],
  restarted: [
    'DuckDB was restarted. Results, settings, temporary tables and tables in memory are gone. Your cells are all here: run them again.',
    null,
  ],
};

export class Connection {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.shown = null;
    calls.addEventListener('failed', ({ detail }) => this.failed(detail));
    calls.addEventListener('answered', () => this.answered());
    addEventListener('online', () => this.shown === 'unreachable' && this.check());
  }

  failed({ kind }) {
    if (kind === 'signed-out' || kind === 'ended' || kind === 'unreachable' || kind === 'unavailable') this.show(kind);
    if (kind === 'gone') this.check();
  }

  /** After a failure, the first answer may come from another DuckDB. */
  answered() {
    if (this.shown === null || this.shown === 'restarted') return;
    this.hide();
    this.check();
  }

  /** Asks if this is still the DuckDB from before. */
  async check() {
    if (this.checking) return;
    this.checking = true;
    try {
      const info = await call('info');
      this.saw(info.started);
      this.app.info = info;
    } catch {
      // The failure has its own banner.
    } finally {
      this.checking = false;
    }
  }

  /** Notices another DuckDB: `started` is another text after a restart. */
  saw(started) {
    const { started: before } = this.app.info;
    this.app.info.started = started;
    // Nothing is known before the first answer.
    if (before === undefined || before === started) return;
    this.show('restarted');
    this.app.view.markGone(GONE);
    this.app.tree.load();
  }

  show(kind) {
    if (this.shown === kind) return;
    this.shown = kind;
    const [text, again] = TEXTS[kind];
    const banner = h(
      'div.banner',
      { role: 'alert', 'data-banner': kind },
      h('span', { text }),
      again && textButton(again, () => this.check()),
      kind === 'restarted' && iconButton('close', 'Dismiss', () => this.hide()),
    );
    this.root.replaceChildren(banner);
  }

  hide() {
    this.shown = null;
    this.root.replaceChildren();
  }
}
