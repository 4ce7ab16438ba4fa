// One socket a tab: docs/protocol.md, with the coming back. Recovery is the ordinary path: the
// first connection and the hundredth follow everything unfinished from where it stands.

import { fetchFragment } from "./http.js";

const CLOSE_SIGNED_OUT = 4401;
const SESSION_CHECK_DELAY_MS = 1500; // milliseconds in which it is here
const MIN_RETRY_MS = 300; // milliseconds before the first attempt to come back
const MAX_RETRY_MS = 10_000;
const PING_AFTER_MS = 25_000; // without a frame: ask whether anybody is there
const PONG_TIMEOUT_MS = 3000; // without one, the line is dead, whatever it says of itself
const CONNECT_TIMEOUT_MS = 15_000; // an attempt that takes longer is given up
const SLOW_CONNECT_MS = 8000; // an attempt that takes longer may be one of those that never end
const MAX_FAILED_ATTEMPTS = 3; // attempts in a row without a greeting, after which sockets may not get through
const MAX_POLLING_RETRY_MS = 30_000; // the longest wait where they don't

/**
 * Events: `status` (detail: "connected", "reconnecting", "polling" where pages answer and sockets
 * don't get through, "offline", "signed-out" or "account-mismatch"), `hello` on every new socket,
 * `revision` (detail: the number of the owner's latest change), and `socket-failing`, whenever it is time
 * to try whether pages answer.
 */
class Connection extends EventTarget {
  status = "";
  /** @type {Map<string, {last: number, receive: (frame: object) => void}>} */
  followers = new Map();
  #socket = null;
  #lastFrameAt = 0;
  #attempts = 0;
  #retryTimer = 0;
  #minRetryMs = 0;
  #isEnded = false;
  #hasHello = false; // is there one on this socket?
  #failedAttempts = 0; // attempts without one since the last
  #arePagesReachable = false;

  start() {
    setInterval(() => this.#checkHealth(), 5000);
    addEventListener("online", () => this.#reconnectNow());
    addEventListener("offline", () => this.#sendProbe());
    addEventListener("pageshow", () => this.#reconnectNow());
    // An open socket keeps a page out of the back/forward cache; a kept page comes back anyway.
    addEventListener("pagehide", () => this.#closeSocket());
    document.addEventListener("visibilitychange", () => document.hidden || this.#reconnectNow());
    this.#openSocket();
  }

  follow(stream, follower) {
    this.followers.set(stream, follower);
    this.refollow(stream);
  }

  /** Ask for everything after what the follower holds, now or on the next connection. */
  refollow(stream) {
    this.#sendFrame({ type: "follow", stream, after: this.followers.get(stream).last });
  }

  unfollow(stream) {
    if (this.followers.delete(stream)) this.#sendFrame({ type: "unfollow", stream });
  }

  /** Say whether pages answer, while no socket does. */
  setPagesReachable(answer) {
    if (this.#hasHello || this.#isEnded) return;
    this.#arePagesReachable = answer;
    this.#setStatus(this.#lostStatus);
  }

  /** The session is over, or by now somebody else's. */
  endSession(status = "signed-out") {
    this.#isEnded = true;
    this.#closeSocket();
    this.#setStatus(status);
  }

  #openSocket() {
    clearTimeout(this.#retryTimer);
    if (this.#socket || this.#isEnded) return;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/`);
    this.#socket = socket;
    this.#lastFrameAt = Date.now();
    socket.onmessage = ({ data }) => this.#onFrame(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.#socket && this.#onClose(code);
  }

  #onFrame(frame) {
    this.#lastFrameAt = Date.now();
    if (frame.type === "hello") this.#onHello();
    if (frame.type === "ping") this.#sendFrame({ type: "pong", n: frame.n });
    if (frame.type === "bye") this.#minRetryMs = frame.retry_ms;
    if (frame.revision !== undefined) this.#emit("revision", frame.revision);
    this.followers.get(frame.stream)?.receive(frame);
  }

  #onHello() {
    this.#attempts = this.#minRetryMs = this.#failedAttempts = 0;
    this.#hasHello = true;
    this.#arePagesReachable = false;
    for (const stream of this.followers.keys()) this.refollow(stream);
    this.#setStatus("connected");
    this.#emit("hello");
  }

  #onClose(code) {
    this.#socket = null;
    this.#hasHello = false;
    if (code === CLOSE_SIGNED_OUT) this.#checkSession();
    else if (code >= 4400 && code < 4500) this.endSession();
    else this.#scheduleReconnect();
  }

  /** The key of a session changes, too, when its owner gives the password in another tab, which is
   *  told the new one a moment later. */
  #checkSession() {
    this.#retryTimer = setTimeout(async () => {
      const response = await fetchFragment("/sidebar/");
      if (response?.status === 401) this.endSession();
      else if (!this.#isEnded && !this.#socket) this.#scheduleReconnect();
    }, SESSION_CHECK_DELAY_MS);
  }

  #scheduleReconnect() {
    const wait = Math.min(MIN_RETRY_MS * 1.7 ** this.#attempts, this.#arePagesReachable ? MAX_POLLING_RETRY_MS : MAX_RETRY_MS);
    this.#attempts += 1;
    this.#failedAttempts += 1;
    this.#retryTimer = setTimeout(() => this.#openSocket(), this.#minRetryMs + wait * (0.5 + Math.random() / 2));
    this.#setStatus(this.#lostStatus);
    if (this.#failedAttempts >= MAX_FAILED_ATTEMPTS) this.#emit("socket-failing");
  }

  /** A machine without a network still reaches itself: only a lost socket makes it offline. */
  get #lostStatus() {
    if (!navigator.onLine) return "offline";
    return this.#arePagesReachable ? "polling" : "reconnecting";
  }

  /** The network or the reader is back: come back at once, and doubt a line that was asleep. */
  #reconnectNow() {
    this.#attempts = 0;
    this.#sendProbe();
    this.#openSocket();
  }

  #checkHealth() {
    const silence = Date.now() - this.#lastFrameAt;
    const opening = this.#socket?.readyState === WebSocket.CONNECTING;
    if (this.#socket && !this.#hasHello && silence > SLOW_CONNECT_MS) this.#emit("socket-failing");
    if (opening && silence > CONNECT_TIMEOUT_MS) this.#abandonSocket();
    else if (silence > PING_AFTER_MS) this.#sendProbe();
  }

  #sendProbe() {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const asked = Date.now();
    this.#sendFrame({ type: "ping", n: 0 });
    setTimeout(() => socket === this.#socket && this.#lastFrameAt < asked && this.#abandonSocket(), PONG_TIMEOUT_MS);
  }

  #abandonSocket() {
    this.#closeSocket();
    this.#onClose(1006);
  }

  #closeSocket() {
    const socket = this.#socket;
    this.#hasHello = false;
    this.#socket = null; // its close is not awaited: on a dead line it would take a minute
    clearTimeout(this.#retryTimer);
    socket?.close();
  }

  #sendFrame(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #setStatus(status) {
    if (status === this.status) return;
    this.status = status;
    this.#emit("status", status);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

export const connection = new Connection();
