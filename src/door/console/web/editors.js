// Text editors for cells. Both implementations have the interface `Editor`.

import { createPlain } from './editor-plain.js';

/**
 * @typedef {object} Options
 * @property {string} text
 * @property {'sql'|'text'} kind
 * @property {string} label name for screen readers
 * @property {string} hint shown while the editor is empty
 * @property {(text: string) => void} onChange
 * @property {(command: 'run'|'run-next'|'run-selection'|'leave'|'previous'|'next') => void} onCommand
 * @property {() => void} onFocus
 *
 * @typedef {object} Editor
 * @property {HTMLElement} element
 * @property {() => string} text
 * @property {(text: string) => void} setText replaces the text without `onChange`
 * @property {() => {from: number, to: number}} selection
 * @property {(text: string) => void} insert replaces the selection
 * @property {(from: number, to: number) => void} mark marks an error
 * @property {() => void} unmark
 * @property {(position?: number) => void} focus
 * @property {(label: string) => void} setLabel
 * @property {() => void} destroy
 */

/** @type {(options: Options) => Editor} */
let create = createPlain;

/** Loads the bundled editor. Without it, editors are plain text fields. */
export async function loadEditor() {
  try {
    const { createCodeMirror } = await import('./editor-codemirror.js');
    create = createCodeMirror;
  } catch (error) {
    console.info('The bundled editor is not available. Cells are plain text fields.', error);
  }
}

/** @type {(options: Options) => Editor} */
export const createEditor = (options) => create(options);
