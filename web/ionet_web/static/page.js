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

// An amount that grows while something runs.
function tick(amount) {
  const { units, hourly, secs, decimals } = amount.dataset;
  const number = amount.querySelector(".number");
  const began = performance.now();
  const show = () => {
    if (!amount.isConnected) return window.clearInterval(clock);
    const ran = Math.min((performance.now() - began) / 1000, Number(secs));
    number.textContent = ((Number(units) + (Number(hourly) * ran) / 3600) / 10 ** decimals).toFixed(decimals);
  };
  const clock = window.setInterval(show, 1000);
  show();
}

function enliven(root) {
  localize(root);
  root.querySelectorAll("[data-hourly]").forEach((each) => Number(each.dataset.hourly) && tick(each));
}

// A page of what runs is asked for again; what is other than before takes its place, but where somebody is.
function renew(main, shown) {
  const mark = document.createElement("p");
  mark.setAttribute("role", "status");
  mark.className = "help";
  main.append(mark); // below all of it: nothing jumps
  const look = async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href).catch(() => undefined);
    mark.textContent = answer?.ok ? "" : "What stands here is not new: these pages or their indexer do not answer.";
    if (!answer?.ok) return;
    const found = parts(await answer.text());
    const there = [...main.children].filter((each) => each !== mark);
    if (found.length !== shown.length) {
      there.forEach((each) => each.remove());
      shown = found;
      const fresh = found.flatMap(made);
      mark.before(...fresh);
      fresh.forEach(enliven);
      return;
    }
    found.forEach((part, place) => {
      if (part === shown[place] || there[place].contains(document.activeElement)) return;
      shown[place] = part;
      const fresh = made(part);
      there[place].replaceWith(...fresh);
      fresh.forEach(enliven);
    });
  };
  window.setInterval(look, 1000 * main.dataset.again);
}

function made(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // made and escaped by our own server
  return [...template.content.children];
}

const parts = (html) =>
  [...new DOMParser().parseFromString(html, "text/html").querySelector("main").children].map((each) => each.outerHTML);

const again = document.querySelector("main[data-again]");
const given = again ? parts(document.documentElement.outerHTML) : []; // as the server wrote it
enliven(document);
document.querySelectorAll("table[data-live]").forEach(follow);
if (again) renew(again, given);
