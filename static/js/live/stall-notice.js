// Says in the state line of a reply for how long nothing has come. The line is no live region, so
// that screen readers don't read the seconds.

import { createElement } from "../elements.js";
import { gettext, interpolate, ngettext } from "../i18n.js";
import { runningReplies } from "./live-reply.js";
import { connection } from "./socket.js";

const NOT_STARTED_SECONDS = 10;
const STALLED_SECONDS = 30;

const progressByReply = new WeakMap(); // reply → { last, at, hasNotice }
const reconnectCounts = new WeakMap(); // article → how often this page reconnected to it

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
    progressByReply.set(reply, { last: reply.last, at: now - waited * 1000, hasNotice: false });
  }
  const known = progressByReply.get(reply);
  const moved = reply.last !== known.last || reply.state !== "running" || Boolean(reply.note);
  if (moved) Object.assign(known, { last: reply.last, at: now });
  const words =
    moved || connection.status !== "connected"
      ? ""
      : describeStall(reply, Math.round((now - known.at) / 1000));
  if (words) reply.setStatusText(words, "waiting");
  else if (known.hasNotice && !reply.note && reply.isRunning)
    reply.setStatusText(reply.statusText ?? "");
  known.hasNotice = words !== "";
}

function describeStall({ last, article }, seconds) {
  if (last < 0) {
    const model = article.getAttribute("aria-label");
    return seconds >= NOT_STARTED_SECONDS
      ? interpolate(gettext("Still waiting for %(model)s · %(seconds)s s"), { model, seconds })
      : "";
  }
  if (seconds < STALLED_SECONDS) return "";
  return interpolate(gettext("No new text for %(seconds)s s (still connected)"), { seconds });
}

// The number of reconnections, in the details of a reply

function countReconnect(article) {
  reconnectCounts.set(article, (reconnectCounts.get(article) ?? -1) + 1);
}

function showReconnects({ target }) {
  const article = target.closest?.(".details[open]")?.closest("article");
  const list = article && target.querySelector("dl");
  const count = reconnectCounts.get(article);
  if (!list || !count || list.querySelector(".reconnects")) return;
  const words = interpolate(
    ngettext("%(count)s time, by this page", "%(count)s times, by this page", count),
    { count },
  );
  list.append(
    createElement("dt", "", gettext("Reconnected")),
    createElement("dd", "reconnects", words),
  );
}
