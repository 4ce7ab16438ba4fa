// Messages that the page does not have yet: earlier ones, fetched when the reader comes near them and
// inserted without moving the page, and those that were written in another tab or on another device.

import { getConversationId, getKnownLeaf, moveToLeaf, showMoved } from "../composer/form.js";
import { hasPendingMessages } from "../composer/outbox.js";
import { fetchFragment, parseArticles } from "../http.js";

const PREFETCH_MARGIN = "600px"; // above the window

let linkObserver;

/** Call this after the page has scrolled to its position: at the top, it would fetch at once. */
export function startEarlierMessages() {
  linkObserver = new IntersectionObserver(onIntersect, {
    rootMargin: `${PREFETCH_MARGIN} 0px 0px`,
  });
  document.addEventListener("htmx:before:swap", keepScrollPosition);
  observeLink();
}

function observeLink() {
  const link = document.querySelector("#messages > .messages-page-link[hx-get]");
  if (link) linkObserver.observe(link);
}

function onIntersect(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    linkObserver.unobserve(target);
    window.htmx.trigger(target, "in-view");
  }
}

/** The visible text stays in its place, whatever is inserted above it. */
function keepScrollPosition({ target }) {
  if (!target.matches?.(".messages-page-link")) return;
  const messages = target.parentElement;
  const next = target.nextElementSibling;
  const top = next.getBoundingClientRect().top;
  const arrived = new MutationObserver(() => {
    arrived.disconnect();
    document.scrollingElement.scrollTop += next.getBoundingClientRect().top - top;
    const page = next.previousElementSibling;
    if (page?.matches(".earlier-messages"))
      messages.dispatchEvent(new CustomEvent("earlier-loaded", { bubbles: true, detail: page }));
    observeLink();
  });
  arrived.observe(messages, { childList: true });
}

// Messages of another tab or device

/**
 * If the sidebar knows a later message than this page, append what follows the end of this page. If
 * the conversation went on in another branch, the composer says so.
 */
export async function syncMessages() {
  const before = getKnownLeaf();
  const leaf = document.querySelector("#sidebar-list [aria-current='page']")?.dataset.leaf;
  if (!leaf || hasPendingMessages() || leaf === before) return;
  const response = await fetchFragment(`/c/${getConversationId()}/`);
  if (!response?.ok || hasPendingMessages()) return; // this page is sending; it will sync afterwards
  if (getKnownLeaf() !== before) return syncMessages();
  const articles = parseArticles(response);
  const end = articles.at(-1)?.id.slice(2);
  if (!end || end === before) return; // the sidebar was older than this page
  const last = [...document.querySelectorAll("#messages > article[id]")].at(-1);
  const index = articles.findIndex(({ id }) => id === last?.id);
  if (index < 0) return showMoved(end);
  last.after(...articles.slice(index + 1));
  moveToLeaf(end);
}
