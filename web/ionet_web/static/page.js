// What a script adds to pages that read without one: times in the reader's zone, events as they come.
"use strict";

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function span(secs) {
  let left = Math.abs(secs);
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

function localize(root) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const secs = Math.round((at.getTime() - now) / 1000);
    time.title ||= time.textContent;
    time.textContent = `${at.toLocaleString()} (${secs > 0 ? `in ${span(secs)}` : `${span(secs)} ago`})`;
  }
}

const MOST_ROWS = 20;

function follow(table) {
  const body = table.tBodies[0];
  const source = new EventSource(table.dataset.live);
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
