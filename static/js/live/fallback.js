// Where pages work and sockets don't, as behind some proxies, the page reads an event stream: one
// response for all it follows. Where even that is held back, it makes a request every few seconds
// for the same events. It remembers that, so that a reload loses no time.

import { readValue, writeValue } from "../storage.js";
import { readEvents } from "./event-reader.js";
import { connection } from "./socket.js";

const FIRST_BYTE_MS = 3000; // a response without a byte for so long is held back
const SILENCE_MS = 7000; // the server sends a comment every three seconds
const SHORT_STREAM_MS = 3000;
const LONG_STREAM_MS = 30_000; // one that falls silent later was lost, as during the sleep of a laptop
const MAX_SHORT_STREAMS = 3; // in a row; then something cuts event streams
const FULL_SIZE = 100_000; // characters; the server ends a response of 512 KB itself
const WATCH_MS = 500;
const SESSION_RETRY_MS = 3000;
const REOPEN_MS = 300;
const FOLLOW_DELAY_MS = 50; // replies of one page follow at the same time
const POLL_MS = 2500; // a draft of another device, saved after a second, may take five in all
const IDLE_HIDDEN_POLL_MS = 15_000;
const POLL_TIMEOUT_MS = 15_000;
const ACCOUNT_CHECK_MS = 60_000; // two accounts may have the same revision
const MIN_TRIAL_MS = 60_000; // before an event stream is tried again, doubled each time
const SLOT_RETRY_MS = 5000; // until then another tab may have closed, or given up its stream
const HIDDEN_MS = 5000; // a hidden page then gives up its stream, and opens none
const MAX_HIDDEN_POLLS = 20;
const MAX_STREAMS = 3; // of a browser, which opens six connections to a host; pages need some
const MAX_FOLLOWS = 100;
const MEMORY_KEY = "fallback"; // in localStorage: how this browser got its text last

const STREAMS_URL = "/api/streams/events";

let isActive = false;
let mode = ""; // "events" or "polling", once one of them works
let isStreamHeld = false; // or cut, or refused
let stream = null; // the AbortController of the open response
let reading = null; // a promise while it holds a slot
let poll = null; // that of the request on its way
let openTimer = 0;
let pollTimer = 0;
let hiddenTimer = 0;
let accountCheckedAt = 0;
let trialMs = MIN_TRIAL_MS;
let shortStreams = 0;
let hiddenPolls = 0;

export function startFallback() {
  connection.addEventListener("socket-failing", activate);
  connection.addEventListener("follow", readSoon);
  connection.addEventListener("status", ({ detail }) => onStatus(detail));
  connection.addEventListener("socket-stable", () => writeValue(MEMORY_KEY, null));
  document.addEventListener("visibilitychange", onVisibilityChange);
  addEventListener("pagehide", deactivate); // an open response would keep the page out of the cache
  addEventListener("pageshow", ({ persisted }) => persisted && activateFromMemory());
  activateFromMemory();
  if (connection.isFailing) activate();
}

function activateFromMemory() {
  const memory = readValue(MEMORY_KEY);
  if (!memory) return;
  connection.distrustSockets(memory.wasCut);
  activate();
}

function activate() {
  if (isActive || !navigator.onLine) return;
  isActive = true;
  [trialMs, shortStreams, hiddenPolls, accountCheckedAt] = [MIN_TRIAL_MS, 0, 0, 0];
  isStreamHeld = readValue(MEMORY_KEY)?.mode === "polling";
  if (isStreamHeld) scheduleTrial();
  readSoon();
}

/** A socket works, or nothing does. */
function deactivate() {
  isActive = false;
  mode = "";
  for (const timer of [openTimer, pollTimer, hiddenTimer]) clearTimeout(timer);
  stream?.abort();
  poll?.abort();
  stream = poll = null;
}

function onStatus(status) {
  if (!["reconnecting", mode].includes(status)) deactivate();
}

/** Pages answer, so this is the network's doing and no outage. */
function setMode(newMode) {
  mode = newMode;
  writeValue(MEMORY_KEY, {
    mode: isStreamHeld ? "polling" : "events",
    wasCut: connection.areSocketsCut,
  });
  connection.setFallback(mode);
}

/** The page follows another stream, or is visible again. */
function readSoon() {
  if (!isActive) return;
  if (isStreamHeld || mode === "polling") schedulePoll(FOLLOW_DELAY_MS);
  else scheduleStream(FOLLOW_DELAY_MS);
}

function buildAddress(...fields) {
  const follows = [...connection.followers]
    .slice(0, MAX_FOLLOWS)
    .map(([uuid, { last }]) => `follow=${uuid}:${last}`);
  return `${STREAMS_URL}?${[...follows, ...fields].join("&")}`;
}

/** Nothing gets through. The next socket that fails activates this again. */
function giveUp() {
  deactivate();
  connection.setFallback("");
}

/** The session may have a new cookie in a moment. If not, the connection ends all of this. */
function checkSession(schedule) {
  connection.checkSession();
  schedule(SESSION_RETRY_MS);
}

// The event stream

function scheduleStream(delay) {
  clearTimeout(openTimer);
  openTimer = setTimeout(openStream, delay);
}

/** Try an event stream again, while polls go on. */
function scheduleTrial() {
  scheduleStream(trialMs);
  trialMs *= 2;
}

async function openStream() {
  stream?.abort();
  const own = new AbortController();
  stream = own;
  await reading; // the stream before it gives its slot back
  if (stream !== own) return;
  reading = document.hidden ? false : withStreamSlot(() => stream === own && readStream(own));
  const hasSlot = await reading;
  if (hasSlot || stream !== own) return;
  stream = null;
  scheduleStream(isStreamHeld ? trialMs : SLOT_RETRY_MS);
  if (mode !== "polling") runPoll();
}

/** Runs only if fewer than MAX_STREAMS tabs of this browser read a stream. Browsers have locks only
 *  over https and on localhost; elsewhere nobody counts the tabs, so each of them polls. */
async function withStreamSlot(read) {
  if (!navigator.locks) return false;
  for (let slot = 0; slot < MAX_STREAMS; slot++) {
    const isFree = await navigator.locks
      .request(`event-stream-${slot}`, { ifAvailable: true }, async (lock) => {
        if (lock) await read();
        return lock !== null;
      })
      .catch(() => false); // a browser may refuse locks
    if (isFree) return true;
  }
  return false;
}

async function readStream(own) {
  const openedAt = Date.now();
  let [lastByteAt, size, hasHello, retryMs] = [0, 0, false, REOPEN_MS];
  const watch = setInterval(() => {
    const limit = lastByteAt ? lastByteAt + SILENCE_MS : openedAt + FIRST_BYTE_MS;
    if (Date.now() > limit) own.abort();
  }, WATCH_MS);
  const status = await readEvents(buildAddress(), {
    signal: own.signal,
    onText: (count) => {
      lastByteAt = Date.now();
      size += count;
    },
    onFrame: (frame) => {
      if (frame.type === "hello") {
        hasHello = true;
        useStream();
      }
      if (frame.type === "bye") retryMs = frame.retry_ms;
      connection.receive(frame);
    },
  });
  clearInterval(watch);
  if (stream !== own) return;
  stream = null;
  const lifeMs = Date.now() - openedAt;
  shortStreams = lifeMs < SHORT_STREAM_MS && size < FULL_SIZE ? shortStreams + 1 : 0;
  const isHeld = own.signal.aborted && lifeMs < LONG_STREAM_MS;
  if (status === 401) checkSession(scheduleStream);
  else if (isHeld || !hasHello || shortStreams >= MAX_SHORT_STREAMS) onStreamFailed();
  else scheduleStream(retryMs); // a response may end at any time, and the next one continues
}

/** The first frame came. In a trial, polls went on until now. */
function useStream() {
  clearTimeout(pollTimer);
  poll?.abort();
  poll = null;
  isStreamHeld = false;
  trialMs = MIN_TRIAL_MS;
  if (document.hidden) leaveStreamLater(); // the page was visible when it asked
  if (mode === "events") return;
  setMode("events");
  connection.announceHello();
}

function onStreamFailed() {
  isStreamHeld = true;
  shortStreams = 0;
  scheduleTrial();
  if (mode !== "polling") runPoll();
}

// A request every few seconds

function schedulePoll(delay) {
  clearTimeout(pollTimer);
  pollTimer = setTimeout(runPoll, delay);
}

async function runPoll() {
  clearTimeout(pollTimer);
  poll?.abort();
  const own = new AbortController();
  poll = own;
  const timeout = setTimeout(() => own.abort(), POLL_TIMEOUT_MS);
  let [size, hasHello] = [0, false];
  const status = await readEvents(buildAddress("wait=0"), {
    signal: own.signal,
    onText: (count) => (size += count),
    onFrame: (frame) => {
      hasHello ||= frame.type === "hello";
      connection.receive(frame);
    },
  });
  clearTimeout(timeout);
  if (poll !== own) return;
  poll = null;
  if (status === 401) checkSession(schedulePoll);
  else if (!hasHello) giveUp();
  else onPolled(size >= FULL_SIZE);
}

/** The greeting's revision tells whether the list or a draft has changed. */
function onPolled(isFull) {
  if (mode !== "polling") setMode("polling");
  if (Date.now() - accountCheckedAt > ACCOUNT_CHECK_MS) {
    accountCheckedAt = Date.now();
    connection.announceHello();
  }
  if (document.hidden && ++hiddenPolls > MAX_HIDDEN_POLLS) return;
  if (isFull) return schedulePoll(0);
  const isUnseen = document.hidden && !connection.followers.size;
  schedulePoll(isUnseen ? IDLE_HIDDEN_POLL_MS : POLL_MS);
}

// Hidden pages

/** A hidden page leaves its connection to others, and polls for a while. */
function onVisibilityChange() {
  clearTimeout(hiddenTimer);
  if (document.hidden) return leaveStreamLater();
  if (!isActive) return;
  hiddenPolls = 0;
  if (!isStreamHeld && !stream) scheduleStream(0);
  if (mode === "polling") schedulePoll(0); // the stream may be refused, or have no slot
}

function leaveStreamLater() {
  clearTimeout(hiddenTimer);
  hiddenTimer = setTimeout(() => {
    if (mode !== "events") return;
    clearTimeout(openTimer);
    stream?.abort();
    stream = null;
    runPoll();
  }, HIDDEN_MS);
}
