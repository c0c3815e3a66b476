(async () => {
  const say = (text) => { document.getElementById("say").textContent = text; };
  const ticket = location.hash.slice(1);
  // It stays in no history.
  history.replaceState(null, "", location.pathname);
  if (!ticket) return say("This link has no ticket. Press Open in Discord for a new one.");
  try {
    const answer = await fetch(location.pathname, { method: "POST", body: ticket });
    if (answer.ok) return location.replace("/");
    say(await answer.text());
  } catch {
    say("The session does not answer. Press Open in Discord to try again.");
  }
})();
