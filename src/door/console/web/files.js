// Files that are dropped onto the page become tables.

import { upload } from './api.js';
import { h, textButton } from './dom.js';
import { count } from './format.js';

const TABLE = /\.(csv|tsv|txt|json|ndjson|jsonl|parquet)(\.gz)?$/i;

export class Files {
  constructor(app) {
    this.app = app;
    this.chooser = h('input', {
      type: 'file',
      multiple: true,
      hidden: true,
      accept: '.csv,.tsv,.json,.ndjson,.jsonl,.parquet,.gz',
      'aria-label': 'Data file',
      on: { change: () => this.take([...this.chooser.files]).then(() => (this.chooser.value = '')) },
    });
    this.target = h(
      'div.drop-target',
      { hidden: true },
      h(
        'p',
        {},
        h('strong', { text: 'Drop to load' }),
        h('span', { text: 'CSV, Parquet and JSON files become tables, .sql files notebooks.' }),
      ),
    );
    document.body.append(this.chooser, this.target);
    this.depth = 0;
    const isFile = (event) => event.dataTransfer?.types.includes('Files');
    addEventListener('dragenter', (event) => isFile(event) && this.over(1));
    addEventListener('dragleave', (event) => isFile(event) && this.over(-1));
    addEventListener('dragover', (event) => isFile(event) && event.preventDefault());
    addEventListener('drop', (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      this.depth = 0;
      this.over(0);
      this.take([...event.dataTransfer.files]);
    });
  }

  over(by) {
    this.depth = Math.max(0, this.depth + by);
    this.target.hidden = this.depth === 0;
  }

  /** Button that opens the browser's file dialog. */
  button() {
    this.adder = textButton('Add a file', () => this.chooser.click(), {}, 'upload');
    return this.adder;
  }

  /** Files need a folder that the door and DuckDB share. */
  setAvailable(isAvailable) {
    this.adder.hidden = !isAvailable;
    this.adder.title = 'CSV, Parquet or JSON. Files can also be dropped onto the page.';
  }

  async take(files) {
    for (const file of files) {
      if (/\.sql$/i.test(file.name)) await this.app.library.import(file);
      else await this.load(file);
    }
  }

  async load(file) {
    const { messages, info } = this.app;
    if (!info.files || !TABLE.test(file.name)) {
      messages.show(
        info.files
          ? `${file.name} was not loaded. CSV, Parquet and JSON files can be loaded.`
          : 'Files cannot be loaded in this session.',
      );
      return;
    }
    const waiting = messages.show(`Loading ${file.name}…`);
    try {
      const { table, rows } = await upload(file, (part) => {
        waiting.setText(`Loading ${file.name}: ${Math.round(part * 100)} %`);
      });
      waiting.remove();
      messages.show(`${file.name} is now the table ${table} with ${count(rows, 'row')}.`, {
        label: 'Show it',
        act: () => this.app.view.addSql(`FROM ${table}`, { run: true }),
      });
      this.app.tree.load();
    } catch (error) {
      waiting.remove();
      messages.show(`${file.name} was not loaded: ${error.message}`);
    }
  }
}
