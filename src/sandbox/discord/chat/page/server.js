// Talks to the server: the states that it sends, and what the person does.
import { store } from "./state.js";

/** Calls `onState` with each state and `onLink` when the connection comes or goes. */
export function listen(onState, onLink) {
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
      // After an HTTP error the browser does not try again. People may have other ids by then.
      if (events.readyState === EventSource.CLOSED) setTimeout(open, 2000, null);
    };
  }
}

/** The id of the person whom the URL names. */
function actingPerson(state) {
  const name = new URLSearchParams(location.search).get("as");
  return state.people.find((person) => person.name === name)?.id ?? state.me;
}

/** Sends what the acting person did. Throws an Error with a sentence for them. */
export async function post(what, body) {
  let answer;
  try {
    answer = await fetch(`/chat/${what}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ as: store.state.me, ...body }),
    });
  } catch {
    throw new Error("The sandbox can't be reached. Is it still running?");
  }
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(json.error ?? `The sandbox answered with ${answer.status}.`);
  return json;
}
