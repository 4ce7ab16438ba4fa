// The sidebar, which the server renders. It is fetched again when anything changed in any tab or
// device, and older conversations when the reader comes near its end.

import { getConversationId } from "../composer/form.js";
import { syncMessages } from "../conversation/more-messages.js";
import { opensElsewhere } from "../elements.js";
import {
  buildHeaders,
  isAccountMismatch,
  postForm,
  reportAccountMismatch,
  fetchFragment,
  parseFragment,
} from "../http.js";
import { connection } from "../live/socket.js";

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
  connection.addEventListener("topic", ({ detail }) => onTopic(detail));
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

/** Only the topic's listeners fetch something, if this page has everything before it. */
function onTopic({ revision, topic }) {
  if (revision !== shownRevision + 1) return onRevision(revision);
  shownRevision = revision;
  document.dispatchEvent(new CustomEvent(`${topic}-changed`, { detail: revision }));
}

/** The connection is lost: fetches may fail from now on, so the next revision counts as new. */
export function forgetRevision() {
  shownRevision = NaN;
}

async function refreshSidebar() {
  shouldRefetch = isFetching;
  if (isFetching) return;
  isFetching = true;
  document.dispatchEvent(new CustomEvent("drafts-changed"));
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

// Older conversations

const PREFETCH_MARGIN = "400px"; // below the visible part

let endObserver;
let loading = null; // a promise while older ones are on their way

export function startOlderConversations() {
  const sidebarList = document.getElementById("sidebar-list");
  endObserver = new IntersectionObserver(onIntersect, {
    root: sidebarList,
    rootMargin: `0px 0px ${PREFETCH_MARGIN}`,
  });
  sidebarList.addEventListener("click", onClick);
  observeEnd();
}

/** Call this after the list changed: it may have another end, which may be visible already. */
function observeEnd() {
  endObserver.disconnect();
  const link = findEnd()?.querySelector("a");
  if (link) endObserver.observe(link);
}

/**
 * Waits for older ones that are on their way.
 * @returns {Promise<string>} a URL parameter: the last conversation that a new list must contain
 */
async function getThroughParameter() {
  await loading;
  return findEnd() ? `&through=${findEnd().dataset.through}` : "";
}

function findEnd() {
  return document.getElementById("chats-end");
}

function onIntersect(entries) {
  if (entries.some(({ isIntersecting }) => isIntersecting)) loadMore();
}

function onClick(event) {
  if (!event.target.closest("#chats-end a") || opensElsewhere(event)) return;
  event.preventDefault();
  loadMore();
}

function loadMore() {
  loading ??= appendOlder().finally(() => (loading = null));
}

async function appendOlder() {
  const through = findEnd()?.dataset.through;
  if (!through) return; // a new list came, and it is complete
  const response = await fetchFragment(`/sidebar/?after=${through}&open=${getConversationId()}`);
  if (!response?.ok || findEnd()?.dataset.through !== through) return; // the link stays, for a click
  const rows = parseFragment(response);
  for (const { id } of rows.querySelectorAll("a[id]"))
    document.getElementById(id)?.closest("li").remove();
  const first = rows.querySelector("a[id]");
  const hadFocus = findEnd().contains(document.activeElement);
  findEnd().replaceWith(rows);
  if (hadFocus) first?.focus();
  observeEnd();
}
