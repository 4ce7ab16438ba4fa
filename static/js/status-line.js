// The status line above a conversation, for eyes and screen readers, and the dialogs that open when
// the session has ended or belongs to another account.

import { createElement } from "./elements.js";
import { gettext } from "./i18n.js";
import { runningReplies } from "./live/live-reply.js";
import { connection } from "./live/socket.js";
import { forgetRevision } from "./sidebar/sidebar.js";

const LOST_NOTICE_DELAY_MS = 1000; // shorter losses are not worth a notice
const CAUGHT_UP_MS = 1500;
const FINISHED_MS = 4000;

const LOST_TEXTS = {
  reconnecting: gettext("Reconnecting. Your draft is saved."),
  polling: gettext("Live updates don’t get through here. The page checks every few seconds."),
  offline: gettext("You’re offline. Your draft is saved."),
  "signed-out": gettext("You’re signed out."),
  "account-mismatch": gettext("Another account is signed in. Your draft is saved."),
};
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
