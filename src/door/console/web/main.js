// Console of a session: a notebook, the tables, and the results.

import { call, send, tab } from './api.js';
import { Connection } from './connection.js';
import { followOthers, showConflict } from './conflict.js';
import { bdi, h, icon, iconButton } from './dom.js';
import { loadEditor } from './editors.js';
import { Files } from './files.js';
import { openHelp } from './help.js';
import { HistoryView } from './history-view.js';
import { Inspector } from './inspector.js';
import { Library } from './library.js';
import { Look } from './look.js';
import { Messages } from './menu.js';
import { Notebook } from './notebook.js';
import { NotebookView } from './notebook-view.js';
import { Panel } from './panel.js';
import { Runner } from './runner.js';
import { splitter } from './splitter.js';
import { Tree } from './tree.js';

const LAST = 'duckbot.notebook';
const find = (id) => document.getElementById(id);

class App {
  constructor() {
    this.info = { files: false };
    this.messages = new Messages();
    this.panel = new Panel(find('panel'));
    this.runner = new Runner(this);
    this.view = new NotebookView(this, find('notebook'));
    this.inspector = new Inspector(this);
    this.history = new HistoryView(this);
    this.look = new Look(this);
    this.library = new Library(this);
    this.files = new Files(this);
    this.connection = new Connection(this, find('banners'));
    this.side = find('side');
    this.tree = new Tree(find('tables'), {
      insert: (name) => {
        this.makeRoom();
        this.view.insert(name);
      },
      look: (table, what) => this.look.show(table, what),
    });
    this.buildTop();
    this.listen();
  }

  async start() {
    try {
      this.info = await call('info');
      this.showInfo();
    } catch {
      // The banner tells why. The page still shows cells that were not saved.
    }
    if (this.info.editor) await loadEditor();
    await this.openLast();
    followOthers(this);
    this.tree.load();
  }

  showInfo() {
    const { session, owner, duckdb, duckdb_ui: other } = this.info;
    this.session = session;
    this.showTitle();
    find('session').replaceChildren(
      bdi(session),
      h('span', {}, ' ', bdi(owner), ` · DuckDB ${duckdb.replace(/^v/, '')}`),
    );
    find('other-ui').hidden = !other;
    this.files.setAvailable(this.info.files);
  }

  buildTop() {
    const button = (id, name, act) => {
      const element = find(id);
      element.prepend(icon(name));
      element.addEventListener('click', act);
      return element;
    };
    button('toggle-side', 'sidebar', () => this.toggleSide());
    this.runAll = button('run-all', 'run', () => (this.runner.isBusy ? this.runner.cancel() : this.view.runAll()));
    button('open-library', 'notebook', () => this.library.open());
    button('open-history', 'history', () => this.history.toggle());
    button('open-help', 'help', openHelp);
    this.title = find('title');
    this.title.addEventListener('input', () => this.notebook.setTitle(this.title.value || 'Untitled'));
    this.title.addEventListener('keydown', (event) => event.key === 'Enter' && this.view.views[0]?.focusCell());
    this.saved = find('saved');
    this.saved.addEventListener('click', () => this.notebook.save());
    this.side.prepend(
      splitter(this.side, 'Width of the tables', {
        side: 'right',
        key: 'duckbot.side',
        min: 180,
        max: 700,
        width: 268,
      }),
    );
    find('notebook').addEventListener('pointerdown', () => this.makeRoom());
    const refresh = iconButton('refresh', 'Load the tables again', () => this.tree.load());
    find('tables-head').append(this.files.button(), refresh);
    if (localStorage.getItem('duckbot.side-hidden') === 'true' || innerWidth < 720) this.toggleSide(false);
    this.runner.addEventListener('state', () => {
      const { isBusy } = this.runner;
      this.runAll.lastElementChild.textContent = isBusy ? 'Cancel' : 'Run all';
      this.runAll.firstElementChild.replaceWith(icon(isBusy ? 'stop' : 'run'));
      document.body.classList.toggle('is-running', isBusy);
    });
  }

  listen() {
    addEventListener('keydown', (event) => this.key(event));
    addEventListener('visibilitychange', () => document.hidden && this.notebook?.save({ keepalive: true }));
    addEventListener('blur', () => this.notebook?.save());
    addEventListener('beforeunload', (event) => this.notebook?.isAtRisk && event.preventDefault());
    addEventListener('pagehide', () => {
      this.notebook?.save({ keepalive: true });
      for (const it of [tab, this.look.tab]) send('close', { tab: it });
    });
    addEventListener('pageshow', (event) => {
      if (event.persisted) this.view.markGone('This result was dropped when you left the page. Run the cell again.');
    });
    addEventListener('hashchange', () => {
      const id = location.hash.slice(1);
      if (id && id !== this.notebook?.id) this.openById(id);
    });
  }

  /** Keys that work everywhere outside a text. */
  key(event) {
    if (event.defaultPrevented || event.isComposing) return;
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    let act = null;
    if (control && !event.shiftKey && !event.altKey) {
      act = { s: () => this.notebook.save(), b: () => this.toggleSide() }[key];
    } else if (!control && !event.altKey && !isText(event.target) && !document.querySelector('dialog[open]')) {
      act = {
        '?': openHelp,
        '/': () => {
          this.toggleSide(true);
          this.tree.search.focus();
        },
        n: () => this.library.open(),
        h: () => this.history.toggle(),
        escape: () => {
          this.panel.close();
          this.view.escaped();
        },
      }[key];
    }
    if (!act) return;
    event.preventDefault();
    act();
  }

  toggleSide(isShown = document.body.classList.contains('no-side')) {
    document.body.classList.toggle('no-side', !isShown);
    find('toggle-side').setAttribute('aria-expanded', String(isShown));
    if (innerWidth >= 720) localStorage.setItem('duckbot.side-hidden', String(!isShown));
  }

  /** On a narrow screen, the tables lie over the notebook: closes them. */
  makeRoom() {
    if (innerWidth < 720) this.toggleSide(false);
  }

  // --- notebooks

  async openLast() {
    const asked = location.hash.slice(1) || localStorage.getItem(LAST);
    if (asked && (await this.openById(asked, true))) return;
    try {
      const { notebooks } = await call('notebooks');
      if (notebooks.length && (await this.openById(notebooks[0].id, true))) return;
    } catch {
      // The banner tells why.
    }
    await this.openNotebook(Notebook.empty());
  }

  /** @returns {Promise<boolean>} true if the notebook is open */
  async openById(id, isQuiet = false) {
    try {
      await this.openNotebook(await Notebook.load(id));
      return true;
    } catch (error) {
      if (!isQuiet) this.messages.say(error.message, true);
      return false;
    }
  }

  async openNotebook(notebook) {
    const before = this.notebook;
    if (before) {
      this.runner.clearQueue();
      await before.save();
      before.close();
    }
    this.notebook = notebook;
    find('conflict').replaceChildren();
    notebook.addEventListener('state', () => notebook === this.notebook && this.showState());
    notebook.addEventListener('title', () => notebook === this.notebook && this.showTitle());
    notebook.addEventListener('conflict', () => notebook === this.notebook && showConflict(this, find('conflict')));
    this.view.open(notebook);
    this.title.value = notebook.title;
    this.showState();
    this.opened();
    if (innerWidth >= 720) this.view.views.find((it) => it.isSql)?.edit(0);
    this.view.root.scrollTop = 0;
  }

  /** Remembers which notebook is open. */
  opened() {
    localStorage.setItem(LAST, this.notebook.id);
    history.replaceState(null, '', `#${this.notebook.id}`);
    this.showTitle();
  }

  showTitle() {
    document.title = [this.notebook?.title, this.session, 'DuckDB'].filter(Boolean).join(' · ');
    if (this.notebook && document.activeElement !== this.title) this.title.value = this.notebook.title;
  }

  showState() {
    const { state, reason } = this.notebook;
    const texts = {
      new: 'not saved yet',
      saved: 'saved',
      changed: 'saving',
      saving: 'saving',
      failed: `not saved: ${reason}`,
      conflict: 'not saved: changed elsewhere',
    };
    this.saved.textContent = texts[state];
    this.saved.dataset.state = state;
    this.saved.title = state === 'failed' ? `${reason} Press to try again.` : '';
  }
}

const isText = (element) => element.closest('input, textarea, select, [contenteditable=true]') !== null;

const app = new App();
app.start();
