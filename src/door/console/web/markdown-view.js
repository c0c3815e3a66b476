// Markdown as elements.

import { h } from './dom.js';
import { markdown } from './markdown.js';

const TAGS = { strong: 'strong', em: 'em', del: 'del' };

function inlineNodes(nodes) {
  return nodes.map((it) => {
    if (it.kind === 'text') return it.text;
    if (it.kind === 'code') return h('code', { text: it.text });
    if (it.kind === 'link') {
      const props = { href: it.href, target: '_blank', rel: 'noopener noreferrer' };
      return h('a', props, ...inlineNodes(it.children));
    }
    return h(TAGS[it.kind], {}, ...inlineNodes(it.children));
  });
}

function blockNode(block) {
  switch (block.kind) {
    case 'heading':
      // The page has a title of level 1.
      return h(`h${Math.min(6, block.level + 1)}`, { class: `level-${block.level}` }, ...inlineNodes(block.children));
    case 'code':
      return h('pre', {}, h('code', { text: block.text }));
    case 'rule':
      return h('hr');
    case 'quote':
      return h('blockquote', {}, ...block.blocks.map(blockNode));
    case 'list': {
      const props = block.ordered && block.start !== 1 ? { start: block.start } : {};
      return h(block.ordered ? 'ol' : 'ul', props, ...block.items.map(itemNode));
    }
    case 'table':
      return tableNode(block);
    default:
      return h('p', {}, ...inlineNodes(block.children));
  }
}

/** A single paragraph in an item has no margins of its own. */
function itemNode(blocks) {
  const [first, ...others] = blocks;
  if (first?.kind !== 'paragraph') return h('li', {}, ...blocks.map(blockNode));
  return h('li', {}, ...inlineNodes(first.children), ...others.map(blockNode));
}

function tableNode({ rows, align }) {
  const [head, ...body] = rows;
  const cells = (tag, row) =>
    row.map((it, index) => h(`${tag}.align-${align[index] ?? 'left'}`, {}, ...inlineNodes(it)));
  return h(
    'div.table-scroller',
    {},
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...cells('th', head))),
      h('tbody', {}, ...body.map((row) => h('tr', {}, ...cells('td', row)))),
    ),
  );
}

/** Elements for a Markdown text. */
export const markdownNodes = (text) => markdown(text).map(blockNode);
