// Side panel with a whole value, unfolded if it is nested.

import { call } from './api.js';
import { h, iconButton, showText } from './dom.js';
import { count, isNested, number } from './format.js';
import { entriesOf, unfold } from './nested.js';

/** Characters that are shown at first, and more with each press of a button. */
const SHOWN_CHARS = 100_000;
/** Entries of a list or struct that are shown at first. */
const SHOWN_ENTRIES = 200;

export class Inspector {
  constructor(app) {
    this.app = app;
    this.round = 0;
  }

  /**
   * Shows a value of a result.
   * @param {{result: string, grid: import('./grid.js').Grid}} source
   * @param {{row: number, column: number, sort?: object}} at
   */
  async show({ result, grid }, at, isAsked) {
    const { panel } = this.app;
    const isOpen = panel.isOpenFor(this);
    if (!isAsked && !isOpen) return;
    const place = JSON.stringify([result, at]);
    if (isOpen && place === this.place) {
      if (isAsked) panel.focus();
      return;
    }
    this.place = place;
    const { name, type } = grid.columns[at.column];
    const content = h('div.value', { 'data-value': '' });
    const title = h('bdi');
    showText(title, name);
    let text = null;
    const copy = iconButton('copy', 'Copy the value', () => this.copy(text));
    panel.open(this, {
      title: [title, ' ', h('small', { text: `row ${number(at.row + 1)}` })],
      tools: [copy],
      content,
      focus: false,
      onClose: () => grid.element.isConnected && grid.focus(),
    });
    const known = grid.pages.get(at.row)?.[at.column];
    this.round += 1;
    const { round } = this;
    try {
      const isWhole = known === null || typeof known === 'string';
      text = isWhole ? known : (await call('value', { result, ...at })).value;
    } catch (error) {
      if (round === this.round) content.replaceChildren(h('p.note', { text: error.message }));
      return;
    }
    if (round === this.round) this.fill(content, text, type);
  }

  async copy(text) {
    try {
      await navigator.clipboard.writeText(text ?? '');
      this.app.messages.say('Copied the value', true);
    } catch (error) {
      this.app.messages.say(`Nothing was copied: ${error.message}`, true);
    }
  }

  fill(content, text, type) {
    const about = h('p.value-about', {}, h('code', { text: type }));
    if (text === null) {
      content.replaceChildren(about, h('p.note', { text: 'NULL: there is no value.' }));
      return;
    }
    about.append(text === '' ? ' · empty text' : ` · ${count([...text.slice(0, 1e6)].length, 'character')}`);
    const node = text.length < 2_000_000 && (isNested(type) || /^\s*[[{]/.test(text)) ? unfold(text) : null;
    if (!node) {
      content.replaceChildren(about, this.plain(text));
      return;
    }
    const views = { Unfolded: () => h('div.value-tree', {}, entriesList(node, 0)), Text: () => this.plain(text) };
    const area = h('div');
    const buttons = Object.keys(views).map((name) =>
      h('button.tab', { 'aria-pressed': 'false', text: name, on: { click: () => choose(name) } }),
    );
    const choose = (name) => {
      for (const button of buttons) button.setAttribute('aria-pressed', String(button.textContent === name));
      area.replaceChildren(views[name]());
    };
    choose('Unfolded');
    content.replaceChildren(about, h('div.tabs', { role: 'group', 'aria-label': 'View' }, ...buttons), area);
  }

  plain(text) {
    const view = h('pre.value-text', { tabindex: 0, 'aria-label': 'Value' });
    const more = h('button.text-button', { text: 'Show more' });
    let shown = 0;
    const show = () => {
      const part = h('span');
      showText(part, text.slice(shown, shown + SHOWN_CHARS), true);
      view.append(part);
      shown += SHOWN_CHARS;
      more.hidden = shown >= text.length;
    };
    more.addEventListener('click', show);
    show();
    return h('div', {}, view, more);
  }
}

/** List of the entries of a nested value. Inner ones unfold on demand. */
function entriesList(node, depth) {
  const entries = entriesOf(node);
  if (!entries.length) return h('p.note', { text: node.kind === 'list' ? 'Empty list' : 'Empty struct' });
  const list = h(`ul.entries${node.kind === 'list' ? '.is-list' : ''}`);
  const add = (from) => {
    list.append(...entries.slice(from, from + SHOWN_ENTRIES).map((it) => entry(it, depth)));
    const end = from + SHOWN_ENTRIES;
    if (end >= entries.length) return;
    const more = h('button.text-button', { text: `Show more of ${number(entries.length)}` });
    const item = h('li', {}, more);
    more.addEventListener('click', () => {
      item.remove();
      add(end);
    });
    list.append(item);
  };
  add(0);
  return list;
}

function entry({ key, value }, depth) {
  const name = h('bdi.entry-key');
  showText(name, key);
  if (value.kind === 'value') {
    const isNull = !value.quoted && /^null$/i.test(value.text);
    const text = h(`bdi.entry-value${isNull ? '.is-null' : ''}`);
    showText(text, value.text.slice(0, 10_000));
    return h('li', {}, name, text);
  }
  const { length } = entriesOf(value);
  const about = value.kind === 'list' ? `[ ${number(length)} ]` : `{ ${number(length)} }`;
  const details = h('details', {}, h('summary', {}, name, h('span.entry-about', { text: about })));
  const open = () => details.childElementCount > 1 || details.append(entriesList(value, depth + 1));
  details.addEventListener('toggle', open);
  if (depth < 4 && length <= 20) {
    open();
    details.open = true;
  }
  return h('li', {}, details);
}
