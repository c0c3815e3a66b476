// Chart of a result, drawn by the door.

import { call } from './api.js';
import { h, saveFile, uniqueId } from './dom.js';
import { fileName } from './format.js';

const KINDS = [
  ['line', 'Line'],
  ['bar', 'Bars'],
  ['scatter', 'Points'],
  ['number', 'Number'],
];
/** Numbers that a line chart shows at most. */
const MAX_NUMBERS = 7;
const MAX_OPTIONS = 300;

export class ChartView {
  /**
   * @param {{result: string, columns: {name: string, type: string}[]}} answer
   * @param {() => string} name name for files
   */
  constructor(app, answer, name) {
    this.app = app;
    this.answer = answer;
    this.name = name;
    this.picture = h('div.chart-picture', { 'aria-busy': 'true' }, h('p.note', { text: 'Drawing the chart…' }));
    this.notes = h('ul.chart-notes');
    this.controls = h('div.chart-controls', { role: 'group', 'aria-label': 'Chart' });
    this.element = h('div.chart', { 'data-chart': '' }, this.controls, this.picture, this.notes);
    this.choice = undefined;
    this.isLoaded = false;
  }

  /** Draws the first chart, once. */
  show() {
    if (this.isLoaded) return;
    this.isLoaded = true;
    this.load();
  }

  async load() {
    this.picture.setAttribute('aria-busy', 'true');
    const { choice } = this;
    let drawn;
    try {
      drawn = await call('chart', { result: this.answer.result, choice, format: 'svg' });
    } catch (error) {
      drawn = { why: error.message };
    }
    if (choice !== this.choice) return;
    this.picture.setAttribute('aria-busy', 'false');
    this.notes.replaceChildren(...(drawn.notes ?? []).map((text) => h('li', { text })));
    if (drawn.why) {
      this.picture.replaceChildren(h('p.note', { text: drawn.why }));
      if (choice) this.drawControls();
      return;
    }
    this.choice = drawn.choice;
    this.svg = drawn.svg;
    // As an image, the SVG cannot run anything or load anything.
    URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(new Blob([drawn.svg], { type: 'image/svg+xml' }));
    this.picture.replaceChildren(h('img', { src: this.url, alt: drawn.alt }));
    this.app.messages.say(drawn.alt);
    this.drawControls();
  }

  choose(change) {
    this.choice = { ...this.choice, ...change };
    if (this.choice.kind !== 'line') {
      this.choice.numbers = this.choice.numbers.slice(0, this.choice.kind === 'number' ? 2 : 1);
      this.choice.series = null;
    }
    this.load();
  }

  drawControls() {
    const { kind, along, numbers, series } = this.choice;
    const columns = this.answer.columns.slice(0, MAX_OPTIONS).map((it, index) => [String(index), it.name]);
    const index = (text) => (text === '' ? null : Number(text));
    const controls = [select('Kind', KINDS, kind, (it) => this.choose({ kind: it }))];
    if (kind !== 'number') {
      const none = kind === 'line' ? [['', 'order of the rows']] : [];
      controls.push(
        select('Along', [...none, ...columns], String(along ?? ''), (it) => this.choose({ along: index(it) })),
      );
    }
    if (kind === 'line') {
      controls.push(this.numbersChooser(columns, numbers));
      const options = [['', 'none'], ...columns];
      controls.push(
        select('Series', options, String(series ?? ''), (it) =>
          this.choose({ series: index(it), numbers: numbers.slice(0, 1) }),
        ),
      );
    } else {
      controls.push(
        select('Numbers', columns, String(numbers[0] ?? ''), (it) => this.choose({ numbers: [Number(it)] })),
      );
    }
    const focused = this.controls.contains(document.activeElement) && document.activeElement.name;
    const isOpen = Boolean(this.controls.querySelector('details[open]'));
    this.controls.replaceChildren(...controls);
    const details = this.controls.querySelector('details');
    if (details && isOpen) details.open = true;
    if (focused) this.controls.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Checkboxes for the lines of a chart. */
  numbersChooser(columns, numbers) {
    const boxes = columns.map(([value, name]) => {
      const box = h('input', {
        type: 'checkbox',
        name: `number-${value}`,
        checked: numbers.includes(Number(value)),
        on: {
          change: () => {
            const others = this.choice.numbers.filter((it) => it !== Number(value));
            const chosen = box.checked ? [...others, Number(value)].slice(-MAX_NUMBERS) : others;
            if (chosen.length) this.choose({ numbers: chosen, series: null });
            else box.checked = true;
          },
        },
      });
      return h('label', {}, box, h('bdi', { text: name }));
    });
    const names = numbers.map((it) => this.answer.columns[it]?.name).join(', ');
    return h(
      'div.control',
      {},
      h('span', { text: 'Numbers' }),
      h('details.chooser', {}, h('summary', {}, h('bdi', { text: names })), h('div.chooser-list', {}, ...boxes)),
    );
  }

  /** Saves the picture as a file. */
  async save(format) {
    const { result } = this.answer;
    try {
      const drawn = await call('chart', { result, choice: this.choice, format });
      if (drawn.why) throw new Error(drawn.why);
      const name = `${fileName(this.name())}.${format}`;
      if (format === 'svg') saveFile(name, drawn.svg, 'image/svg+xml');
      else
        saveFile(
          name,
          Uint8Array.from(atob(drawn.png), (it) => it.charCodeAt(0)),
          'image/png',
        );
    } catch (error) {
      this.app.messages.say(`The chart was not saved: ${error.message}`, true);
    }
  }

  destroy() {
    URL.revokeObjectURL(this.url);
  }
}

function select(label, options, value, onChange) {
  const id = uniqueId('select');
  const menu = h('select', { id, name: label, on: { change: () => onChange(menu.value) } });
  menu.append(...options.map(([key, text]) => h('option', { value: key, text })));
  menu.value = value;
  return h('div.control', {}, h('label', { for: id, text: label }), menu);
}
