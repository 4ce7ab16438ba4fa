// The sidebar, which the server renders. It is fetched again when anything changed in any tab or
// device.

import { getConversationId } from "../composer/form.js";
import { syncMessages } from "../conversation/new-messages.js";
import { buildHeaders, isAccountMismatch, postForm, reportAccountMismatch } from "../http.js";
import { connection } from "../live/socket.js";
import { getThroughParameter, observeEnd } from "./older-conversations.js";

const MIN_INTERVAL_MS = 300; // between two fetches

let sidebarList;
let shownRevision = 0; // the revision that the sidebar shows, or will show once it is fetched
let isFetching = false;
let shouldRefetch = false;
let hasConnected = false;

export function startSidebar() {
  sidebarList = document.getElementById("sidebar-list");
  shownRevision = Number(sidebarList.dataset.revision);
  connection.addEventListener("revision", ({ detail }) => onRevision(detail));
  connection.addEventListener("hello", onHello);
  let here = getCurrentUrl();
  document.addEventListener("url-changed", () => {
    here = getCurrentUrl();
    refreshSidebar();
  });
  addEventListener("popstate", () => getCurrentUrl() === here || location.reload());
  document.addEventListener("send-finished", syncMessages);
  document.addEventListener("conversations-changed", refreshSidebar);
  document.addEventListener("visibilitychange", markRead);
  sidebarList.addEventListener(
    "htmx:after:request",
    ({ detail }) => isAccountMismatch(detail.ctx.response.raw) && reportAccountMismatch(),
  );
}

function getCurrentUrl() {
  return location.pathname + location.search;
}

/** After a reconnection the cookie may belong to another account. The response tells. */
function onHello() {
  if (hasConnected) refreshSidebar();
  hasConnected = true;
}

function onRevision(number) {
  if (number === shownRevision) return;
  shownRevision = number;
  refreshSidebar();
}

/** The connection is lost: fetches may fail from now on, so the next revision counts as new. */
export function forgetRevision() {
  shownRevision = NaN;
}

export async function refreshSidebar() {
  shouldRefetch = isFetching;
  if (isFetching) return;
  isFetching = true;
  const into = {
    source: sidebarList,
    target: sidebarList,
    swap: "innerMorph",
    headers: buildHeaders(),
  };
  await htmx
    .ajax("GET", `/sidebar/?open=${getConversationId()}${await getThroughParameter()}`, into)
    .catch(() => {});
  observeEnd();
  updateTitle();
  markRead();
  syncMessages();
  setTimeout(() => {
    isFetching = false;
    if (shouldRefetch) refreshSidebar();
  }, MIN_INTERVAL_MS);
}

/** The page's title is the conversation's title in the sidebar. */
function updateTitle() {
  const title = sidebarList.querySelector("[aria-current='page']")?.lastChild.textContent.trim();
  if (!title) return;
  document.getElementById("title").textContent = title;
  document.title = `${title} · Holdfast`;
}

/** A conversation that is open and visible is read. */
function markRead() {
  const open = sidebarList.querySelector("[aria-current='page']");
  if (document.hidden || !open?.querySelector("[data-state='unread'], [data-state='failed']"))
    return;
  postForm(`${new URL(open.href).pathname}reading/`);
}
