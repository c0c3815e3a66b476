// Side panel: a value, a table or the history. One at a time.

import { h, iconButton } from './dom.js';
import { splitter } from './splitter.js';

export class Panel {
  constructor(root) {
    this.root = root;
    this.title = h('h2.panel-title');
    this.tools = h('div.panel-tools');
    this.content = h('div.panel-content');
    const close = iconButton('close', 'Close the side panel', () => this.close(), {}, 'Escape');
    root.append(
      splitter(root, 'Width of the side panel', {
        side: 'left',
        key: 'duckbot.panel',
        min: 260,
        max: 1000,
        width: 420,
      }),
      h('header.panel-head', {}, this.title, this.tools, close),
      this.content,
    );
    root.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      event.preventDefault();
      this.close();
    });
    this.owner = null;
  }

  /**
   * Shows content.
   * @param {object} owner the same owner replaces its content
   * @param {{title: (Node|string)[], tools?: Node[], content: Node, focus?: boolean, onClose?: () => void}} what
   */
  open(owner, { title, tools = [], content, focus = false, onClose }) {
    if (this.owner && this.owner !== owner) this.onClose?.();
    if (!this.owner) this.before = document.activeElement;
    this.owner = owner;
    this.onClose = onClose;
    this.title.replaceChildren(...title);
    this.tools.replaceChildren(...tools);
    this.content.replaceChildren(content);
    this.root.hidden = false;
    if (focus) this.focus();
  }

  /** Moves the keyboard into the content. */
  focus() {
    this.root.querySelector('.panel-content :is(button, input, [tabindex="0"])')?.focus();
  }

  isOpenFor(owner) {
    return this.owner === owner;
  }

  close() {
    if (!this.owner) return;
    const hadFocus = this.root.contains(document.activeElement);
    this.root.hidden = true;
    this.owner = null;
    this.onClose?.();
    this.onClose = undefined;
    this.content.replaceChildren();
    if (hadFocus && this.before?.isConnected) this.before.focus();
  }
}
