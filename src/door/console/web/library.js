// Dialog with the notebooks of the session.

import { call } from './api.js';
import { h, iconButton, saveFile, showText, textButton } from './dom.js';
import { count, fileName, when } from './format.js';
import { openDialog } from './menu.js';
import { dropDraft, newCell, Notebook } from './notebook.js';
import { fromSql, toSql } from './sql-file.js';

const MAX_FILE = 4 << 20;

export class Library {
  constructor(app) {
    this.app = app;
    this.chooser = h('input', { type: 'file', accept: '.sql,text/plain', hidden: true, 'aria-label': 'SQL file' });
    this.chooser.addEventListener('change', () => {
      const [file] = this.chooser.files;
      this.chooser.value = '';
      if (file) this.import(file);
    });
    document.body.append(this.chooser);
  }

  async open() {
    const list = h('ul.library', { 'data-notebooks': '' });
    const close = (act) => () => {
      this.dialog.close();
      act();
    };
    const tools = h(
      'div.library-tools',
      {},
      textButton(
        'New notebook',
        close(() => this.app.openNotebook(Notebook.empty())),
        { class: 'text-button primary' },
        'plus',
      ),
      textButton(
        'Import .sql',
        close(() => this.chooser.click()),
        {},
        'upload',
      ),
      textButton(
        'Export this one',
        close(() => this.export()),
        {},
        'download',
      ),
    );
    const note = h('p.note', {
      text: "Notebooks are in your session's database, so they are part of your saved work.",
    });
    this.dialog = openDialog('Notebooks', h('div', {}, tools, list, note), { class: 'dialog library-dialog' });
    await this.app.notebook.save();
    await this.fill(list);
  }

  async fill(list) {
    let notebooks;
    try {
      ({ notebooks } = await call('notebooks'));
    } catch (error) {
      list.replaceChildren(h('li.note', { text: error.message }));
      return;
    }
    const items = notebooks.map((it) => this.item(it, list));
    list.replaceChildren(...(items.length ? items : [h('li.note', { text: 'No notebook is saved yet.' })]));
  }

  item({ id, title, changed, cells }, list) {
    const name = h('bdi.library-title');
    showText(name, title || 'Untitled');
    const isOpen = id === this.app.notebook.id;
    const open = h(
      'button.library-open',
      {
        'aria-current': isOpen ? 'true' : undefined,
        on: {
          click: async () => {
            this.dialog.close();
            if (!isOpen) await this.app.openById(id);
          },
        },
      },
      name,
      h('small', { text: `${count(cells, 'cell')} · ${when(changed)}${isOpen ? ' · open' : ''}` }),
    );
    const row = h('li', {}, open);
    row.append(
      iconButton('edit', `Rename ${title}`, () => this.rename(row, { id, title }, list)),
      iconButton('trash', `Delete ${title}`, () => this.confirm(row, { id, title }, list)),
    );
    return row;
  }

  rename(row, { id, title }, list) {
    const field = h('input', { type: 'text', value: title, 'aria-label': 'Title', maxlength: 200 });
    const form = h(
      'form.library-form',
      {
        on: {
          submit: (event) => {
            event.preventDefault();
            this.finish(list, () => this.renameTo(id, field.value.trim() || 'Untitled'));
          },
        },
      },
      field,
      h('button.text-button.primary', { text: 'Rename' }),
      textButton('Cancel', () => this.fill(list)),
    );
    form.querySelector('.primary').type = 'submit';
    row.replaceChildren(form);
    field.select();
  }

  async renameTo(id, title) {
    const { notebook } = this.app;
    if (id === notebook.id) {
      notebook.setTitle(title);
      await notebook.save();
      return;
    }
    const other = await call('notebook', { id });
    await call('save', { ...other, title });
  }

  confirm(row, { id, title }, list) {
    const sure = textButton('Delete', () => this.finish(list, () => this.delete(id)), { class: 'text-button danger' });
    const question = h('span');
    question.append('Delete ', h('bdi', { text: title }), '? This cannot be undone.');
    row.replaceChildren(
      h(
        'div.library-form',
        {},
        question,
        sure,
        textButton('Keep', () => this.fill(list)),
      ),
    );
    sure.focus();
  }

  async delete(id) {
    const { app } = this;
    if (id === app.notebook.id) {
      app.notebook.close();
      app.openNotebook(Notebook.empty());
    }
    await call('delete', { id });
    dropDraft(id);
  }

  async finish(list, act) {
    try {
      await act();
    } catch (error) {
      this.app.messages.say(error.message, true);
    }
    await this.fill(list);
  }

  export() {
    const { notebook } = this.app;
    saveFile(`${fileName(notebook.title)}.sql`, toSql(notebook), 'application/sql');
  }

  /** Opens an SQL file as a new notebook. */
  async import(file) {
    if (file.size > MAX_FILE) {
      this.app.messages.say('This file is too large for a notebook. At most 4 MiB are possible.', true);
      return;
    }
    const { title, cells } = fromSql(await file.text(), file.name.replace(/\.sql$/i, ''));
    const notebook = Notebook.empty(title);
    notebook.cells = cells.length ? cells.map((it) => newCell(it.kind, it.text)) : notebook.cells;
    await this.app.openNotebook(notebook);
    notebook.touch();
  }
}
