// Scrolling while text grows: the page follows its end while the reader is there, and never moves
// while the reader is elsewhere.

import { createElement, gettext } from "../elements.js";

const BOTTOM_MARGIN_PX = 40; // so close to the end counts as the end

let sticksToBottom = false;
let lastTop = 0;
let lastHeight = 0;
let newTextButton = null;

const scroller = document.scrollingElement;

export function startStickToBottom() {
  const messages = document.getElementById("messages");
  newTextButton = createNewTextButton();
  document.getElementById("dock").prepend(newTextButton);
  setSticksToBottom(isAtBottom());
  const type = performance.getEntriesByType("navigation")[0]?.type;
  if (type === "navigate" && !location.hash) scrollToBottom(); // on a reload, the browser restores the position
  addEventListener("scroll", onScroll, { passive: true });
  addEventListener("wheel", ({ deltaY }) => deltaY < 0 && stopSticking(), { passive: true });
  // Runs after layout and before paint, whatever made the page longer.
  new ResizeObserver(onResize).observe(messages);
}

/** Go to the end, and stay there while text grows. */
export function scrollToBottom() {
  startSticking();
  scroller.scrollTop = scroller.scrollHeight;
  savePosition();
}

function onResize() {
  if (sticksToBottom) scrollToBottom();
  else if (scroller.scrollHeight > lastHeight && !isAtBottom())
    newTextButton.hidden = !document.querySelector("[aria-busy='true']");
  savePosition();
}

/**
 * Only a reader scrolls up. Scripts scroll down, and a page that became shorter was not scrolled.
 */
function onScroll() {
  const isUp = scroller.scrollTop < lastTop - 1 && scroller.scrollHeight >= lastHeight;
  if (isUp && !isAtBottom()) stopSticking();
  else if (isAtBottom()) startSticking();
  savePosition();
}

function stopSticking() {
  if (scroller.scrollHeight > scroller.clientHeight) setSticksToBottom(false);
}

/**
 * At the end the stylesheet switches scroll anchoring off: the browser would search all blocks for
 * an anchor whenever one grows.
 */
function setSticksToBottom(sticks) {
  if (sticks !== sticksToBottom) scroller.classList.toggle("sticks-to-bottom", sticks);
  sticksToBottom = sticks;
}

function startSticking() {
  setSticksToBottom(true);
  if (!newTextButton.hidden) newTextButton.hidden = true; // setting it again would cost a layout in every frame
}

function savePosition() {
  lastTop = scroller.scrollTop;
  lastHeight = scroller.scrollHeight;
}

function isAtBottom() {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < BOTTOM_MARGIN_PX;
}

function createNewTextButton() {
  const button = createElement("button", "button secondary new-text", gettext("Latest"));
  Object.assign(button, { type: "button", hidden: true });
  button.addEventListener("click", scrollToBottom);
  return button;
}
