// Older conversations, fetched when the reader comes near the end of the sidebar.

import { getConversationId } from "../composer/form.js";
import { opensElsewhere } from "../elements.js";
import { fetchFragment, parseFragment } from "../http.js";

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
export function observeEnd() {
  endObserver.disconnect();
  const link = findEnd()?.querySelector("a");
  if (link) endObserver.observe(link);
}

/**
 * Waits for older ones that are on their way.
 * @returns {Promise<string>} a URL parameter: the last conversation that a new list must contain
 */
export async function getThroughParameter() {
  await loading;
  return findEnd() ? `&through=${findEnd().dataset.through}` : "";
}

function findEnd() {
  return document.getElementById("sidebar-end");
}

function onIntersect(entries) {
  if (entries.some(({ isIntersecting }) => isIntersecting)) loadMore();
}

function onClick(event) {
  if (!event.target.closest("#sidebar-end a") || opensElsewhere(event)) return;
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
