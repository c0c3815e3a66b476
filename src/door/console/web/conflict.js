// Two tabs with one notebook.

import { call } from './api.js';
import { h, textButton } from './dom.js';
import { channel } from './notebook.js';

/** Follows what other tabs save. */
export function followOthers(app) {
  channel?.addEventListener('message', async ({ data }) => {
    const { notebook } = app;
    if (data.id !== notebook.id || data.version <= notebook.version || notebook.isDirty) return;
    try {
      const saved = await call('notebook', { id: notebook.id });
      if (notebook === app.notebook && !notebook.isDirty) notebook.replace(saved);
    } catch {
      // The next save finds the conflict.
    }
  });
}

/** Asks what to do about a notebook that another tab has changed. */
export function showConflict(app, root) {
  const { notebook } = app;
  const done = () => root.replaceChildren();
  const theirs = async () => {
    try {
      const before = notebook.replace(await call('notebook', { id: notebook.id }));
      done();
      app.messages.show('This is the other version now.', {
        label: 'Undo',
        act: () => {
          const { version } = notebook;
          notebook.replace({ ...before, version });
          notebook.touch();
        },
      });
    } catch (error) {
      const text = error.kind === 'gone' ? 'The notebook was deleted. Keep yours as a copy.' : error.message;
      app.messages.say(text, true);
    }
  };
  const mine = async () => {
    done();
    await notebook.becomeCopy();
    app.opened();
    app.messages.show('Your version is a notebook of its own now.');
  };
  root.replaceChildren(
    h(
      'div.banner',
      { role: 'alert', 'data-banner': 'conflict' },
      h('span', {
        text: 'This notebook was changed elsewhere, such as in another tab. Your changes here are not saved yet.',
      }),
      textButton('Take theirs', theirs),
      textButton('Keep mine as a copy', mine, { class: 'text-button primary' }),
    ),
  );
}
