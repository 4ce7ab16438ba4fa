// Where pages get through and sockets don't, as behind some proxies: the page asks every few seconds
// for what a socket would have told it.

import { running } from "./composer.js";
import { ask, fragmentOf } from "./server.js";
import { connection } from "./socket.js";
import { fetchSidebar } from "./ui.js";

const SHORTEST_WAIT = 2000; // milliseconds between two rounds
const LONGEST_WAIT = 15_000; // also while nothing runs: then only the list can change
const GROWTH = 1.5; // of the wait, for each round that brought nothing new
const MAX_HIDDEN_ROUNDS = 10; // while nobody sees the page

let wait = SHORTEST_WAIT;
let timer = 0;
let asking = false;
let doubting = false;
let hiddenRounds = 0;

export function startPolling() {
  connection.addEventListener("in-vain", tryPages);
  connection.addEventListener("status", soon);
  document.addEventListener("reply", ({ target }) => target.running && soon());
  document.addEventListener("visibilitychange", () => document.hidden || soon());
}

/** Sockets come to nothing. Is it only them? */
async function tryPages() {
  if (doubting) return;
  doubting = true;
  const response = await ask("/sidebar/");
  doubting = false;
  if (response?.status === 401) connection.end();
  else connection.pagesAnswer(Boolean(response?.ok && fragmentOf(response).querySelector(".conversations")));
}

function soon() {
  [wait, hiddenRounds] = [SHORTEST_WAIT, 0];
  plan();
}

function plan() {
  clearTimeout(timer);
  if (connection.status === "polling" && !asking) timer = setTimeout(round, somethingRuns() ? wait : LONGEST_WAIT);
}

function somethingRuns() {
  return running().length > 0 || document.querySelector("#sidebar [data-state='running']") !== null;
}

async function round() {
  if (document.hidden && ++hiddenRounds > MAX_HIDDEN_ROUNDS) return;
  asking = true;
  let isNews = false;
  try {
    for (const reply of running().filter(({ stream }) => stream)) isNews = (await isGrowing(reply)) || isNews;
    await fetchSidebar();
  } finally {
    asking = false;
    wait = isNews ? SHORTEST_WAIT : Math.min(wait * GROWTH, LONGEST_WAIT);
    plan();
  }
}

/** Show what there is of a reply now. */
async function isGrowing(reply) {
  const { last } = reply;
  const response = await ask(`/m/${reply.dataset.message}/`);
  if (response?.status === 401) connection.end();
  if (response?.status === 404) reply.gone();
  const made = response?.ok && fragmentOf(response).querySelector("article");
  if (made) reply.catchUp(made);
  return reply.last > last || !reply.running;
}
