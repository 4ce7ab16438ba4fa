// Messages that were written in another tab or on another device.

import { getConversationId, getKnownLeaf, moveToLeaf, showMoved } from "../composer/form.js";
import { hasPendingMessages } from "../composer/outbox.js";
import { fetchFragment, parseArticles } from "../http.js";

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
