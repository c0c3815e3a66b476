// Text field over a layer with the same text in colors.

import { call } from './api.js';
import { usefulSuggestions } from './completions.js';
import { h, place, uniqueId } from './dom.js';
import { cutTokens, shiftTokens } from './tokens.js';

const TOKENS_MS = 200;
const COMPLETE_MS = 180;
/** Longer texts have no colors and no completions. */
const MAX_CHARS = 300_000;

/** @type {(options: import('./editors.js').Options) => import('./editors.js').Editor} */
export const createPlain = (options) => new PlainEditor(options);

class PlainEditor {
  constructor(options) {
    this.options = options;
    this.layer = h('pre.plain-layer', { 'aria-hidden': 'true' });
    this.field = h('textarea.plain-field', {
      'aria-label': options.label,
      'aria-multiline': 'true',
      placeholder: options.hint,
      rows: 1,
      spellcheck: options.kind === 'text' ? 'true' : 'false',
      autocapitalize: 'off',
      autocomplete: 'off',
      autocorrect: 'off',
      on: {
        input: () => this.changed(),
        keydown: (event) => this.key(event),
        focus: () => options.onFocus(),
        blur: () => this.closeList(),
        select: () => this.closeList(),
        click: () => this.closeList(),
        scroll: () => this.field.scrollTo(0, 0),
      },
    });
    this.field.value = options.text;
    this.list = h('ul.completions', {
      role: 'listbox',
      'aria-label': 'Completions',
      id: uniqueId('completions'),
      hidden: true,
    });
    this.element = h(
      `div.plain.plain-${options.kind}`,
      {},
      h('div.plain-scroller', {}, this.layer, this.field),
      this.list,
    );
    this.tokens = [];
    this.error = null;
    this.suggestions = [];
    this.shown = options.text;
    this.draw();
    // A long notebook asks for the colors of what is in view.
    this.observer = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.seen());
    this.observer.observe(this.element);
  }

  seen() {
    this.observer.disconnect();
    this.askTokens(0);
  }

  text() {
    return this.field.value;
  }

  setText(text) {
    if (text === this.field.value) return;
    const { selectionStart } = this.field;
    this.field.value = text;
    this.field.setSelectionRange(selectionStart, selectionStart);
    this.redraw();
  }

  selection() {
    return { from: this.field.selectionStart, to: this.field.selectionEnd };
  }

  insert(text) {
    this.field.focus();
    // Unlike setRangeText, the command can be undone.
    if (!document.execCommand('insertText', false, text)) {
      this.field.setRangeText(text, this.field.selectionStart, this.field.selectionEnd, 'end');
      this.changed();
    }
  }

  mark(from, to) {
    this.error = { from, to };
    this.draw();
  }

  unmark() {
    if (!this.error) return;
    this.error = null;
    this.draw();
  }

  focus(position) {
    this.field.focus({ preventScroll: position === undefined });
    if (position !== undefined) this.field.setSelectionRange(position, position);
  }

  setLabel(label) {
    this.field.setAttribute('aria-label', label);
  }

  destroy() {
    this.observer.disconnect();
    clearTimeout(this.tokenTimer);
    clearTimeout(this.completeTimer);
  }

  changed() {
    this.error = null;
    this.redraw();
    this.options.onChange(this.field.value);
    this.askCompletions();
  }

  redraw() {
    this.tokens = shiftTokens(this.tokens, this.shown, this.field.value);
    this.shown = this.field.value;
    this.draw();
    this.askTokens(TOKENS_MS);
  }

  draw() {
    const text = this.field.value;
    const parts = cutTokens(text, this.tokens, this.error).map(({ kind, part, isError }) => {
      if (!kind && !isError) return part;
      return h(`span${kind ? `.token-${kind}` : ''}${isError ? '.error-mark' : ''}`, { text: part });
    });
    // A last line break has no height of its own.
    this.layer.replaceChildren(...parts, '\u200b');
  }

  askTokens(ms) {
    if (this.options.kind !== 'sql') return;
    clearTimeout(this.tokenTimer);
    if (!this.field.value.trim() || this.field.value.length > MAX_CHARS) {
      this.tokens = [];
      return;
    }
    this.tokenTimer = setTimeout(async () => {
      const sql = this.field.value;
      try {
        const { tokens } = await call('tokens', { sql });
        if (sql !== this.field.value) return;
        this.tokens = tokens;
        this.draw();
      } catch {
        // Without an answer the text has the colors from before.
      }
    }, ms);
  }

  key(event) {
    if (event.isComposing) return;
    if (!this.list.hidden && this.listKey(event)) return;
    const { key } = event;
    const control = event.ctrlKey || event.metaKey;
    const command = this.commandOf(event);
    if (command) {
      event.preventDefault();
      event.stopPropagation();
      this.closeList();
      this.options.onCommand(command);
    } else if (key === 'Tab' && !control && !event.altKey) {
      event.preventDefault();
      this.indent(event.shiftKey);
    } else if (key === ' ' && control) {
      event.preventDefault();
      this.complete();
    } else if (key === 'Enter') {
      const before = this.field.value.slice(0, this.field.selectionStart);
      const spaces = /[ \t]*$/.exec(/(?:^|\n)([ \t]*)[^\n]*$/.exec(before)?.[1] ?? '')[0];
      if (spaces) {
        event.preventDefault();
        this.insert(`\n${spaces}`);
      }
    }
  }

  /** Command of a key, if it has one. */
  commandOf({ key, ctrlKey, metaKey, shiftKey }) {
    const control = ctrlKey || metaKey;
    if (key === 'Enter' && control) return shiftKey ? 'run-selection' : 'run';
    if (key === 'Enter' && shiftKey) return 'run-next';
    if (key === 'Escape') return 'leave';
    if (control || shiftKey) return null;
    if (key === 'ArrowUp' && this.isAtEdge(true)) return 'previous';
    if (key === 'ArrowDown' && this.isAtEdge(false)) return 'next';
    return null;
  }

  /** Returns true if the cursor is in the first or last line on the screen. */
  isAtEdge(top) {
    const { from, to } = this.selection();
    const edge = top ? 0 : this.field.value.length;
    return from === to && Math.abs(this.positionOf(from).y - this.positionOf(edge).y) < 4;
  }

  indent(out) {
    const { from, to } = this.selection();
    const { value } = this.field;
    if (from === to && !out) return this.insert('  ');
    const start = value.lastIndexOf('\n', from - 1) + 1;
    const lines = value.slice(start, to).split('\n');
    const moved = lines.map((it) => (out ? it.replace(/^ {1,2}|^\t/, '') : `  ${it}`)).join('\n');
    this.field.setSelectionRange(start, to);
    this.insert(moved);
    this.field.setSelectionRange(start, start + moved.length);
  }

  askCompletions() {
    if (this.options.kind !== 'sql') return;
    clearTimeout(this.completeTimer);
    const before = this.field.value.slice(0, this.field.selectionStart);
    if (!/[\p{L}\p{N}_.]$/u.test(before) || before.length > MAX_CHARS) {
      this.closeList();
      return;
    }
    this.completeTimer = setTimeout(() => this.complete(), COMPLETE_MS);
  }

  async complete() {
    const { value, selectionStart } = this.field;
    const sql = value.slice(0, selectionStart);
    const asked = {};
    this.asked = asked;
    let answer;
    try {
      answer = await call('complete', { sql });
    } catch {
      return;
    }
    const isSame = this.field.value === value && this.field.selectionStart === selectionStart;
    if (!isSame || this.asked !== asked) return;
    const useful = usefulSuggestions(sql.slice(answer.from), answer.suggestions);
    if (!useful.length) {
      this.closeList();
      return;
    }
    this.from = answer.from;
    this.suggestions = useful;
    this.openList();
  }

  openList() {
    const items = this.suggestions.map(({ text, kind }, index) =>
      h(
        'li.completion',
        {
          role: 'option',
          id: `${this.list.id}-${index}`,
          on: {
            pointerdown: (event) => {
              event.preventDefault();
              this.accept(index);
            },
          },
        },
        h('bdi', { text }),
        h('small', { text: kind }),
      ),
    );
    this.list.replaceChildren(...items);
    this.list.hidden = false;
    this.field.setAttribute('aria-controls', this.list.id);
    this.choose(0);
    const at = this.positionOf(this.from);
    place(this.list, { left: `${at.x}px`, top: `${at.y}px` });
  }

  /** Closes the list. An answer that is still to come does not open it. */
  closeList() {
    clearTimeout(this.completeTimer);
    this.asked = null;
    this.list.hidden = true;
    this.field.removeAttribute('aria-activedescendant');
  }

  choose(index) {
    this.chosen = (index + this.suggestions.length) % this.suggestions.length;
    for (const [at, item] of [...this.list.children].entries()) {
      item.setAttribute('aria-selected', String(at === this.chosen));
    }
    this.field.setAttribute('aria-activedescendant', `${this.list.id}-${this.chosen}`);
    this.list.children[this.chosen].scrollIntoView({ block: 'nearest' });
  }

  /** @returns {boolean} true if the list took the key */
  listKey(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false;
    if (key === 'ArrowDown') this.choose(this.chosen + 1);
    else if (key === 'ArrowUp') this.choose(this.chosen - 1);
    else if (key === 'Enter' || key === 'Tab') this.accept(this.chosen);
    else if (key === 'Escape') this.closeList();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  accept(index) {
    const { text } = this.suggestions[index];
    this.closeList();
    this.field.setSelectionRange(this.from, this.field.selectionStart);
    this.insert(text);
    this.closeList();
  }

  /** Place below a position of the text, within this element. */
  positionOf(position) {
    const walker = document.createTreeWalker(this.layer, NodeFilter.SHOW_TEXT);
    let left = position;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (left <= node.length) {
        const range = document.createRange();
        range.setStart(node, left);
        range.setEnd(node, left);
        const rect = range.getBoundingClientRect();
        const base = this.element.getBoundingClientRect();
        return { x: Math.max(0, rect.left - base.left), y: rect.bottom - base.top + 4 };
      }
      left -= node.length;
    }
    return { x: 0, y: this.element.clientHeight };
  }
}
