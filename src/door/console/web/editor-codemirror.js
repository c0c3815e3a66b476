// CodeMirror, from the bundle that the door serves.

import {
  EditorState,
  EditorView,
  HighlightStyle,
  PostgreSQL,
  Prec,
  StateEffect,
  StateField,
  Decoration,
  autocompletion,
  bracketMatching,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
  defaultKeymap,
  drawSelection,
  history,
  historyKeymap,
  indentWithTab,
  keymap,
  placeholder,
  sql,
  syntaxHighlighting,
  tags,
} from '/.duckbot/console/editor.js';

import { call } from './api.js';
import { usefulSuggestions } from './completions.js';
import { h } from './dom.js';
import { KEYWORDS, RESERVED, TYPES } from './words.js';

const nonce = document.querySelector('meta[name=style-nonce]').content;

/** DuckDB's dialect: DuckDB's strings and operators with other words. */
const DuckDB = PostgreSQL.constructor.define({
  ...PostgreSQL.spec,
  keywords: `${RESERVED} ${KEYWORDS}`.replace(/\s+/g, ' '),
  types: TYPES.replace(/\s+/g, ' '),
});

const highlight = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.bool, tags.null], class: 'token-keyword' },
  { tag: [tags.string, tags.special(tags.string)], class: 'token-string' },
  { tag: tags.number, class: 'token-number' },
  { tag: [tags.comment, tags.lineComment, tags.blockComment], class: 'token-comment' },
  { tag: [tags.operator, tags.punctuation], class: 'token-operator' },
  { tag: [tags.typeName, tags.standard(tags.name)], class: 'token-type' },
]);

const theme = EditorView.theme({
  '&': { backgroundColor: 'transparent', color: 'inherit', fontSize: 'inherit' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'inherit', lineHeight: 'inherit' },
  '.cm-content': { padding: '0', caretColor: 'var(--text)' },
  '.cm-line': { padding: '0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)', borderLeftWidth: '2px' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    backgroundColor: 'var(--selection)',
  },
  '.cm-placeholder': { color: 'var(--faint)' },
});

const setMark = StateEffect.define();
const errorMark = Decoration.mark({ class: 'error-mark' });
const marks = StateField.define({
  create: () => Decoration.none,
  update(value, transaction) {
    for (const effect of transaction.effects) {
      if (!effect.is(setMark)) continue;
      const { from, to } = effect.value ?? {};
      return from < to ? Decoration.set([errorMark.range(from, to)]) : Decoration.none;
    }
    return transaction.docChanged ? Decoration.none : value;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Longer texts have no completions. */
const MAX_CHARS = 300_000;

async function completions(context) {
  const typed = context.matchBefore(/[\p{L}\p{N}_.]+$/u);
  if ((!typed && !context.explicit) || context.pos > MAX_CHARS) return null;
  try {
    const { from, suggestions } = await call('complete', { sql: context.state.sliceDoc(0, context.pos) });
    if (context.aborted) return null;
    const useful = usefulSuggestions(context.state.sliceDoc(from, context.pos), suggestions);
    const options = useful.map(({ text, kind }, index) => ({ label: text, detail: kind, boost: -index / 10 }));
    // The list is asked for anew with each letter: another word can have other suggestions.
    return { from, options, filter: false };
  } catch {
    return null;
  }
}

/** Returns true if the cursor is in the first or last line on the screen. */
function isAtEdge(view, top) {
  const { main } = view.state.selection;
  const edge = top ? 0 : view.state.doc.length;
  const [here, there] = [main.head, edge].map((position) => view.coordsAtPos(position)?.top ?? NaN);
  return main.empty && Math.abs(here - there) < 4;
}

/** @type {(options: import('./editors.js').Options) => import('./editors.js').Editor} */
export function createCodeMirror(options) {
  const command =
    (name, when = () => true) =>
    (view) => {
      if (!when(view)) return false;
      // A list that opens later would cover the result.
      closeCompletion(view);
      options.onCommand(name);
      return true;
    };
  // Arrow keys leave the cell only if CodeMirror has no use for them, such as in a list of completions.
  const keys = keymap.of([
    { key: 'Mod-Enter', run: command('run') },
    { key: 'Ctrl-Enter', run: command('run') },
    { key: 'Shift-Enter', run: command('run-next') },
    { key: 'Mod-Shift-Enter', run: command('run-selection') },
  ]);
  const edges = keymap.of([
    { key: 'ArrowUp', run: command('previous', (view) => isAtEdge(view, true)) },
    { key: 'ArrowDown', run: command('next', (view) => isAtEdge(view, false)) },
    { key: 'Escape', run: command('leave') },
  ]);
  let isQuiet = false;
  const labels = (label) =>
    EditorView.contentAttributes.of({
      'aria-label': label,
      spellcheck: options.kind === 'text' ? 'true' : 'false',
    });
  const label = { current: options.label };
  const isSql = options.kind === 'sql';
  const extensions = [
    EditorView.cspNonce.of(nonce),
    Prec.highest(keys),
    keymap.of(completionKeymap),
    edges,
    keymap.of([...closeBracketsKeymap, ...historyKeymap, indentWithTab, ...defaultKeymap]),
    history(),
    drawSelection(),
    EditorView.lineWrapping,
    placeholder(options.hint),
    labels(label.current),
    theme,
    marks,
    EditorView.updateListener.of((update) => {
      if (update.docChanged && !isQuiet) options.onChange(update.state.doc.toString());
      if (update.focusChanged && update.view.hasFocus) options.onFocus();
    }),
    isSql && [
      sql({ dialect: DuckDB }),
      syntaxHighlighting(highlight),
      bracketMatching(),
      closeBrackets(),
      autocompletion({ override: [completions], icons: false, activateOnTypingDelay: 150 }),
    ],
  ].filter(Boolean);
  const view = new EditorView({ state: EditorState.create({ doc: options.text, extensions }) });
  const clamp = (position) => Math.min(Math.max(0, position), view.state.doc.length);
  return {
    element: h('div.cm-area', {}, view.dom),
    text: () => view.state.doc.toString(),
    setText(text) {
      if (text === view.state.doc.toString()) return;
      isQuiet = true;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
      isQuiet = false;
    },
    selection: () => ({ from: view.state.selection.main.from, to: view.state.selection.main.to }),
    insert(text) {
      view.dispatch(view.state.replaceSelection(text), { scrollIntoView: true });
      view.focus();
    },
    mark: (from, to) => view.dispatch({ effects: setMark.of({ from: clamp(from), to: clamp(to) }) }),
    unmark: () => view.dispatch({ effects: setMark.of(null) }),
    focus(position) {
      view.focus();
      if (position === undefined) return;
      view.dispatch({ selection: { anchor: clamp(position) }, scrollIntoView: true });
    },
    setLabel(text) {
      view.contentDOM.setAttribute('aria-label', text);
    },
    destroy: () => view.destroy(),
  };
}
