// Panel of faults that a person can inject.
import { el, fill, icon, showError } from "./dom.js";
import { post } from "./server.js";
import { store } from "./state.js";

const panel = document.querySelector("#trouble");
const opener = document.querySelector("#show-trouble");

export function renderTrouble() {
  const { troubles } = store.state;
  const on = troubles.filter((trouble) => trouble.on).length;
  opener.hidden = !troubles.length;
  fill(opener, on, () => [
    icon("bolt"), el("span", {}, "Simulate problems"),
    on > 0 && el("span.badge", { "aria-label": `, ${on} on` }, String(on)),
  ]);
  fill(panel.querySelector(".troubles"), troubles, () => troubles.map(faultControl));
}

function faultControl({ id, label, help, kind, on }) {
  const isSwitch = kind === "switch";
  const onclick = () => triggerFault(id, isSwitch ? !on : true);
  const props = {
    type: "button", "data-key": id, "aria-label": label, "aria-describedby": `trouble-${id}`, onclick,
  };
  const note = el("span.note", { id: `trouble-${id}` }, help);
  const button = isSwitch
    ? el("button.switch", { ...props, role: "switch", "aria-checked": String(Boolean(on)) })
    : el("button.button.red", props, "Trigger");
  return el("div.trouble", {}, el("div.who", {}, el("b", {}, label), note), button);
}

async function triggerFault(id, on) {
  const error = panel.querySelector(".refusal");
  error.textContent = "";
  try {
    await post("trouble", { id, on });
  } catch (failure) {
    showError(error, failure);
  }
}
