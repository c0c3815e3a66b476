// Runs cells one after the other: a tab has one connection.

import { call, tab } from './api.js';

/**
 * @typedef {object} Job
 * @property {import('./cell.js').CellView} view
 * @property {string} sql
 * @property {number} offset start of `sql` in the cell's text
 * @property {boolean} isBatch true: a failure ends the whole queue
 */

export class Runner extends EventTarget {
  constructor(app) {
    super();
    this.app = app;
    /** @type {Job[]} */
    this.queue = [];
    /** @type {Job | null} */
    this.running = null;
    /** Newest result of this tab. */
  }

  get isBusy() {
    return this.running !== null;
  }

  /** @param {Job} job */
  add(job) {
    const isThere = this.queue.findIndex((it) => it.view === job.view);
    if (isThere !== -1) this.queue.splice(isThere, 1);
    this.queue.push(job);
    job.view.setQueued();
    this.next();
  }

  async next() {
    if (this.running || !this.queue.length) return;
    const job = this.queue.shift();
    this.running = { ...job, isCancelled: false };
    const { view, sql, offset } = job;
    const { running } = this;
    this.dispatchEvent(new Event('state'));
    view.setRunning();
    try {
      const answer = await call('run', { tab, cell: view.cell.id, sql });
      this.app.connection.saw(answer.started);
      view.setResult(answer, sql);
    } catch (error) {
      const isCancelled = running.isCancelled || error.kind === 'cancelled';
      view.setError(error, { offset, sql, isCancelled });
      if (job.isBatch || isCancelled) this.clearQueue();
    }
    this.running = null;
    this.dispatchEvent(new Event('state'));
    this.next();
  }

  clearQueue() {
    for (const job of this.queue.splice(0)) job.view.setIdle();
  }

  /** Cancels the running query and what waits behind it. */
  async cancel() {
    this.clearQueue();
    if (!this.running) return;
    this.running.isCancelled = true;
    this.running.view.setCancelling();
    try {
      await call('cancel', { tab });
    } catch (error) {
      this.app.messages.say(`The query was not cancelled: ${error.message}`, true);
    }
  }

  /** Cancels a query of this tab from before the page was loaded again. */
  async cancelOther() {
    try {
      await call('cancel', { tab });
      this.app.messages.say('Cancelled. Run the cell again.', true);
    } catch (error) {
      this.app.messages.say(`The query was not cancelled: ${error.message}`, true);
    }
  }

  /** Forgets a cell that is being removed. */
  forget(view) {
    this.queue = this.queue.filter((it) => it.view !== view);
    if (this.running?.view !== view) return;
    this.cancel();
    this.app.messages.say('The query was cancelled, because its cell was closed.', true);
  }
}
