// Where pages work and sockets don't, as behind some proxies, the page asks every few seconds for
// what a socket would have sent.

import { fetchFragment, parseArticle, parseFragment } from "../http.js";
import { refreshSidebar } from "../sidebar/sidebar.js";
import { runningReplies } from "./live-reply.js";
import { connection } from "./socket.js";

const MIN_WAIT_MS = 2000; // between two polls
const MAX_WAIT_MS = 15_000; // also while no reply runs, when only the sidebar can change
const WAIT_FACTOR = 1.5; // after each poll without anything new
const MAX_HIDDEN_POLLS = 10; // while the page is hidden

let waitMs = MIN_WAIT_MS;
let timer = 0;
let isPolling = false;
let isProbing = false;
let hiddenPolls = 0;

export function startPolling() {
  connection.addEventListener("socket-failing", probePages);
  connection.addEventListener("status", pollSoon);
  document.addEventListener("reply-changed", ({ target }) => target.isRunning && pollSoon());
  document.addEventListener("visibilitychange", () => document.hidden || pollSoon());
}

/** Sockets fail. Do pages work? */
async function probePages() {
  if (isProbing) return;
  isProbing = true;
  const response = await fetchFragment("/sidebar/");
  isProbing = false;
  if (response?.status === 401) connection.endSession();
  else
    connection.setPagesReachable(
      Boolean(response?.ok && parseFragment(response).querySelector(".conversations")),
    );
}

function pollSoon() {
  [waitMs, hiddenPolls] = [MIN_WAIT_MS, 0];
  schedulePoll();
}

function schedulePoll() {
  clearTimeout(timer);
  if (connection.status === "polling" && !isPolling)
    timer = setTimeout(runPoll, isAnythingRunning() ? waitMs : MAX_WAIT_MS);
}

function isAnythingRunning() {
  return (
    runningReplies().length > 0 ||
    document.querySelector("#sidebar-list [data-state='running']") !== null
  );
}

async function runPoll() {
  if (document.hidden && ++hiddenPolls > MAX_HIDDEN_POLLS) return;
  isPolling = true;
  let isNews = false;
  try {
    for (const reply of runningReplies().filter(({ stream }) => stream))
      isNews = (await refreshReply(reply)) || isNews;
    await refreshSidebar();
  } finally {
    isPolling = false;
    waitMs = isNews ? MIN_WAIT_MS : Math.min(waitMs * WAIT_FACTOR, MAX_WAIT_MS);
    schedulePoll();
  }
}

/** @returns {Promise<boolean>} whether anything was new */
async function refreshReply(reply) {
  const { last } = reply;
  const response = await fetchFragment(`/m/${reply.dataset.message}/`);
  if (response?.status === 401) connection.endSession();
  if (response?.status === 404) reply.markDeleted();
  const article = parseArticle(response);
  if (article) reply.applyArticle(article);
  return reply.last > last || !reply.isRunning;
}
