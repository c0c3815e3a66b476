(async () => {
  const say = (text) => { document.getElementById("say").textContent = text; };
  const [ticket, place] = location.hash.slice(1).split("~");
  const enter = () => location.replace(place === "console" ? "/.duckbot/console" : "/");
  // Remove the ticket from the browser's history.
  history.replaceState(null, "", location.pathname);
  if (!ticket) return say("This link is incomplete. Press Open in Discord to get a new one.");
  try {
    const answer = await fetch(location.pathname, { method: "POST", body: ticket });
    // This browser may be in already: each link works once.
    if (answer.ok || (await fetch("/info")).ok) return enter();
    say(await answer.text());
  } catch {
    say("The session does not respond. Press Open in Discord to try again. If this happens again, type /duck doctor in Discord.");
  }
})();
