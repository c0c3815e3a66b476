// Dialog with the keys.

import { h } from './dom.js';
import { openDialog } from './menu.js';

const KEYS = [
  [
    'In a cell',
    [
      ['Ctrl Enter', 'Run the cell'],
      ['Shift Enter', 'Run the cell and go to the next one'],
      ['Ctrl Shift Enter', 'Run the selection, or the statement at the cursor'],
      ['Ctrl Space', 'Complete a name'],
      ['Escape', 'Leave the text. Tab then moves on'],
      ['Escape Escape', 'Cancel the running query'],
      ['↑ ↓', 'At the edge of a text: go to the cell above or below'],
    ],
  ],
  [
    'On a cell, after Escape',
    [
      ['Enter', 'Edit'],
      ['↑ ↓', 'Go to another cell'],
      ['Alt ↑ ↓', 'Move the cell'],
      ['A', 'Add SQL above'],
      ['B', 'Add SQL below'],
      ['T', 'Add a text below'],
      ['Delete', 'Delete the cell'],
    ],
  ],
  [
    'In a grid',
    [
      ['↑ ↓ ← →', 'Move. With Shift: select. With Ctrl: to the edge'],
      ['Enter', 'Show the whole value. In the header: sort'],
      ['S', 'Sort by the column'],
      ['Alt ← →', 'Change the width of the column'],
      ['Ctrl A', 'Select all'],
      ['Ctrl C', 'Copy the selection'],
    ],
  ],
  [
    'In the tables',
    [
      ['← →', 'Close and open'],
      ['Enter', 'Insert the name'],
      ['P', 'Preview'],
      ['S', 'Summarize'],
    ],
  ],
  [
    'Everywhere outside a text',
    [
      ['/', 'Search tables'],
      ['N', 'Notebooks'],
      ['H', 'History'],
      ['Ctrl B', 'Show or hide the tables'],
      ['Ctrl S', 'Save now'],
      ['?', 'This help'],
    ],
  ],
];

const isMac = /mac/i.test(navigator.platform);

/** Opens the help. */
export function openHelp() {
  const groups = KEYS.map(([title, rows]) =>
    h(
      'section',
      {},
      h('h3', { text: title }),
      h('dl.keys', {}, ...rows.flatMap(([keys, text]) => [h('dt', {}, ...keyNodes(keys)), h('dd', { text })])),
    ),
  );
  openDialog('Keys', h('div.help', {}, ...groups), { class: 'dialog help-dialog' });
}

const keyNodes = (keys) =>
  keys.split(' ').flatMap((key) => [h('kbd', { text: isMac && key === 'Ctrl' ? '⌘' : key }), ' ']);
