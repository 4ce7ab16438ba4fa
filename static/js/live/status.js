// Notices of a lost connection and of replies that stall: in the status line above the chat, in
// dialogs when the session has ended, and in the state line of a reply.

import { getModelLabel } from "../composer/form.js";
import { createElement, gettext, interpolate, ngettext } from "../elements.js";
import { runningReplies } from "./running-replies.js";
import { connection } from "./socket.js";
import { forgetRevision } from "../sidebar/sidebar.js";

const LOST_NOTICE_DELAY_MS = 1000; // shorter losses are not worth a notice
const CAUGHT_UP_MS = 1500;
const FINISHED_MS = 4000;

const LOST_TEXTS = {
  reconnecting: gettext("Reconnecting. Your draft is saved."),
  events: gettext("WebSockets don’t get through here. Replies arrive over plain HTTP."),
  polling: gettext("Live updates don’t get through here. The page checks every few seconds."),
  offline: gettext("You’re offline. Your draft is saved."),
  "signed-out": gettext("You’re signed out."),
  "account-mismatch": gettext("Another account is signed in. Your draft is saved."),
};
const LIVE_STATUSES = ["connected", "events"]; // text arrives when it is written
const FINAL_STATUSES = ["signed-out", "account-mismatch"]; // until the page is loaded again
const ENDED_TEXTS = {
  completed: gettext("Reply finished"),
  stopped: gettext("Reply stopped"),
  failed: gettext("Reply failed"),
  interrupted: gettext("Reply interrupted"),
};

let statusLine;
let lostStatus = ""; // the connection's status, once it is worth a notice
let noticeText = ""; // good news, for a moment
let lostTimer = 0;
let noticeTimer = 0;

export function startStatusLine() {
  statusLine = document.getElementById("status");
  connection.addEventListener("status", ({ detail }) => onConnectionStatus(detail));
  document.addEventListener("reply-changed", ({ target }) => onReplyChange(target));
  document.addEventListener("account-mismatch", onAccountMismatch);
}

function onConnectionStatus(status) {
  clearTimeout(lostTimer);
  if (status === "connected") {
    if (lostStatus) showNotice(gettext("Back online"), CAUGHT_UP_MS);
    lostStatus = "";
    updateStatusLine();
  } else {
    const wait = lostStatus || FINAL_STATUSES.includes(status) ? 0 : LOST_NOTICE_DELAY_MS;
    lostTimer = setTimeout(() => {
      lostStatus = status;
      forgetRevision();
      updateStatusLine();
    }, wait);
  }
}

function onReplyChange({ state }) {
  if (ENDED_TEXTS[state]) showNotice(ENDED_TEXTS[state], FINISHED_MS);
  else updateStatusLine();
}

function showNotice(words, duration) {
  noticeText = words;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => {
    noticeText = "";
    updateStatusLine();
  }, duration);
  updateStatusLine();
}

function updateStatusLine() {
  const words =
    LOST_TEXTS[lostStatus] || noticeText || (runningReplies().length ? gettext("Replying…") : "");
  if (lostStatus) document.body.dataset.connection = lostStatus;
  else delete document.body.dataset.connection;
  if (statusLine.textContent.trim() === words) return;
  statusLine.replaceChildren(...(words ? [createElement("span", "status-text", words)] : []));
  if (lostStatus === "signed-out") showSignedOut();
}

/** The page stays below the dialog, and its text is found again after signing in. */
function showSignedOut() {
  const dialog = document.getElementById("signed-out");
  dialog.querySelector("a").search =
    `?next=${encodeURIComponent(location.pathname + location.search)}`;
  if (!dialog.open) dialog.showModal();
}

/** Another account has signed in, in another tab. This page sends nothing under that account and
 *  shows nothing of it. The dialog opens once, and again whenever the server rejects an action. */
function onAccountMismatch({ detail }) {
  const isNew = connection.status !== "account-mismatch";
  connection.endSession("account-mismatch");
  const dialog = document.getElementById("account-mismatch");
  if ((isNew || detail.isAct) && !dialog.open) dialog.showModal();
}

// The state line of a reply, with the seconds since its last text. It is no live region, so that
// screen readers don't read the seconds.

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
    moved || !LIVE_STATUSES.includes(connection.status)
      ? ""
      : describeStall(reply, Math.round((now - known.at) / 1000));
  if (words) reply.setStatusText(words, "waiting");
  else if (known.hasNotice && !reply.note && reply.isRunning)
    reply.setStatusText(reply.statusText ?? "");
  known.hasNotice = words !== "";
}

function describeStall({ last, article }, seconds) {
  if (last < 0) {
    const model = getModelLabel(article.getAttribute("aria-label"));
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
