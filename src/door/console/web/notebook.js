// The open notebook: its cells, and how they are saved.

import { call, randomId } from './api.js';

const DEBOUNCE_MS = 1000;
/** Waits before a failed save is tried again. After the last one, the next edit or Save tries. */
const RETRY_MS = [3000, 10_000, 30_000];

/** @typedef {{id: string, kind: 'sql'|'text', text: string}} Cell */

export const newCell = (kind, text = '') => ({ id: randomId(), kind, text });

/** Title and cells of a notebook, to compare it with another one. */
const textOf = ({ title, cells }) => JSON.stringify([title, cells.map(({ id, kind, text }) => [id, kind, text])]);

const draftKey = (id) => `duckbot.draft.${id}`;

/**
 * Notebook with its saved state. Events: `cells` (the list changed), `title`, `state` (saved or not), `conflict`.
 */
export class Notebook extends EventTarget {
  constructor({ id, title, cells, version }) {
    super();
    this.id = id;
    this.title = title;
    /** @type {Cell[]} */
    this.cells = cells;
    this.version = version;
    /** `new`, `saved`, `changed`, `saving`, `failed` or `conflict` */
    this.state = version === 0 ? 'new' : 'saved';
    this.reason = '';
    this.edits = 0;
    this.failures = 0;
    /** Contents whose save had no answer. */
    this.sent = [];
    this.saving = null;
    this.timer = 0;
  }

  static empty(title = 'Untitled') {
    return new Notebook({ id: randomId(), title, cells: [newCell('sql')], version: 0 });
  }

  /** Loads a notebook. Edits that were not saved in this tab come back. */
  static async load(id) {
    const draft = readDraft(id);
    if (!draft) return new Notebook(await call('notebook', { id }));
    const notebook = new Notebook(draft);
    try {
      const saved = await call('notebook', { id });
      notebook.version = Math.min(draft.version, saved.version);
      if (textOf(saved) === textOf(draft)) {
        // The last save of a page that was left had no reader for its answer.
        dropDraft(id);
        return new Notebook(saved);
      }
    } catch (error) {
      if (error.kind === 'gone') notebook.version = 0;
    }
    notebook.touch();
    return notebook;
  }

  content() {
    const { id, title, cells, version } = this;
    return { id, title, cells: cells.map(({ id: cell, kind, text }) => ({ id: cell, kind, text })), version };
  }

  get isDirty() {
    return !['new', 'saved'].includes(this.state);
  }

  /** True if leaving the page can lose edits. */
  get isAtRisk() {
    return this.state === 'failed' || this.state === 'conflict';
  }

  find(id) {
    return this.cells.find((it) => it.id === id);
  }

  setTitle(title) {
    if (title === this.title) return;
    this.title = title;
    this.touch();
    this.dispatchEvent(new Event('title'));
  }

  setText(id, text) {
    const cell = this.find(id);
    if (!cell || cell.text === text) return;
    cell.text = text;
    this.touch();
  }

  /** Adds a cell behind another one, or as the first. */
  insert(cell, afterId = null) {
    const at = afterId === null ? 0 : this.cells.findIndex((it) => it.id === afterId) + 1;
    this.insertAt(cell, at);
  }

  insertAt(cell, at) {
    this.cells.splice(at, 0, cell);
    this.changedCells();
  }

  /** Removes a cell. Returns its index. */
  remove(id) {
    const at = this.cells.findIndex((it) => it.id === id);
    if (at === -1) return at;
    this.cells.splice(at, 1);
    this.changedCells();
    return at;
  }

  move(id, by) {
    const at = this.cells.findIndex((it) => it.id === id);
    const to = at + by;
    if (at === -1 || to < 0 || to >= this.cells.length) return false;
    const [cell] = this.cells.splice(at, 1);
    this.cells.splice(to, 0, cell);
    this.changedCells();
    return true;
  }

  changedCells() {
    this.touch();
    this.dispatchEvent(new Event('cells'));
  }

  /** Marks the notebook as changed and saves it soon. */
  touch() {
    this.edits += 1;
    this.failures = 0;
    writeDraft(this.content());
    if (this.state === 'conflict') return;
    if (this.state !== 'saving') this.setState('changed');
    this.saveIn(DEBOUNCE_MS);
  }

  saveIn(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), ms);
  }

  setState(state, reason = '') {
    this.state = state;
    this.reason = reason;
    this.dispatchEvent(new Event('state'));
  }

  /** Saves now, if there is something to save. */
  async save({ keepalive = false } = {}) {
    clearTimeout(this.timer);
    if (!this.isDirty || this.state === 'conflict') return;
    if (this.saving) return this.saving;
    this.saving = this.saveOnce(keepalive);
    try {
      await this.saving;
    } finally {
      this.saving = null;
    }
    if (this.state === 'changed') this.saveIn(DEBOUNCE_MS);
  }

  async saveOnce(keepalive) {
    const { edits } = this;
    const content = this.content();
    this.setState('saving');
    try {
      const { version } = await call('save', content, { keepalive });
      this.version = version;
      this.failures = 0;
      this.sent = [];
      if (edits === this.edits) {
        dropDraft(this.id);
        this.setState('saved');
      } else {
        writeDraft(this.content());
        this.setState('changed');
      }
      channel?.postMessage({ id: this.id, version });
    } catch (error) {
      if (error.kind === 'conflict') {
        await this.conflicted(content, error);
        return;
      }
      this.sent.push(textOf(content));
      this.setState('failed', error.message);
      const wait = RETRY_MS[this.failures];
      this.failures += 1;
      if (wait) this.saveIn(wait);
    }
  }

  /** Another version is saved. It can be from a save of this tab whose answer was lost. */
  async conflicted(content, error) {
    const theirs = await call('notebook', { id: this.id }).catch(() => null);
    if (theirs && [textOf(content), ...this.sent].includes(textOf(theirs))) {
      this.version = theirs.version;
      this.sent = [];
      this.setState('changed');
      return;
    }
    this.setState('conflict', error.message);
    this.dispatchEvent(new Event('conflict'));
  }

  /** Takes over the content that another tab saved. Returns the content before. */
  replace({ title, cells, version }) {
    const before = this.content();
    clearTimeout(this.timer);
    this.title = title;
    this.cells = cells;
    this.version = version;
    dropDraft(this.id);
    this.setState('saved');
    this.dispatchEvent(new Event('title'));
    this.dispatchEvent(new Event('cells'));
    return before;
  }

  /** Becomes a new notebook with the same cells. */
  becomeCopy() {
    dropDraft(this.id);
    this.id = randomId();
    this.version = 0;
    this.title = `${this.title} (copy)`;
    this.state = 'changed';
    this.touch();
    this.dispatchEvent(new Event('title'));
    return this.save();
  }

  /** Ends this object's timers. */
  close() {
    clearTimeout(this.timer);
  }
}

/** Tells other tabs about saves, without a request. */
export const channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('duckbot.notebooks') : null;

function writeDraft(content) {
  try {
    sessionStorage.setItem(draftKey(content.id), JSON.stringify(content));
  } catch {
    // Over the browser's quota: the notebook itself is still saved.
  }
}

function readDraft(id) {
  try {
    return JSON.parse(sessionStorage.getItem(draftKey(id)));
  } catch {
    return null;
  }
}

export function dropDraft(id) {
  sessionStorage.removeItem(draftKey(id));
}
