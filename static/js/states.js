// What a reply does while nothing of it comes, told by the second in its state line; that line is
// no live region, so nobody has the seconds read to them.

import { running } from "./composer.js";
import { connection } from "./socket.js";

const SLOW = 10; // seconds until it is worth saying that nothing has begun
const SILENT = 30;

const seen = new WeakMap(); // reply → { last, at, told }
const comebacks = new WeakMap(); // article → how often this page came back to it

export function startStates() {
  setInterval(() => running().forEach(look), 1000);
  connection.addEventListener("status", ({ detail }) => {
    if (detail === "connected") for (const { article } of running()) count(article);
  });
  document.addEventListener("toggle", showComebacks, true);
}

function look(reply) {
  const now = Date.now();
  if (!seen.has(reply)) {
    const waited = Number(reply.article.querySelector(".state")?.dataset.waited ?? 0);
    seen.set(reply, { last: reply.last, at: now - waited * 1000, told: false });
  }
  const known = seen.get(reply);
  const moved = reply.last !== known.last || reply.state !== "running" || Boolean(reply.note);
  if (moved) Object.assign(known, { last: reply.last, at: now });
  const words = moved || connection.status !== "connected" ? "" : silence(reply, Math.round((now - known.at) / 1000));
  if (words) reply.say(words, "waiting");
  else if (known.told && !reply.note && reply.running) reply.say(reply.words ?? "");
  known.told = words !== "";
}

function silence({ last, text, article }, seconds) {
  if (last < 0) return seconds >= SLOW ? `${article.getAttribute("aria-label")} has not started yet · ${seconds} s` : "";
  if (seconds < SILENT) return "";
  return `${text ? "No new text" : "Nothing new"} for ${seconds} s, still connected`;
}

// How often this page came back to a reply, among its details

function count(article) {
  comebacks.set(article, (comebacks.get(article) ?? -1) + 1);
}

function showComebacks({ target }) {
  const article = target.closest?.(".details[open]")?.closest("article");
  const list = article && target.querySelector("dl");
  const times = comebacks.get(article);
  if (!list || !times || list.querySelector(".comebacks")) return;
  const value = Object.assign(document.createElement("dd"), { className: "comebacks", textContent: `${times} times, by this page` });
  list.append(Object.assign(document.createElement("dt"), { textContent: "Reconnected" }), value);
}
