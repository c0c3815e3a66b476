(async () => {
  const say = (text) => { document.getElementById("say").textContent = text; };
  const ticket = location.hash.slice(1);
  // Remove the ticket from the browser's history.
  history.replaceState(null, "", location.pathname);
  if (!ticket) return say("This link is incomplete. Press Open in Discord to get a new one.");
  try {
    const answer = await fetch(location.pathname, { method: "POST", body: ticket });
    if (answer.ok) return location.replace("/");
    say(await answer.text());
  } catch {
    say("The session does not respond. Press Open in Discord to try again.");
  }
})();
