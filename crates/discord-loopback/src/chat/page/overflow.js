// Blocks of text that may be wider than the page, such as tables. They fade out where they go on.
import { el } from "./dom.js";

const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => mark(target)));

export function wideBlock(props, text) {
  const node = el("pre", { tabindex: 0, onscroll: () => mark(node), ...props }, el("code", {}, text));
  sizes.observe(node);
  return node;
}

function mark(node) {
  const right = node.scrollWidth - node.clientWidth - node.scrollLeft;
  node.classList.toggle("goes-on", right > 1);
  node.classList.toggle("goes-back", node.scrollLeft > 1);
}
