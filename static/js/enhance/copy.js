// Copy buttons, of messages and of code.

import { gettext } from "../i18n.js";

const COPIED_MS = 1500; // how long a button says “Copied”

const confirming = new WeakSet(); // buttons that say “Copied”

/** One listener for all copy buttons of the page, now and later. */
export function startCopyButtons() {
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy], pre.code > button");
    if (!button) return;
    await copyText(
      button.dataset.copy
        ? readMarkdown(button)
        : button.parentElement.querySelector("code").textContent,
    );
    if (!confirming.has(button)) confirm(button);
  });
}

function confirm(button) {
  const label = [...button.childNodes].findLast(
    (node) => node.nodeType === Node.TEXT_NODE && node.data.trim(),
  );
  const before = label.data;
  label.data = before.replace(gettext("Copy"), gettext("Copied"));
  confirming.add(button);
  setTimeout(() => {
    label.data = before;
    confirming.delete(button);
  }, COPIED_MS);
}

/**
 * Copy a text exactly, including its line ends. Without the clipboard API (plain http) a copy event
 * does it.
 */
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const give = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", give, { once: true });
  document.execCommand("copy");
  return document.removeEventListener("copy", give);
}

/** The Markdown of a message: from its live reply, or from the page. */
function readMarkdown(button) {
  const live = button.closest("article").querySelector("live-reply");
  if (live?.stream) return live.text;
  return JSON.parse(document.getElementById(button.dataset.copy).textContent).text;
}
