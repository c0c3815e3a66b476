// Menus, toasts and dialogs.

import { h, icon, iconButton, place, showText, textButton, uniqueId } from './dom.js';

/**
 * Button that opens a menu.
 * @param {string} label
 * @param {() => ({label: string, act: () => void, disabled?: boolean, note?: string} | null)[]} items null is a line
 * @param {{icon: string, text?: string}} look
 */
export function menuButton(label, items, look) {
  const id = uniqueId('menu');
  const button = h(
    `button.${look.text ? 'text-button' : 'icon-button'}`,
    { 'aria-label': label, title: label, 'aria-haspopup': 'menu', 'aria-expanded': 'false' },
    icon(look.icon),
    look.text && h('span', { text: look.text }),
  );
  button.addEventListener('click', () => {
    const menu = h('div.menu', { role: 'menu', id, popover: 'auto', 'aria-label': label });
    for (const item of items()) {
      menu.append(item ? menuItem(item, menu) : h('hr'));
    }
    menu.addEventListener('keydown', (event) => moveFocus(event, menu));
    menu.addEventListener('toggle', (event) => {
      if (event.newState !== 'closed') return;
      button.setAttribute('aria-expanded', 'false');
      menu.remove();
    });
    document.body.append(menu);
    menu.showPopover();
    button.setAttribute('aria-expanded', 'true');
    putBelow(menu, button);
    menu.querySelector('button:not(:disabled)')?.focus();
  });
  return button;
}

function menuItem({ label, act, disabled, note }, menu) {
  return h(
    'button.menu-item',
    {
      role: 'menuitem',
      disabled,
      on: {
        click: () => {
          menu.hidePopover();
          act();
        },
      },
    },
    h('span', { text: label }),
    note && h('small', { text: note }),
  );
}

function moveFocus(event, menu) {
  const items = [...menu.querySelectorAll('button:not(:disabled)')];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to === undefined || !items.length) return;
  event.preventDefault();
  items.at(to % items.length).focus();
}

function putBelow(menu, button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.max(8, Math.min(at.right - width, innerWidth - width - 8));
  const isRoom = at.bottom + height + 8 < innerHeight;
  place(menu, { left: `${left}px`, top: `${isRoom ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px` });
}

/** Short messages at the edge of the page. Screen readers read them. */
export class Messages {
  constructor() {
    this.live = h('p.visually-hidden', { role: 'status', 'aria-live': 'polite', 'data-live': '' });
    this.list = h('div.toasts', { role: 'region', 'aria-label': 'Messages' });
    document.body.append(this.live, this.list);
  }

  /** Says a text to screen readers. */
  say(text, isShown = false) {
    this.live.textContent = text;
    if (isShown) this.show(text, null, true);
  }

  /**
   * Shows a text for a while.
   * @param {string} text
   * @param {{label: string, act: () => void} | null} action
   */
  show(text, action = null, isSaid = false) {
    if (!isSaid) this.live.textContent = text;
    const words = h('span');
    showText(words, text);
    const toast = h('div.toast', { 'data-toast': '' }, words);
    const remove = () => toast.remove();
    if (action) {
      toast.append(
        textButton(action.label, () => {
          remove();
          action.act();
        }),
      );
    }
    toast.append(iconButton('close', 'Dismiss', remove));
    this.list.append(toast);
    while (this.list.children.length > 4) this.list.firstChild.remove();
    let timer = 0;
    const start = () => {
      timer = setTimeout(remove, action ? 12_000 : 6000);
    };
    toast.addEventListener('pointerenter', () => clearTimeout(timer));
    toast.addEventListener('focusin', () => clearTimeout(timer));
    toast.addEventListener('pointerleave', start);
    toast.addEventListener('focusout', start);
    start();
    return { remove, setText: (it) => showText(words, it) };
  }
}

/** Opens a dialog. It is removed when it closes. */
export function openDialog(title, content, props = {}) {
  const id = uniqueId('dialog');
  const dialog = h(
    'dialog.dialog',
    { 'aria-labelledby': id, ...props },
    h(
      'header.dialog-head',
      {},
      h('h2', { id, text: title }),
      iconButton('close', 'Close', () => dialog.close(), {}, 'Escape'),
    ),
    content,
  );
  // A click on the backdrop closes the dialog.
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
