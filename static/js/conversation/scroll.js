// Scrolling while text grows: the page follows its end while the reader is there, and never moves
// while the reader is elsewhere.

import { createElement, gettext } from "../elements.js";

const BOTTOM_MARGIN_PX = 40; // so close to the end counts as the end, for a reader who comes back
const MIN_STEP_PX = 1; // away from the end; less is rounding

let sticksToBottom = false;
let lastTop = 0;
let lastHeight = 0;
let lastViewWidth = 0;
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
  addEventListener("wheel", onWheel, { passive: true });
  addEventListener("resize", onResize);
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
  if (hasReaderScrolledUp()) stopSticking(); // its event comes in the next frame
  if (sticksToBottom) scrollToBottom();
  else if (scroller.scrollHeight > lastHeight && !isAtBottom())
    newTextButton.hidden = !document.querySelector("[aria-busy='true']");
  savePosition();
}

/** A step up by any amount is a wish to stay. A step down that ends near the end is one to follow. */
function onScroll() {
  if (hasReaderScrolledUp()) stopSticking();
  else if (getTop() > lastTop && isAtBottom()) startSticking();
  savePosition();
}

/** With Ctrl the wheel zooms. At the very end a step down scrolls nothing. */
function onWheel({ target, deltaY, ctrlKey }) {
  if (deltaY < 0 && !ctrlKey && sticksToBottom && scrollsPage(target)) stopSticking();
  else if (deltaY > 0 && isAtBottom()) startSticking();
}

/** Whether the wheel moves the page here, and not the sidebar, a list or a text box. */
function scrollsPage(target) {
  for (let at = target; at instanceof Element && at !== scroller; at = at.parentElement) {
    const { overflowY, overscrollBehaviorY } = getComputedStyle(at);
    const isScroller = ["auto", "scroll"].includes(overflowY);
    if (isScroller && (at.scrollTop > 0 || overscrollBehaviorY !== "auto")) return false;
  }
  return true;
}

/**
 * Only a reader scrolls up. Scripts scroll down. The browser moves a page whose text became shorter
 * or whose window became higher, to its end, and one that is zoomed, whose width changes.
 */
function hasReaderScrolledUp() {
  return (
    getTop() < lastTop &&
    getDistanceToEnd() >= MIN_STEP_PX &&
    scroller.scrollHeight >= lastHeight &&
    scroller.clientWidth === lastViewWidth
  );
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
  lastTop = getTop();
  lastHeight = scroller.scrollHeight;
  lastViewWidth = scroller.clientWidth;
}

/** Some browsers scroll beyond the end, and bounce back. */
function getTop() {
  return Math.min(scroller.scrollTop, scroller.scrollHeight - scroller.clientHeight);
}

function getDistanceToEnd() {
  return scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
}

function isAtBottom() {
  return getDistanceToEnd() < BOTTOM_MARGIN_PX;
}

function createNewTextButton() {
  const button = createElement("button", "button secondary new-text", gettext("Latest"));
  Object.assign(button, { type: "button", hidden: true });
  button.addEventListener("click", scrollToBottom);
  return button;
}
