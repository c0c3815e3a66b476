// Edge of a side area that can be dragged, or moved with the arrow keys.

import { h, place } from './dom.js';

/**
 * @param {HTMLElement} area
 * @param {string} label
 * @param {{side: 'left'|'right', key: string, min: number, max: number, width: number}} options `side` is the edge
 *   of the area, `width` its first width, `key` the name under which the browser keeps the width
 */
export function splitter(area, label, { side, key, min, max, width }) {
  const set = (wanted) => {
    const fitting = Math.round(Math.min(Math.min(max, innerWidth * 0.7), Math.max(min, wanted)));
    place(area, { '--width': `${fitting}px` });
    edge.setAttribute('aria-valuenow', fitting);
    return fitting;
  };
  const keep = (wanted) => localStorage.setItem(key, set(wanted));
  const sign = side === 'left' ? -1 : 1;
  const edge = h(`div.splitter.splitter-${side}`, {
    role: 'separator',
    tabindex: 0,
    'aria-label': label,
    'aria-orientation': 'vertical',
    'aria-valuemin': min,
    'aria-valuemax': max,
    'aria-valuenow': width,
    on: {
      pointerdown: (event) => {
        event.preventDefault();
        edge.setPointerCapture(event.pointerId);
        const from = area.offsetWidth - sign * event.clientX;
        const move = (it) => keep(from + sign * it.clientX);
        edge.addEventListener('pointermove', move);
        edge.addEventListener('lostpointercapture', () => edge.removeEventListener('pointermove', move), {
          once: true,
        });
      },
      keydown: (event) => {
        const by = { ArrowLeft: -24, ArrowRight: 24 }[event.key];
        if (!by) return;
        event.preventDefault();
        keep(area.offsetWidth + sign * by);
      },
    },
  });
  const kept = Number(localStorage.getItem(key));
  if (kept) set(kept);
  return edge;
}
