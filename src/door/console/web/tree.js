// Tree of databases, schemas, tables and columns. Each level is loaded when it is opened.

import { call } from './api.js';
import { h, icon, iconButton, showText } from './dom.js';
import { identifier, tableName } from './format.js';

const SEARCH_MS = 250;
const ICONS = { database: 'database', schema: 'folder', table: 'tables', view: 'view' };

export class Tree {
  /**
   * @param {HTMLElement} root
   * @param {{insert: (name: string) => void, look: (table: object, what: 'preview'|'summary') => void}} acts
   */
  constructor(root, acts) {
    this.acts = acts;
    this.search = h('input.search', {
      type: 'search',
      placeholder: 'Search tables',
      'aria-label': 'Search tables',
      autocomplete: 'off',
      spellcheck: 'false',
      on: {
        input: () => this.searchSoon(),
        keydown: (event) => {
          if (event.key === 'ArrowDown') this.items()[0]?.focus();
          else if (event.key === 'Escape' && this.search.value) {
            this.search.value = '';
            this.searchSoon();
          } else return;
          event.preventDefault();
        },
      },
    });
    this.list = h('ul.tree', { role: 'tree', 'aria-label': 'Tables', on: { keydown: (event) => this.key(event) } });
    this.found = h('ul.tree', {
      role: 'tree',
      'aria-label': 'Tables found',
      hidden: true,
      on: { keydown: (event) => this.key(event) },
    });
    this.note = h('p.note', { hidden: true });
    root.append(this.search, h('div.tree-scroller', {}, this.list, this.found, this.note));
  }

  /** Loads the databases. Levels that were open are opened again. */
  async load() {
    const open = new Set([...this.list.querySelectorAll('[aria-expanded=true]')].map((it) => it.dataset.path));
    const round = (this.round = {});
    let databases;
    try {
      ({ databases } = await call('databases'));
    } catch (error) {
      this.list.replaceChildren(this.failure(error, () => this.load()));
      return;
    }
    const isFirst = !this.list.childElementCount;
    const rank = ({ kind }) => ['work', 'lake', 'other', 'memory'].indexOf(kind);
    databases.sort((a, b) => rank(a) - rank(b));
    const items = databases.map((database) => this.databaseItem(database));
    const show = () => {
      if (round !== this.round) return;
      this.list.replaceChildren(...items);
      this.makeReachable(this.list);
    };
    if (isFirst) show();
    const isWanted = (item) => (isFirst ? this.isInteresting(item, databases) : open.has(item.dataset.path));
    const reopen = async (all) => {
      for (const item of all) {
        if (!isWanted(item)) continue;
        await item.expand();
        await reopen(item.querySelectorAll(':scope > ul > li'));
      }
    };
    await reopen(items);
    // Replaced as a whole, the tree does not flicker.
    if (!isFirst) show();
  }

  /** At first, databases with tables of the team are open, and schemas that are alone. */
  isInteresting(item, databases) {
    const { kind, path } = item.dataset;
    if (kind === 'database') {
      const { kind: sort } = databases.find((it) => it.name === path);
      return sort === 'work' || sort === 'lake';
    }
    return kind === 'schema' && item.parentElement.childElementCount === 1;
  }

  failure(error, again) {
    const button = h('button.text-button', { text: 'Try again', on: { click: again } });
    return h('li.tree-failure', { role: 'none' }, h('span', { text: error.message }), ' ', button);
  }

  /**
   * Creates an item.
   * @param {{kind: string, name: string, path: string, level: number, detail?: string, children?: () => Promise<Node[]>,
   *   act: () => void, hint: string, table?: object}} what
   */
  item({ kind, name, path, level, detail, children, act, hint, table }) {
    const label = h('bdi.tree-name');
    showText(label, name);
    const row = h('div.tree-row', { title: hint }, h('span.twisty', {}, children && icon('chevron')));
    if (ICONS[kind]) row.append(icon(ICONS[kind]));
    row.append(label);
    if (detail) row.append(h('span.tree-detail', { text: detail }));
    const item = h(
      'li',
      { role: 'treeitem', tabindex: -1, 'aria-level': level, 'data-kind': kind, 'data-path': path, 'data-name': name },
      row,
    );
    if (table) row.append(this.tableTools(table));
    if (children) this.makeExpandable(item, row, children);
    row.addEventListener('click', (event) => {
      if (event.target.closest('button')) return;
      this.setCurrent(item);
      if (children && event.target.closest('.twisty')) item.toggle();
      else act(item);
    });
    item.act = () => act(item);
    item.table = table;
    return item;
  }

  tableTools(table) {
    const { look } = this.acts;
    return h(
      'span.tree-tools',
      {},
      iconButton('preview', `Preview ${table.name}`, () => look(table, 'preview'), { tabindex: -1 }, 'P'),
      iconButton('sigma', `Summarize ${table.name}`, () => look(table, 'summary'), { tabindex: -1 }, 'S'),
    );
  }

  makeExpandable(item, row, children) {
    const group = h('ul', { role: 'group' });
    item.setAttribute('aria-expanded', 'false');
    let loading = null;
    const fill = async () => {
      item.setAttribute('aria-busy', 'true');
      try {
        const found = await children();
        group.replaceChildren(...(found.length ? found : [h('li.tree-empty', { role: 'none', text: 'Empty' })]));
      } catch (error) {
        group.replaceChildren(this.failure(error, fill));
      }
      item.removeAttribute('aria-busy');
    };
    item.expand = async () => {
      item.setAttribute('aria-expanded', 'true');
      item.append(group);
      loading ??= fill();
      await loading;
    };
    item.collapse = () => {
      item.setAttribute('aria-expanded', 'false');
      group.remove();
      loading = null; // opened again, it shows what is there by then
    };
    item.toggle = () => (item.getAttribute('aria-expanded') === 'true' ? item.collapse() : item.expand());
  }

  databaseItem({ name, kind, schemas }) {
    return this.item({
      kind: 'database',
      name,
      path: name,
      level: 1,
      detail: { work: 'yours', memory: 'until DuckDB restarts' }[kind],
      hint: name,
      act: (item) => item.toggle(),
      children: async () => schemas.map((schema) => this.schemaItem(name, schema)),
    });
  }

  schemaItem(database, schema) {
    return this.item({
      kind: 'schema',
      name: schema,
      path: JSON.stringify([database, schema]),
      level: 2,
      hint: `${database}.${schema}`,
      act: (item) => item.toggle(),
      children: () => this.tableItems({ database, schema }, 3),
    });
  }

  /** Items of the first tables, and one that loads more. */
  async tableItems(request, level) {
    const { tables, more } = await call('tables', request);
    const items = tables.map((table) => this.tableItem(table, level, request.search !== undefined));
    if (more && request.search !== undefined) {
      items.push(h('li.tree-empty', { role: 'none', text: 'There are more. Type more of the name.' }));
    } else if (more) items.push(this.moreItem({ ...request, after: tables.at(-1).name }, level));
    return items;
  }

  moreItem(request, level) {
    return this.item({
      kind: 'more',
      name: 'More…',
      path: '',
      level,
      hint: 'Load the next 200 tables',
      act: async (item) => {
        try {
          const items = await this.tableItems(request, level);
          item.replaceWith(...items);
          this.setCurrent(items[0]);
        } catch (error) {
          item.replaceWith(this.failure(error, () => item.act()));
        }
      },
    });
  }

  tableItem(table, level, isFound) {
    const { database, schema, name, kind } = table;
    const full = tableName(table);
    return this.item({
      kind,
      name,
      path: JSON.stringify([database, schema, name]),
      level,
      detail: isFound ? `${database}.${schema}` : undefined,
      hint: `Insert ${full}`,
      table,
      act: () => this.acts.insert(full),
      children: async () => {
        const { columns } = await call('columns', { database, schema, table: name });
        return columns.map((column) => this.columnItem(column, level + 1));
      },
    });
  }

  columnItem({ name, type }, level) {
    return this.item({
      kind: 'column',
      name,
      path: '',
      level,
      detail: type,
      hint: `Insert ${identifier(name)}\n${type}`,
      act: () => this.acts.insert(identifier(name)),
    });
  }

  searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.find(), this.search.value.trim() ? SEARCH_MS : 0);
  }

  async find() {
    const search = this.search.value.trim();
    this.list.hidden = search !== '';
    this.found.hidden = search === '';
    this.note.hidden = true;
    if (!search) return;
    let items;
    try {
      items = await this.tableItems({ search }, 1);
    } catch (error) {
      items = [this.failure(error, () => this.find())];
    }
    if (search !== this.search.value.trim()) return;
    this.found.replaceChildren(...items);
    this.makeReachable(this.found);
    this.note.hidden = items.length > 0;
    this.note.textContent = `No table has "${search}" in its name.`;
  }

  /** The Tab key reaches one item. */
  makeReachable(list) {
    const first = list.querySelector('[role=treeitem]');
    if (first) first.tabIndex = 0;
  }

  setCurrent(item) {
    const list = item.closest('.tree');
    for (const other of list.querySelectorAll('[role=treeitem][tabindex="0"]')) other.tabIndex = -1;
    item.tabIndex = 0;
    item.focus({ preventScroll: true });
    item.firstChild.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** Items in the order of the page. */
  items() {
    const list = this.list.hidden ? this.found : this.list;
    return [...list.querySelectorAll('[role=treeitem]')];
  }

  key(event) {
    const item = event.target.closest('[role=treeitem]');
    if (event.target !== item || event.ctrlKey || event.metaKey || event.altKey) return;
    const items = this.items();
    const at = items.indexOf(item);
    const isOpen = item.getAttribute('aria-expanded') === 'true';
    const acts = {
      ArrowDown: () => items[at + 1] && this.setCurrent(items[at + 1]),
      ArrowUp: () => (at > 0 ? this.setCurrent(items[at - 1]) : this.search.focus()),
      ArrowRight: () => {
        if (item.expand && !isOpen) item.expand();
        else if (isOpen && items[at + 1]) this.setCurrent(items[at + 1]);
      },
      ArrowLeft: () => {
        const parent = item.parentElement.closest('[role=treeitem]');
        if (isOpen) item.collapse();
        else if (parent) this.setCurrent(parent);
      },
      Home: () => this.setCurrent(items[0]),
      End: () => this.setCurrent(items.at(-1)),
      Enter: () => item.act(),
      ' ': () => (item.toggle ? item.toggle() : item.act()),
      ...(item.table && {
        p: () => this.acts.look(item.table, 'preview'),
        s: () => this.acts.look(item.table, 'summary'),
      }),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}
