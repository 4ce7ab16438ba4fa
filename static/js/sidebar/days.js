// The headings of the sidebar by the reader's clock. The server writes them for the time zone of the
// cookie and for the time of the request; days pass while a page is open.

import { getDayHeading } from "../clock.js";
import { createElement, gettext } from "../elements.js";

export function startDayHeadings() {
  const list = document.getElementById("sidebar-list");
  const update = () => updateHeadings(list);
  new MutationObserver(update).observe(list, { childList: true, subtree: true });
  document.addEventListener("day-changed", update);
  update();
}

function updateHeadings(list) {
  const now = new Date();
  let last = "";
  for (const link of list.querySelectorAll("a[data-updated]")) {
    const { updated, pinned } = link.dataset;
    const heading =
      pinned === undefined ? getDayHeading(new Date(updated * 1000), now) : gettext("Pinned");
    setHeading(link.parentElement, heading === last ? "" : heading);
    last = heading;
  }
}

/** Change only what differs, because the change is observed. */
function setHeading(row, text) {
  const heading = row.querySelector("h2");
  if (!text) heading?.remove();
  else if (!heading) row.prepend(createElement("h2", "", text));
  else if (heading.textContent !== text) heading.textContent = text;
}
