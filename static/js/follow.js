// Scrolling while text grows: the page follows its end as long as the reader is there, and never
// moves under a reader who is not.

const NEAR = 40; // pixels from the end that count as being there

let following = false;
let lastTop = 0;
let lastHeight = 0;
let pill = null;

const root = document.scrollingElement;

export function followTheEnd() {
  const messages = document.getElementById("messages");
  pill = makePill();
  document.getElementById("dock").prepend(pill);
  follow(atEnd());
  const type = performance.getEntriesByType("navigation")[0]?.type;
  if (type === "navigate" && !location.hash) toTheEnd(); // a reload goes back to where one was
  addEventListener("scroll", scrolled, { passive: true });
  addEventListener("wheel", ({ deltaY }) => deltaY < 0 && leave(), { passive: true });
  // Runs after layout and before paint, for whatever made the page longer.
  new ResizeObserver(grown).observe(messages);
}

/** Be at the end, and stay there. */
export function toTheEnd() {
  arrive();
  root.scrollTop = root.scrollHeight;
  remember();
}

function grown() {
  if (following) toTheEnd();
  else if (root.scrollHeight > lastHeight && !atEnd()) pill.hidden = !document.querySelector("[aria-busy='true']");
  remember();
}

/** Only a reader moves the page up; what we do moves it down, and a shorter page is no move. */
function scrolled() {
  const up = root.scrollTop < lastTop - 1 && root.scrollHeight >= lastHeight;
  if (up && !atEnd()) leave();
  else if (atEnd()) arrive();
  remember();
}

function leave() {
  if (root.scrollHeight > root.clientHeight) follow(false);
}

/** The browser looks for an anchor among all blocks whenever one grows; the end needs none. */
function follow(end) {
  if (end !== following) root.classList.toggle("following", end);
  following = end;
}

function arrive() {
  follow(true);
  if (!pill.hidden) pill.hidden = true; // said again, it would cost a layout in every frame
}

function remember() {
  lastTop = root.scrollTop;
  lastHeight = root.scrollHeight;
}

function atEnd() {
  return root.scrollHeight - root.scrollTop - root.clientHeight < NEAR;
}

function makePill() {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button plain new-text";
  button.textContent = "New text";
  button.hidden = true;
  button.addEventListener("click", toTheEnd);
  return button;
}
