// Where pages get through and sockets don't, as behind some proxies: the page asks every few seconds
// for what a socket would have told it.

import { runningReplies } from "./composer.js";
import { fetchFragment, parseFragment } from "./http.js";
import { connection } from "./socket.js";
import { refreshSidebar } from "./shell.js";

const MIN_WAIT_MS = 2000; // milliseconds between two rounds
const MAX_WAIT_MS = 15_000; // also while nothing runs: then only the list can change
const WAIT_FACTOR = 1.5; // of the wait, for each round that brought nothing new
const MAX_HIDDEN_ROUNDS = 10; // while nobody sees the page

let waitMs = MIN_WAIT_MS;
let timer = 0;
let isPolling = false;
let isProbing = false;
let hiddenRounds = 0;

export function startPolling() {
  connection.addEventListener("socket-failing", probePages);
  connection.addEventListener("status", pollSoon);
  document.addEventListener("reply-changed", ({ target }) => target.isRunning && pollSoon());
  document.addEventListener("visibilitychange", () => document.hidden || pollSoon());
}

/** Sockets come to nothing. Is it only them? */
async function probePages() {
  if (isProbing) return;
  isProbing = true;
  const response = await fetchFragment("/sidebar/");
  isProbing = false;
  if (response?.status === 401) connection.endSession();
  else connection.setPagesReachable(Boolean(response?.ok && parseFragment(response).querySelector(".conversations")));
}

function pollSoon() {
  [waitMs, hiddenRounds] = [MIN_WAIT_MS, 0];
  schedulePoll();
}

function schedulePoll() {
  clearTimeout(timer);
  if (connection.status === "polling" && !isPolling) timer = setTimeout(runPoll, isAnythingRunning() ? waitMs : MAX_WAIT_MS);
}

function isAnythingRunning() {
  return runningReplies().length > 0 || document.querySelector("#sidebar-list [data-state='running']") !== null;
}

async function runPoll() {
  if (document.hidden && ++hiddenRounds > MAX_HIDDEN_ROUNDS) return;
  isPolling = true;
  let isNews = false;
  try {
    for (const reply of runningReplies().filter(({ stream }) => stream)) isNews = (await refreshReply(reply)) || isNews;
    await refreshSidebar();
  } finally {
    isPolling = false;
    waitMs = isNews ? MIN_WAIT_MS : Math.min(waitMs * WAIT_FACTOR, MAX_WAIT_MS);
    schedulePoll();
  }
}

/** Show what there is of a reply now. */
async function refreshReply(reply) {
  const { last } = reply;
  const response = await fetchFragment(`/m/${reply.dataset.message}/`);
  if (response?.status === 401) connection.endSession();
  if (response?.status === 404) reply.markDeleted();
  const made = response?.ok && parseFragment(response).querySelector("article");
  if (made) reply.applyArticle(made);
  return reply.last > last || !reply.isRunning;
}
