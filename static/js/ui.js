// The page around the replies: one status line for eyes and screen readers, and the sidebar.

import { movedTo, openChat, running, seenEnd, standAt } from "./composer.js";
import { reached, read, watchEnd } from "./listing.js";
import { ask, fragmentOf, headers, isSomeoneElse, tellOfSomeoneElse } from "./server.js";
import { connection } from "./socket.js";

const UNNOTICED = 1000; // milliseconds without a connection that nobody needs to hear of
const CAUGHT_UP = 1500; // milliseconds that good news stays
const FINISHED = 4000;
const SIDEBAR = 300; // milliseconds between two fetches of the sidebar

const LOST = {
  reconnecting: "Reconnecting, your text is safe",
  polling: "Live updates don’t get through here. The page checks every few seconds.",
  offline: "Offline, your text is safe",
  "signed-out": "Signed out.",
  "someone-else": "Someone else is signed in. What you wrote is kept.",
};
const FINAL = ["signed-out", "someone-else"]; // the page comes back from them when it is loaded anew
const ENDED = { completed: "Reply finished", stopped: "Reply stopped", failed: "Reply failed", interrupted: "Reply interrupted" };

let status, sidebar;
let lost = ""; // the connection's state, once it is worth telling
let news = ""; // what was good, for a moment
let waiting = 0;
let fading = 0;
let revision = 0; // of what the sidebar shows, or will as soon as it is fetched
let fetching = false;
let again = false;
let greeted = false;

export function startPage() {
  [status, sidebar] = ["status", "sidebar"].map((id) => document.getElementById(id));
  revision = Number(sidebar.dataset.revision);
  connection.addEventListener("status", ({ detail }) => connectionIs(detail));
  connection.addEventListener("revision", ({ detail }) => revisionIs(detail));
  document.addEventListener("reply", ({ target }) => replyIs(target));
  let here = address();
  document.addEventListener("moved", () => {
    here = address();
    fetchSidebar();
  });
  document.addEventListener("delivered", catchUp);
  document.addEventListener("listing-changed", fetchSidebar);
  connection.addEventListener("greeted", askWhose);
  document.addEventListener("someone-else", someoneElse);
  sidebar.addEventListener("htmx:after:request", ({ detail }) => isSomeoneElse(detail.ctx.response.raw) && tellOfSomeoneElse());
  addEventListener("popstate", () => address() === here || location.reload());
}

// The status line

function connectionIs(state) {
  clearTimeout(waiting);
  if (state === "connected") {
    if (lost) tell("Caught up", CAUGHT_UP);
    lost = "";
    show();
  } else {
    const wait = lost || FINAL.includes(state) ? 0 : UNNOTICED;
    waiting = setTimeout(() => {
      lost = state;
      revision = NaN; // what is fetched meanwhile may fail
      show();
    }, wait);
  }
}

function replyIs({ state }) {
  if (ENDED[state]) tell(ENDED[state], FINISHED);
  else show();
}

function tell(words, duration) {
  news = words;
  clearTimeout(fading);
  fading = setTimeout(() => {
    news = "";
    show();
  }, duration);
  show();
}

function show() {
  const words = LOST[lost] || news || (running().length ? "Replying…" : "");
  if (lost) document.body.dataset.connection = lost;
  else delete document.body.dataset.connection;
  if (status.textContent.trim() === words) return;
  const span = Object.assign(document.createElement("span"), { className: "words", textContent: words });
  status.replaceChildren(...(words ? [span] : []));
  if (lost === "signed-out") offerToSignIn();
}

/** Over the page, which stays as it is; what was written is found again on the way back. */
function offerToSignIn() {
  const dialog = document.getElementById("signed-out");
  dialog.querySelector("a").search = `?next=${encodeURIComponent(address())}`;
  if (!dialog.open) dialog.showModal();
}

/** Somebody else has signed in, in another tab. This page sends nothing in their name, and shows
 *  nothing of theirs. It says so once, and again whenever something is refused for it. */
function someoneElse({ detail }) {
  const isNews = connection.status !== "someone-else";
  connection.end("someone-else");
  const dialog = document.getElementById("someone-else");
  if ((isNews || detail.isAct) && !dialog.open) dialog.showModal();
}

/** The cookie a socket came back with may be somebody else's: the answer to the list tells. */
function askWhose() {
  if (greeted) fetchSidebar();
  greeted = true;
}

// The sidebar, made by the server, whenever something changed in any tab or device

function revisionIs(number) {
  if (number === revision) return;
  revision = number;
  fetchSidebar();
}

export async function fetchSidebar() {
  again = fetching;
  if (fetching) return;
  fetching = true;
  const into = { source: sidebar, target: sidebar, swap: "innerMorph", headers: headers() };
  await htmx.ajax("GET", `/sidebar/?open=${openChat()}${await reached()}`, into).catch(() => {});
  watchEnd();
  showTitle();
  read();
  catchUp();
  setTimeout(() => {
    fetching = false;
    if (again) fetchSidebar();
  }, SIDEBAR);
}

/** The open conversation is named above as it is in the list. */
function showTitle() {
  const title = sidebar.querySelector("[aria-current='page']")?.lastChild.textContent.trim();
  if (!title) return;
  document.getElementById("title").textContent = title;
  document.title = `${title} · Holdfast`;
}

/** Somebody wrote from another tab or device: what follows the end of this page is added to it;
 *  where the chat went on elsewhere, the composer says so. */
async function catchUp() {
  const before = seenEnd();
  const told = sidebar.querySelector("[aria-current='page']")?.dataset.leaf;
  if (!told || before === null || told === before) return;
  const response = await ask(`/c/${openChat()}/`);
  if (!response?.ok || seenEnd() === null) return; // a message of its own is on its way: later
  if (seenEnd() !== before) return catchUp();
  const made = fragmentOf(response);
  const articles = [...made.querySelectorAll("article")];
  const end = articles.at(-1)?.id.slice(2);
  if (!end || end === seenEnd()) return; // the list was older than this page
  const last = [...document.querySelectorAll("#messages > article[id]")].at(-1);
  const at = articles.findIndex(({ id }) => id === last?.id);
  if (at < 0) return movedTo(end);
  last.after(...articles.slice(at + 1));
  standAt(end);
}

function address() {
  return location.pathname + location.search;
}
