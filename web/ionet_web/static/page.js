// What a script adds to pages that read without one: times in the reader's zone, events as they come.
"use strict";

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function span(secs) {
  const away = Math.abs(secs);
  const [unit, size] = UNITS.find(([, each]) => away >= each) ?? UNITS.at(-1);
  return `${Math.floor(away / size)} ${unit}`;
}

const two = (number) => String(number).padStart(2, "0");

function localize(root) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const secs = Math.round((at.getTime() - now) / 1000);
    time.title ||= time.textContent;
    const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
    const clock = [two(at.getHours()), two(at.getMinutes()), two(at.getSeconds())].join(":");
    const away = document.createElement("span");
    away.className = "away";
    away.textContent = secs > 0 ? ` in ${span(secs)}` : ` ${span(secs)} ago`;
    time.replaceChildren(`${day} ${clock}`, away);
  }
}

const MOST_ROWS = 20;

function follow(table) {
  const body = table.tBodies[0];
  const source = new EventSource(table.dataset.live);
  const mark = document.createElement("span");
  const say = (word, sort) => {
    mark.className = `state ${sort}`;
    mark.textContent = word;
  };
  say("connecting", "waiting");
  table.closest("section").querySelector("h2").append(" ", mark);
  source.addEventListener("open", () => say("live", "good"));
  source.addEventListener("error", () => say("connecting", "waiting"));
  source.addEventListener("row", (message) => {
    const template = document.createElement("template");
    template.innerHTML = message.data; // made and escaped by our own server
    localize(template.content);
    body.prepend(template.content);
    while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  });
}

localize(document);
document.querySelectorAll("table[data-live]").forEach(follow);
