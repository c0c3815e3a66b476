// Modal that the bot opens for a person. Credentials are entered here, so nothing is stored.
import { el, showError } from "./dom.js";
import { post } from "./server.js";
import { store } from "./state.js";

const dialog = document.querySelector("#modal");
let openInteraction = null; // interaction whose modal is open
let closedInteraction = null; // interaction whose modal was closed last; the next state may still contain it

export function startModal() {
  // Runs after Escape, Cancel and a submitted form.
  dialog.addEventListener("close", () => {
    if (openInteraction && openInteraction !== closedInteraction) post("dismiss", { interaction: openInteraction }).catch(() => {});
    closedInteraction = openInteraction ?? closedInteraction;
    openInteraction = null;
    dialog.replaceChildren();
  });
}

export function renderModal() {
  const modal = store.state.modals.findLast(({ interaction }) => store.mine.has(interaction));
  if (!modal && openInteraction) {
    closedInteraction = openInteraction;
    dialog.close();
  }
  if (!modal || modal.interaction === openInteraction || modal.interaction === closedInteraction) return;
  openInteraction = modal.interaction;
  dialog.replaceChildren(form(modal));
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("input, textarea")?.focus();
}

function form({ title, inputs, interaction }) {
  const fields = inputs.map(field);
  const error = el("p.refusal", { role: "alert" });
  const go = el("button.button.blue", {}, "Submit");
  const onsubmit = async (event) => {
    event.preventDefault();
    const wrong = fields.filter(({ check }) => !check())[0];
    if (wrong) return wrong.input.focus();
    go.disabled = true;
    error.textContent = "";
    try {
      const values = Object.fromEntries(fields.map(({ id, input }) => [id, input.value]));
      await post("submit", { interaction, values });
      closedInteraction = interaction;
      dialog.close();
    } catch (failure) {
      showError(error, failure);
    } finally {
      go.disabled = false;
    }
  };
  return el("form", { autocomplete: "off", novalidate: true, onsubmit },
    el("h2", { id: "modal-title" }, title),
    el("p.note", {}, `This form will be submitted to ${store.state.bot.name}.`),
    el("div.modal-fields", {}, fields.map(({ node }) => node)), error,
    el("div.modal-foot", {},
      el("button.button.plain", { type: "button", onclick: () => dialog.close() }, "Cancel"), go));
}

/** Field {id, input, node, check}. `check` returns true if the value is valid, otherwise shows the error. */
function field(spec, at) {
  const { custom_id: id, label, paragraph, required, placeholder, value } = spec;
  const error = el("p.refusal", { id: `field-${at}-error` });
  const input = el(paragraph ? "textarea" : "input", {
    id: `field-${at}`, placeholder, "aria-required": String(required),
    "aria-describedby": `field-${at}-hint field-${at}-error`, rows: paragraph ? 4 : null,
    autocomplete: "off", autocapitalize: "off", autocorrect: "off", spellcheck: "false",
    "data-1p-ignore": true, "data-lpignore": "true", "data-bwignore": true,
  });
  input.value = value;
  const check = () => {
    error.textContent = validationError(spec, input.value);
    input.setAttribute("aria-invalid", String(error.textContent !== ""));
    return !error.textContent;
  };
  input.addEventListener("input", () => error.textContent && check());
  const node = el("div.field", {},
    el("label", { for: `field-${at}` }, label,
      required && el("span.required", { "aria-hidden": "true" }, " *")),
    input, el("p.note", { id: `field-${at}-hint` }, lengthHint(spec)), error);
  return { id, input, node, check };
}

// Like Discord's client, accepts a text that is too long and shows an error, instead of cutting it off.
function validationError({ required, min_length: least, max_length: most }, value) {
  const length = [...value].length;
  if (!length) return required ? "This field is required." : "";
  if (length < least) return `Must be at least ${least} characters. You entered ${length}.`;
  if (length > most) return `Must be at most ${most} characters. You entered ${length}.`;
  return "";
}

function lengthHint({ min_length: least, max_length: most, required }) {
  const range = least > 0 ? `${least} to ${most} characters` : `Up to ${most} characters`;
  return required ? range : `${range}. Optional.`;
}
