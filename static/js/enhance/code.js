// Code blocks: a copy button, and colours once they are visible.

import { createElement } from "../elements.js";
import { gettext } from "../i18n.js";
import { enhanceWhenVisible } from "./queue.js";

let highlightMs = 0; // spent on colours since takeHighlightMs()

/** Time spent on colours since the last call. A growing reply does less in its next frame. */
export function takeHighlightMs() {
  const spent = highlightMs;
  highlightMs = 0;
  return spent;
}

export function enhanceCode(pre) {
  if (pre.querySelector("button")) return;
  const button = Object.assign(createElement("button", "", gettext("Copy")), { type: "button" });
  button.setAttribute("aria-label", gettext("Copy code"));
  pre.append(button);
  if (pre.dataset.language) enhanceWhenVisible(pre, prepareColours);
}

/** @returns {Promise<(() => void)[]>} writes that show the colours */
async function prepareColours(pre) {
  const { highlightCode } = await import("./highlight.js");
  const { writes, milliseconds } = await highlightCode(pre);
  highlightMs += milliseconds;
  return writes;
}
