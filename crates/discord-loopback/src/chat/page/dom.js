// Creates and updates DOM nodes. Strings become text nodes, never HTML.

/** Creates a node: el("p.note.small", {title: "…", onclick: f}, "text", child). Skips empty children. */
export function el(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false && child !== ""));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** External link; text if the URL is not http or https. */
export function link(url, ...children) {
  if (!/^https?:\/\//i.test(url ?? "")) return el("span", {}, children);
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, children);
}

/** Shows an error's sentence. One about the connection disappears with `clearUnreachable`. */
export function showError(node, { message, unreachable = false }) {
  node.textContent = message;
  node.toggleAttribute("data-unreachable", unreachable);
}

export function clearUnreachable() {
  for (const node of document.querySelectorAll("[data-unreachable]")) showError(node, { message: "" });
}

const shown = new WeakMap();

/** Rebuilds the content of `node` only if `data` changed, to keep focus, selection and open details. */
export function fill(node, data, build) {
  const json = JSON.stringify(data);
  if (shown.get(node) === json) return;
  shown.set(node, json);
  const focus = node.contains(document.activeElement) ? document.activeElement : null;
  node.replaceChildren(...[build(data)].flat().filter(Boolean));
  if (focus && focus !== node) restoreFocus(node, focus.dataset.key);
}

function restoreFocus(node, key) {
  const keyed = [...node.querySelectorAll("[data-key]:not(:disabled)")];
  const same = keyed.find((one) => one.dataset.key === key);
  (same ?? node.closest("[tabindex]"))?.focus({ preventScroll: true });
}
