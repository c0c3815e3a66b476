// Elements, made by calls only: no text from data ever becomes HTML.

import { hasHidden, visibleParts } from './format.js';

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Creates an element.
 * @param {string} tag with classes: `button.primary`
 * @param {Record<string, any>} props attributes. `on` has event listeners, `text` the text.
 * @param {...(Node|string|null|undefined|false)} children
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  if (name === 'button') element.type = 'button';
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'on') {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (key === 'text') element.textContent = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((it) => it !== null && it !== undefined && it !== false));
  return element;
}

/** Text that is isolated from the direction of the text around it. */
export const bdi = (text, props = {}) => h('bdi', { ...props, text });

const ICONS = {
  run: 'M4.5 2.8v10.4l8.4-5.2z',
  stop: 'M4 4h8v8H4z',
  up: 'M8 13V3.5M3.8 7.5 8 3.3l4.2 4.2',
  down: 'M8 3v9.5M3.8 8.5 8 12.7l4.2-4.2',
  trash: 'M2.8 4.5h10.4M6 4.3V2.8h4v1.5M4.2 4.5l.6 8.7h6.4l.6-8.7M6.8 7v3.8M9.2 7v3.8',
  plus: 'M8 3v10M3 8h10',
  close: 'M4 4l8 8M12 4l-8 8',
  tables: 'M2.5 3h11v10h-11zM2.5 6.4h11M6.2 6.4V13',
  view: 'M1.8 8S4.2 3.9 8 3.9 14.2 8 14.2 8 11.8 12.1 8 12.1 1.8 8 1.8 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6',
  database: 'M3 4.2c0-2.2 10-2.2 10 0v7.6c0 2.2-10 2.2-10 0zM3 4.2c0 2.2 10 2.2 10 0M3 8c0 2.2 10 2.2 10 0',
  folder: 'M2.3 4h4l1.3 1.6h6.1v7H2.3z',
  chevron: 'M6 3.8 10.2 8 6 12.2',
  download: 'M8 2.5v8M4.6 7.4 8 10.8l3.4-3.4M3 13.3h10',
  upload: 'M8 10.8v-8M4.6 6.1 8 2.7l3.4 3.4M3 13.3h10',
  copy: 'M5.8 5.8h7.4v7.4H5.8zM10.2 5.6V2.8H2.8v7.4h2.8',
  expand: 'M9.5 2.8h3.7v3.7M13 3 9.3 6.7M6.5 13.2H2.8V9.5M3 13l3.7-3.7',
  history: 'M2.6 8a5.4 5.4 0 1 0 1.7-3.9M2.6 2.6v2.6h2.6M8 5v3.2l2.2 1.4',
  notebook: 'M4 2.5h8.8v11H4zM6.8 2.5v11M2.6 5.2H4M2.6 8H4M2.6 10.8H4',
  help: 'M5.8 6a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.5M8 11.7v.1',
  sigma: 'M12 4.6V3H4l4.2 5L4 13h8v-1.6',
  preview: 'M2.5 3h11v10h-11zM4.8 6h6.4M4.8 8.2h6.4M4.8 10.4h4',
  edit: 'M3 13l.7-2.9 7.2-7.2 2.2 2.2-7.2 7.2zM9.5 4.3l2.2 2.2',
  sidebar: 'M2.3 3h11.4v10H2.3zM6 3v10',
  check: 'M3.2 8.4 6.4 11.6 12.8 4.8',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.6M13 2.6V5h-2.4',
  insert: 'M9.5 8h-7M6.6 5 9.6 8l-3 3M13 3v10',
};

/** Icon without a name of its own: the control around it has one. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', `icon icon-${name}`);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Button with an icon. The label is its name and its tooltip.
 * @param {string} keys keys that do the same, for the tooltip
 */
export function iconButton(name, label, onClick, props = {}, keys = '') {
  return h(
    'button.icon-button',
    { 'aria-label': label, title: keys ? `${label} (${keys})` : label, on: { click: onClick }, ...props },
    icon(name),
  );
}

/** Button with a text, and an icon before it. */
export const textButton = (label, onClick, props = {}, name = null) =>
  h('button.text-button', { on: { click: onClick }, ...props }, name && icon(name), h('span', { text: label }));

/** Puts a text into an element, with hidden characters in a visible form. */
export function showText(element, text, lines = false) {
  if (!hasHidden(text)) {
    element.textContent = text;
    return;
  }
  const parts = visibleParts(text, lines).map((it) =>
    it.hidden ? h('span.hidden-character', { text: it.text }) : it.text,
  );
  element.replaceChildren(...parts);
}

/** Sets styles that the content security policy does not allow as attributes. */
export function place(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value);
}

/** Saves a file on the person's computer. */
export function saveFile(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

let ids = 0;
/** ID for an element of this page. */
export const uniqueId = (prefix) => `${prefix}-${(ids += 1)}`;
