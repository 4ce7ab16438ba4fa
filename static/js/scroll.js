// Scrolling while text grows: the page follows its end as long as the reader is there, and never
// moves under a reader who is not.

const BOTTOM_MARGIN_PX = 40; // pixels from the end that count as being there

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
  if (type === "navigate" && !location.hash) scrollToBottom(); // a reload goes back to where one was
  addEventListener("scroll", onScroll, { passive: true });
  addEventListener("wheel", ({ deltaY }) => deltaY < 0 && stopSticking(), { passive: true });
  // Runs after layout and before paint, for whatever made the page longer.
  new ResizeObserver(onResize).observe(messages);
}

/** Be at the end, and stay there. */
export function scrollToBottom() {
  startSticking();
  scroller.scrollTop = scroller.scrollHeight;
  savePosition();
}

function onResize() {
  if (sticksToBottom) scrollToBottom();
  else if (scroller.scrollHeight > lastHeight && !isAtBottom()) newTextButton.hidden = !document.querySelector("[aria-busy='true']");
  savePosition();
}

/** Only a reader moves the page up; what we do moves it down, and a shorter page is no move. */
function onScroll() {
  const up = scroller.scrollTop < lastTop - 1 && scroller.scrollHeight >= lastHeight;
  if (up && !isAtBottom()) stopSticking();
  else if (isAtBottom()) startSticking();
  savePosition();
}

function stopSticking() {
  if (scroller.scrollHeight > scroller.clientHeight) setSticksToBottom(false);
}

/** The browser looks for an anchor among all blocks whenever one grows; the end needs none. */
function setSticksToBottom(end) {
  if (end !== sticksToBottom) scroller.classList.toggle("sticks-to-bottom", end);
  sticksToBottom = end;
}

function startSticking() {
  setSticksToBottom(true);
  if (!newTextButton.hidden) newTextButton.hidden = true; // said again, it would cost a layout in every frame
}

function savePosition() {
  lastTop = scroller.scrollTop;
  lastHeight = scroller.scrollHeight;
}

function isAtBottom() {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < BOTTOM_MARGIN_PX;
}

function createNewTextButton() {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button secondary new-text";
  button.textContent = "New text";
  button.hidden = true;
  button.addEventListener("click", scrollToBottom);
  return button;
}
