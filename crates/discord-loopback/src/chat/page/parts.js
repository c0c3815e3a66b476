// Renders the parts of a message besides its text: embeds, files, buttons and select menus.
import { el, icon, link, showError } from "./dom.js";
import { markdown } from "./markdown.js";
import { wideBlock } from "./overflow.js";
import { post } from "./server.js";
import { formatDateTime } from "./times.js";

const STYLES = { 1: "blue", 2: "grey", 3: "green", 4: "red", 5: "grey" };
const MAX_OPEN_LINES = 12;

export function embeds(all) {
  return all.map((embed) => {
    const node = el("div.embed", {},
      embed.title && el("div.embed-title", {}, embed.url ? link(embed.url, embed.title) : embed.title),
      embed.description && el("div.embed-text", {}, markdown(embed.description)),
      embed.fields?.length && el("dl.fields", {}, embed.fields.map(field)),
      embedFooter(embed));
    if (embed.color) node.style.borderLeftColor = `#${embed.color.toString(16).padStart(6, "0")}`;
    return node;
  });
}

function field({ name, value, inline }) {
  return el(inline ? "div.inline" : "div", {}, el("dt", {}, name), el("dd", {}, markdown(value)));
}

function embedFooter({ footer, timestamp }) {
  const parts = [footer?.text, timestamp && formatDateTime(new Date(timestamp))].filter(Boolean);
  return parts.length > 0 && el("div.embed-foot", {}, parts.join(" • "));
}

export function files(all) {
  return all.map(({ name, content, size, url, description }) => {
    if (/\.(png|jpe?g|gif|webp)$/i.test(name)) return el("img.picture", { src: url, alt: description ?? name });
    if (content === null) return binaryFile(name, size, url);
    const blob = new Blob([content], { type: "text/plain;charset=utf-8" });
    const lines = content.trimEnd().split("\n").length;
    return el("details.file", { open: lines <= MAX_OPEN_LINES },
      el("summary", {}, icon("file"), el("b", {}, name),
        el("span.note", {}, `${formatSize(blob.size)}, ${lines} ${lines === 1 ? "line" : "lines"}`)),
      wideBlock({ "aria-label": name }, content),
      el("a.download", { href: URL.createObjectURL(blob), download: name }, `Download ${name}`));
  });
}

function binaryFile(name, size, url) {
  return el("div.file", {},
    el("div.file-head", {}, icon("file"), el("b", {}, name), el("span.note", {}, formatSize(size))),
    el("a.download", { href: url, download: name }, `Download ${name}`));
}

function formatSize(bytes) {
  return bytes < 1024 ? `${bytes} ${bytes === 1 ? "byte" : "bytes"}` : `${(bytes / 1024).toFixed(1)} KB`;
}

/** Rows of components; `busy` has the custom IDs of those that wait for the bot. */
export function components(message, rows, busy) {
  return rows.map((row) => el("div.row", {}, row.components.map((one) => {
    if (one.type === 3) return select(message, one, busy.includes(one.custom_id));
    return button(message, one, busy.includes(one.custom_id));
  })));
}

function button(message, { style, label, emoji, url, custom_id, disabled }, busy) {
  const inside = [emoji?.name && el("span.emoji", {}, emoji.name), label && el("span", {}, label)];
  if (style === 5) {
    const node = link(url, ...inside, icon("out"));
    node.className = "button grey";
    return node;
  }
  const props = {
    type: "button", disabled, "data-key": custom_id, "aria-busy": busy && "true",
    onclick: ({ currentTarget }) => busy || postAction(currentTarget, "press", { message, custom_id }),
  };
  return el(`button.button.${STYLES[style] ?? "grey"}`, props, inside);
}

/** Sends an action on a message, and shows an error below the message. */
async function postAction(node, what, body) {
  const error = node.closest(".message").querySelector(".body > .error");
  error.textContent = "";
  try {
    await post(what, body);
  } catch (failure) {
    showError(error, failure);
  }
}

function select(message, menu, busy) {
  const { custom_id, placeholder, options, disabled } = menu;
  const least = menu.min_values ?? 1;
  const most = menu.max_values ?? 1;
  const hint = placeholder || "Make a selection";
  if (disabled || busy) {
    const props = { type: "button", disabled: true, "aria-busy": busy && "true" };
    return el("button.select", props, selectedLabels(options) || hint, icon("open"));
  }
  const send = (values) => {
    node.open = false;
    postAction(node, "select", { message, custom_id, values });
  };
  const many = least !== 1 || most !== 1;
  const node = el("details.select", {
    onkeydown: (event) => {
      if (event.key !== "Escape" || !node.open) return;
      event.stopPropagation();
      node.open = false;
      node.querySelector("summary").focus();
    },
  }, el("summary", { "data-key": custom_id }, selectedLabels(options) || hint, icon("open")),
    many ? multiSelect(options, least, most, send) : options.map((option) => el("button.option", {
      type: "button", "aria-pressed": String(Boolean(option.default)), onclick: () => send([option.value]),
    }, optionLabel(option))));
  return node;
}

function selectedLabels(options) {
  return options.filter((option) => option.default).map(({ label }) => label).join(", ");
}

function optionLabel({ label, description }) {
  return el("span.who", {}, el("b", {}, label), description && el("span.note", {}, description));
}

function multiSelect(options, least, most, send) {
  const boxes = options.map((option) => (
    el("input", { type: "checkbox", value: option.value, checked: option.default })
  ));
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const check = () => {
    const count = chosen().length;
    go.disabled = count < least;
    for (const box of boxes) box.disabled = !box.checked && count >= most;
  };
  const go = el("button.button.blue", { type: "button", onclick: () => send(chosen()) }, "Send selection");
  check();
  const range = least === most ? most : `${least} to ${most}`;
  return el("fieldset", { onchange: check }, el("legend", {}, `Choose ${range}`),
    options.map((option, at) => el("label.option", {}, boxes[at], optionLabel(option))), go);
}
