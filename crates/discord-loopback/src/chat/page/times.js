// Formats times like Discord, in the browser's language.

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
};
const UNITS = [
  ["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1],
];

export function formatDate(date, style) {
  return new Intl.DateTimeFormat(undefined, STYLES[style] ?? STYLES.f).format(date);
}

function relative(unix) {
  const away = unix - Date.now() / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(away) >= size) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat().format(Math.round(away / size), unit);
}

/** `Today at 19:59`, for the header of a message. */
export function formatDateTime(date) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86400000);
  const day = ["Today", "Yesterday"][days];
  return day ? `${day} at ${formatDate(date, "t")}` : `${formatDate(date, "d")} ${formatDate(date, "t")}`;
}

/** Node for `<t:unix:style>`. */
export function timestamp(unix, style) {
  const date = new Date(unix * 1000);
  const node = document.createElement("time");
  if (Number.isNaN(date.getTime())) return `<t:${unix}>`;
  node.dateTime = date.toISOString();
  node.title = formatDate(date, "F");
  node.textContent = style === "R" ? relative(unix) : formatDate(date, style);
  if (style === "R") {
    node.dataset.unix = unix;
    node.setAttribute("aria-live", "off"); // don't read it out every second
  }
  return node;
}

/** Updates all relative times. */
export function updateRelativeTimes() {
  for (const node of document.querySelectorAll("time[data-unix]")) {
    const text = relative(Number(node.dataset.unix));
    if (node.textContent !== text) node.textContent = text;
  }
}
