// Modules that come after the page works. A request may fail, so each is requested again; but some
// browsers remember a failure for as long as the page is open.

import { fetchFragment, parseArticle } from "./http.js";

const RETRY_MS = 2000;

/** @param {() => unknown} [meanwhile] called after each failure, while the page is visible */
export async function loadModule(load, meanwhile) {
  for (;;) {
    try {
      return await load();
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    if (!document.hidden) await meanwhile?.();
  }
}

/** Without the code that renders replies: show those that run as the server has them now. */
export async function refreshRunningReplies() {
  for (const { dataset } of document.querySelectorAll("#messages live-reply")) {
    if (!dataset.message) continue; // the server has not answered yet
    const article = parseArticle(await fetchFragment(`/m/${dataset.message}/`));
    if (article) document.getElementById(article.id)?.replaceWith(article);
  }
}
