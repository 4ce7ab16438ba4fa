// What a reply does while nothing of it comes, told by the second in its state line; that line is
// no live region, so nobody has the seconds read to them.

import { runningReplies } from "./composer.js";
import { connection } from "./socket.js";

const NOT_STARTED_SECONDS = 10; // seconds until it is worth saying that nothing has begun
const STALLED_SECONDS = 30;

const progressByReply = new WeakMap(); // reply → { last, at, told }
const reconnectCounts = new WeakMap(); // article → how often this page came back to it

export function startStallNotice() {
  setInterval(() => runningReplies().forEach(checkReply), 1000);
  connection.addEventListener("status", ({ detail }) => {
    if (detail === "connected") for (const { article } of runningReplies()) countReconnect(article);
  });
  document.addEventListener("toggle", showReconnects, true);
}

function checkReply(reply) {
  const now = Date.now();
  if (!progressByReply.has(reply)) {
    const waited = Number(reply.article.querySelector(".state")?.dataset.waitedSeconds ?? 0);
    progressByReply.set(reply, { last: reply.last, at: now - waited * 1000, told: false });
  }
  const known = progressByReply.get(reply);
  const moved = reply.last !== known.last || reply.state !== "running" || Boolean(reply.note);
  if (moved) Object.assign(known, { last: reply.last, at: now });
  const words = moved || connection.status !== "connected" ? "" : describeStall(reply, Math.round((now - known.at) / 1000));
  if (words) reply.setStatusText(words, "waiting");
  else if (known.told && !reply.note && reply.isRunning) reply.setStatusText(reply.statusText ?? "");
  known.told = words !== "";
}

function describeStall({ last, text, article }, seconds) {
  if (last < 0) return seconds >= NOT_STARTED_SECONDS ? `${article.getAttribute("aria-label")} has not started yet · ${seconds} s` : "";
  if (seconds < STALLED_SECONDS) return "";
  return `${text ? "No new text" : "Nothing new"} for ${seconds} s, still connected`;
}

// How often this page came back to a reply, among its details

function countReconnect(article) {
  reconnectCounts.set(article, (reconnectCounts.get(article) ?? -1) + 1);
}

function showReconnects({ target }) {
  const article = target.closest?.(".details[open]")?.closest("article");
  const list = article && target.querySelector("dl");
  const times = reconnectCounts.get(article);
  if (!list || !times || list.querySelector(".reconnects")) return;
  const value = Object.assign(document.createElement("dd"), { className: "reconnects", textContent: `${times} times, by this page` });
  list.append(Object.assign(document.createElement("dt"), { textContent: "Reconnected" }), value);
}
