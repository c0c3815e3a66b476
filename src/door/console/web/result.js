// Result below a cell: grid, chart, downloads.

import { call } from './api.js';
import { ChartView } from './chart-view.js';
import { h, iconButton, uniqueId } from './dom.js';
import { count, duration } from './format.js';
import { Grid } from './grid.js';
import { menuButton, openDialog } from './menu.js';

/** Sentence for a result: "42 rows · 0.31 s". */
export function summary({ columns, rows, complete, elapsed_ms: ms }) {
  const time = duration(ms);
  if (isDone({ columns, rows })) return `Done · ${time}`;
  if (isPlan({ columns, rows })) return `Plan · ${time}`;
  return complete ? `${count(rows, 'row')} · ${time}` : `The first ${count(rows, 'row')} · ${time}`;
}

/** Statements such as CREATE and SET return no rows. */
const isDone = ({ columns, rows }) =>
  columns.length === 0 || (rows === 0 && columns.length === 1 && columns[0].name === 'Success');

const isPlan = ({ columns, rows }) =>
  rows > 0 && columns.length === 2 && columns[0].name === 'explain_key' && columns[1].name === 'explain_value';

export class Result {
  /**
   * @param {{result: string, columns: object[], rows: number, complete: boolean, first: any[][], elapsed_ms: number}} answer
   * @param {{sql: string, label: string, tab: string, name: () => string, tools?: Node[]}} about
   */
  constructor(app, answer, about) {
    this.app = app;
    this.answer = answer;
    this.about = about;
    this.status = h('span.result-status', { text: summary(answer), 'data-result-status': '' });
    this.head = h('div.result-head', {});
    this.body = h('div.result-body');
    this.note = h('p.result-note', { hidden: true });
    this.element = h('div.result', { 'data-result': '' }, this.head, this.note, this.body);
    if (isDone(answer)) {
      this.head.append(this.status);
      this.body.hidden = true;
    } else if (isPlan(answer)) {
      this.head.append(this.status);
      const plans = answer.first.map((row) => (typeof row[1] === 'string' ? row[1] : (row[1]?.[0] ?? '')));
      this.body.append(h('pre.plan', { tabindex: 0, 'aria-label': 'Plan', text: plans.join('\n') }));
      this.loadPlan(plans);
    } else {
      this.build();
    }
  }

  /** Plans are often longer than a value of a page. */
  async loadPlan(plans) {
    try {
      for (const [row, value] of this.answer.first.entries()) {
        if (!Array.isArray(value[1])) continue;
        plans[row] = (await call('value', { result: this.answer.result, row, column: 1 })).value;
      }
      this.body.querySelector('.plan').textContent = plans.join('\n');
    } catch {
      // The start of the plan is there.
    }
  }

  build() {
    const { answer, app } = this;
    const { result } = answer;
    this.grid = new Grid({
      result,
      columns: answer.columns,
      rows: answer.rows,
      first: answer.first,
      label: this.about.label,
      source: (from, size, sort) => this.rows({ result, from, count: size, sort }),
      onCell: (at, isAsked) => app.inspector.show({ result, grid: this.grid }, at, isAsked),
      say: (text, isShown) => app.messages.say(text, isShown),
    });
    this.chart = new ChartView(app, answer, this.about.name);
    this.chart.element.hidden = true;
    this.body.append(this.grid.element, this.chart.element);
    this.body.id = uniqueId('result');
    this.tabs = ['Grid', 'Chart'].map((name) =>
      h('button.tab', {
        role: 'tab',
        'aria-controls': this.body.id,
        text: name,
        on: { click: () => this.choose(name) },
      }),
    );
    const list = h('div.tabs', { role: 'tablist', 'aria-label': 'View' }, ...this.tabs);
    list.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
      const other = this.tabs.find((it) => it.getAttribute('aria-selected') === 'false');
      event.preventDefault();
      this.choose(other.textContent);
      other.focus();
    });
    this.maximise = iconButton('expand', 'Show the result in full size', () => this.toggleFull());
    const copy = menuButton(
      'Copy',
      () => [
        { label: 'Selected cells', act: () => this.grid.selection.copy() },
        { label: 'All, with names', act: () => this.grid.selection.copy({ all: true }) },
      ],
      { icon: 'copy' },
    );
    const downloads = menuButton('Download', () => this.downloads(), { icon: 'download' });
    this.head.append(list, this.status, h('span.spacer'), ...(this.about.tools ?? []), copy, downloads, this.maximise);
    this.choose('Grid');
  }

  async rows(request) {
    try {
      return (await call('rows', request)).rows;
    } catch (error) {
      if (error.kind === 'gone') this.markGone(error.message);
      throw error;
    }
  }

  choose(name) {
    for (const button of this.tabs) {
      const isChosen = button.textContent === name;
      button.setAttribute('aria-selected', String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
    }
    this.grid.element.hidden = name !== 'Grid';
    this.chart.element.hidden = name !== 'Chart';
    if (name === 'Chart') this.chart.show();
  }

  downloads() {
    const { files } = this.app.info;
    const note = files ? undefined : 'not available here';
    const file = (label, format) => ({ label, act: () => this.download(format), disabled: !files, note });
    return [
      file('CSV', 'csv'),
      file('Parquet', 'parquet'),
      file('JSON', 'json'),
      null,
      { label: 'Chart as PNG', act: () => this.chart.save('png') },
      { label: 'Chart as SVG', act: () => this.chart.save('svg') },
    ];
  }

  async download(format) {
    const { messages } = this.app;
    const waiting = messages.show(`Writing the ${format.toUpperCase()} file…`);
    try {
      const { sql, tab } = this.about;
      const { result, complete } = this.answer;
      const { url, name } = await call('download', { result, format, ...(complete ? {} : { sql, tab }) });
      h('a', { href: url, download: name }).click();
      waiting.remove();
      messages.say(`Downloading ${name}`);
    } catch (error) {
      waiting.remove();
      messages.say(`The file was not written: ${error.message}`, true);
    }
  }

  /** Shows the result in a dialog as large as the window, and back. */
  toggleFull() {
    if (this.dialog) {
      this.dialog.close();
      return;
    }
    const place = h('div');
    this.element.replaceWith(place);
    this.maximise.hidden = true;
    this.dialog = openDialog(this.about.label, this.element, { class: 'dialog is-full' });
    this.grid.focus();
    this.dialog.addEventListener('close', () => {
      this.dialog = null;
      this.maximise.hidden = false;
      place.replaceWith(this.element);
      this.maximise.focus();
    });
  }

  /** Marks the result as gone. Rows that are here can still be read. */
  markGone(reason) {
    this.element.classList.add('is-gone');
    this.note.hidden = false;
    this.note.textContent = reason;
  }

  destroy() {
    this.dialog?.close();
    this.grid?.destroy();
    this.chart?.destroy();
  }
}
