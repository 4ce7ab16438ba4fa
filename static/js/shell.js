// The page around the replies: one status line for eyes and screen readers, and the sidebar.

import { showMoved, getConversationId, runningReplies, getKnownLeaf, setLeaf } from "./composer.js";
import { getThroughParameter, markRead, observeEnd } from "./conversation-list.js";
import { fetchFragment, parseFragment, buildHeaders, isAccountMismatch, reportAccountMismatch } from "./http.js";
import { connection } from "./socket.js";

const LOST_NOTICE_DELAY_MS = 1000; // milliseconds without a connection that nobody needs to hear of
const CAUGHT_UP_MS = 1500; // milliseconds that good news stays
const FINISHED_MS = 4000;
const SIDEBAR_INTERVAL_MS = 300; // milliseconds between two fetches of the sidebar

const LOST_TEXTS = {
  reconnecting: "Reconnecting, your text is safe",
  polling: "Live updates don’t get through here. The page checks every few seconds.",
  offline: "Offline, your text is safe",
  "signed-out": "Signed out.",
  "account-mismatch": "Someone else is signed in. What you wrote is kept.",
};
const FINAL_STATUSES = ["signed-out", "account-mismatch"]; // the page comes back from them when it is loaded anew
const ENDED_TEXTS = { completed: "Reply finished", stopped: "Reply stopped", failed: "Reply failed", interrupted: "Reply interrupted" };

let statusLine, sidebarList;
let lostStatus = ""; // the connection's state, once it is worth telling
let noticeText = ""; // what was good, for a moment
let lostTimer = 0;
let noticeTimer = 0;
let shownRevision = 0; // of what the sidebar shows, or will as soon as it is fetched
let isFetching = false;
let shouldRefetch = false;
let hasConnected = false;

export function startShell() {
  [statusLine, sidebarList] = ["status", "sidebar-list"].map((id) => document.getElementById(id));
  shownRevision = Number(sidebarList.dataset.revision);
  connection.addEventListener("status", ({ detail }) => onConnectionStatus(detail));
  connection.addEventListener("revision", ({ detail }) => onRevision(detail));
  document.addEventListener("reply-changed", ({ target }) => onReplyChange(target));
  let here = getCurrentUrl();
  document.addEventListener("url-changed", () => {
    here = getCurrentUrl();
    refreshSidebar();
  });
  document.addEventListener("send-finished", syncMessages);
  document.addEventListener("conversations-changed", refreshSidebar);
  connection.addEventListener("hello", checkAccount);
  document.addEventListener("account-mismatch", onAccountMismatch);
  sidebarList.addEventListener("htmx:after:request", ({ detail }) => isAccountMismatch(detail.ctx.response.raw) && reportAccountMismatch());
  addEventListener("popstate", () => getCurrentUrl() === here || location.reload());
}

// The status line

function onConnectionStatus(state) {
  clearTimeout(lostTimer);
  if (state === "connected") {
    if (lostStatus) showNotice("Caught up", CAUGHT_UP_MS);
    lostStatus = "";
    updateStatusLine();
  } else {
    const wait = lostStatus || FINAL_STATUSES.includes(state) ? 0 : LOST_NOTICE_DELAY_MS;
    lostTimer = setTimeout(() => {
      lostStatus = state;
      shownRevision = NaN; // what is fetched meanwhile may fail
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
  const words = LOST_TEXTS[lostStatus] || noticeText || (runningReplies().length ? "Replying…" : "");
  if (lostStatus) document.body.dataset.connection = lostStatus;
  else delete document.body.dataset.connection;
  if (statusLine.textContent.trim() === words) return;
  const span = Object.assign(document.createElement("span"), { className: "status-text", textContent: words });
  statusLine.replaceChildren(...(words ? [span] : []));
  if (lostStatus === "signed-out") showSignedOut();
}

/** Over the page, which stays as it is; what was written is found again on the way back. */
function showSignedOut() {
  const dialog = document.getElementById("signed-out");
  dialog.querySelector("a").search = `?next=${encodeURIComponent(getCurrentUrl())}`;
  if (!dialog.open) dialog.showModal();
}

/** Somebody else has signed in, in another tab. This page sends nothing in their name, and shows
 *  nothing of theirs. It says so once, and again whenever something is refused for it. */
function onAccountMismatch({ detail }) {
  const isNews = connection.status !== "account-mismatch";
  connection.endSession("account-mismatch");
  const dialog = document.getElementById("account-mismatch");
  if ((isNews || detail.isAct) && !dialog.open) dialog.showModal();
}

/** The cookie a socket came back with may be somebody else's: the answer to the list tells. */
function checkAccount() {
  if (hasConnected) refreshSidebar();
  hasConnected = true;
}

// The sidebar, made by the server, whenever something changed in any tab or device

function onRevision(number) {
  if (number === shownRevision) return;
  shownRevision = number;
  refreshSidebar();
}

export async function refreshSidebar() {
  shouldRefetch = isFetching;
  if (isFetching) return;
  isFetching = true;
  const into = { source: sidebarList, target: sidebarList, swap: "innerMorph", headers: buildHeaders() };
  await htmx.ajax("GET", `/sidebar/?open=${getConversationId()}${await getThroughParameter()}`, into).catch(() => {});
  observeEnd();
  updateTitle();
  markRead();
  syncMessages();
  setTimeout(() => {
    isFetching = false;
    if (shouldRefetch) refreshSidebar();
  }, SIDEBAR_INTERVAL_MS);
}

/** The open conversation is named above as it is in the list. */
function updateTitle() {
  const title = sidebarList.querySelector("[aria-current='page']")?.lastChild.textContent.trim();
  if (!title) return;
  document.getElementById("title").textContent = title;
  document.title = `${title} · Holdfast`;
}

/** Somebody wrote from another tab or device: what follows the end of this page is added to it;
 *  where the chat went on elsewhere, the composer says so. */
async function syncMessages() {
  const before = getKnownLeaf();
  const told = sidebarList.querySelector("[aria-current='page']")?.dataset.leaf;
  if (!told || before === null || told === before) return;
  const response = await fetchFragment(`/c/${getConversationId()}/`);
  if (!response?.ok || getKnownLeaf() === null) return; // a message of its own is on its way: later
  if (getKnownLeaf() !== before) return syncMessages();
  const made = parseFragment(response);
  const articles = [...made.querySelectorAll("article")];
  const end = articles.at(-1)?.id.slice(2);
  if (!end || end === getKnownLeaf()) return; // the list was older than this page
  const last = [...document.querySelectorAll("#messages > article[id]")].at(-1);
  const at = articles.findIndex(({ id }) => id === last?.id);
  if (at < 0) return showMoved(end);
  last.after(...articles.slice(at + 1));
  setLeaf(end);
}

function getCurrentUrl() {
  return location.pathname + location.search;
}
