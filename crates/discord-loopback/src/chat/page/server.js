// Connection to the server: receives states and sends actions.
import { store } from "./state.js";

let changed = null;

/** Calls `onState` with each state, and `onLink` with true or false when the connection opens or fails. */
export function listen(onState, onLink) {
  changed = () => onState(store.state);
  open(null);

  function open(person) {
    const events = new EventSource("/chat/events" + (person ? `?as=${encodeURIComponent(person)}` : ""));
    events.onopen = () => onLink(true);
    events.onmessage = ({ data }) => {
      const state = JSON.parse(data);
      const wanted = actingPerson(state);
      if (wanted === state.me || wanted === person) return onState(state);
      events.close();
      open(wanted);
    };
    events.onerror = () => {
      onLink(false);
      // After an HTTP error the browser does not reconnect. IDs of people may have changed by then.
      if (events.readyState === EventSource.CLOSED) setTimeout(open, 2000, null);
    };
  }
}

/** ID of the person in the URL, otherwise of the current one. */
function actingPerson(state) {
  const name = new URLSearchParams(location.search).get("as");
  return state.people.find((person) => person.name === name)?.id ?? state.me;
}

/** Sends an action of the acting person. Throws an Error with a sentence for them. */
export async function post(what, body) {
  return send(`/chat/${what}`, "application/json", JSON.stringify({ as: store.state.me, ...body }));
}

/** Uploads a file of the acting person. Returns its ID. */
export async function upload(file) {
  const query = new URLSearchParams({ as: store.state.me, name: file.name });
  return (await send(`/chat/upload?${query}`, "application/octet-stream", file)).id;
}

async function send(path, type, body) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "content-type": type }, body });
  } catch {
    const error = new Error("Could not reach the sandbox. Check that it is still running.");
    throw Object.assign(error, { unreachable: true });
  }
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(json.error ?? `The sandbox responded with HTTP status ${answer.status}. Try again.`);
  if (json.interaction) {
    store.mine.add(json.interaction);
    changed();
  }
  return json;
}
