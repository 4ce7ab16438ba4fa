// One socket for each tab, see docs/protocol.md. The first connection and the hundredth do the
// same: they follow every unfinished reply from its last index.

import { fetchFragment } from "../http.js";

const CLOSE_SIGNED_OUT = 4401;
const SESSION_CHECK_DELAY_MS = 1500; // until then a new session cookie has arrived
const MIN_RETRY_MS = 300; // before the first attempt to reconnect
const MAX_RETRY_MS = 10_000;
const PING_AFTER_MS = 25_000; // without a frame
const PONG_TIMEOUT_MS = 3000; // then the connection is dead, even if the browser calls it open
const CONNECT_TIMEOUT_MS = 15_000;
const SLOW_CONNECT_MS = 8000; // a longer attempt may never end
const MAX_FAILED_ATTEMPTS = 3; // in a row; then sockets may not get through at all
const MAX_POLLING_RETRY_MS = 30_000; // while the page polls instead

/**
 * Events: `status` (detail: "connected", "reconnecting", "polling" where pages work and sockets
 * don't, "offline", "signed-out" or "account-mismatch"), `hello` on every new socket, `revision`
 * (detail: the number of the owner's latest change), `topic` (detail: the frame) for a change that
 * concerns only its topic, and `socket-failing`, when it is time to check whether pages still work.
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
  #hasHello = false; // on this socket
  #failedAttempts = 0; // without a hello, in a row
  #arePagesReachable = false;

  start() {
    setInterval(() => this.#checkHealth(), 5000);
    addEventListener("online", () => this.#reconnectNow());
    addEventListener("offline", () => this.#sendProbe());
    addEventListener("pageshow", () => this.#reconnectNow());
    // An open socket would keep the page out of the back/forward cache; a cached page reconnects.
    addEventListener("pagehide", () => this.#closeSocket());
    document.addEventListener("visibilitychange", () => document.hidden || this.#reconnectNow());
    this.#openSocket();
  }

  follow(stream, follower) {
    this.followers.set(stream, follower);
    this.refollow(stream);
  }

  /** Request everything after the follower's last index, now or on the next connection. */
  refollow(stream) {
    this.#sendFrame({ type: "follow", stream, after: this.followers.get(stream).last });
  }

  unfollow(stream) {
    if (this.followers.delete(stream)) this.#sendFrame({ type: "unfollow", stream });
  }

  /** @param {boolean} areReachable whether pages work while no socket does */
  setPagesReachable(areReachable) {
    if (this.#hasHello || this.#isEnded) return;
    this.#arePagesReachable = areReachable;
    this.#setStatus(this.#lostStatus);
  }

  /** The session has ended, or belongs to another account now. */
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
    if (frame.topic) this.#emit("topic", frame);
    else if (frame.revision !== undefined) this.#emit("revision", frame.revision);
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

  /** The session's key also changes when its owner enters the password in another tab. The new
   *  cookie arrives a moment later. */
  #checkSession() {
    this.#retryTimer = setTimeout(async () => {
      const response = await fetchFragment("/sidebar/");
      if (response?.status === 401) this.endSession();
      else if (!this.#isEnded && !this.#socket) this.#scheduleReconnect();
    }, SESSION_CHECK_DELAY_MS);
  }

  #scheduleReconnect() {
    const wait = Math.min(
      MIN_RETRY_MS * 1.7 ** this.#attempts,
      this.#arePagesReachable ? MAX_POLLING_RETRY_MS : MAX_RETRY_MS,
    );
    this.#attempts += 1;
    this.#failedAttempts += 1;
    this.#retryTimer = setTimeout(
      () => this.#openSocket(),
      this.#minRetryMs + wait * (0.5 + Math.random() / 2),
    );
    this.#setStatus(this.#lostStatus);
    if (this.#failedAttempts >= MAX_FAILED_ATTEMPTS) this.#emit("socket-failing");
  }

  /** Without a network a machine still reaches localhost, so only a lost socket means offline. */
  get #lostStatus() {
    if (!navigator.onLine) return "offline";
    return this.#arePagesReachable ? "polling" : "reconnecting";
  }

  /** When the network or the reader is back: reconnect at once, and probe an idle connection. */
  #reconnectNow() {
    this.#attempts = 0;
    this.#sendProbe();
    this.#openSocket();
  }

  #checkHealth() {
    const silence = Date.now() - this.#lastFrameAt;
    const isOpening = this.#socket?.readyState === WebSocket.CONNECTING;
    if (this.#socket && !this.#hasHello && silence > SLOW_CONNECT_MS) this.#emit("socket-failing");
    if (isOpening && silence > CONNECT_TIMEOUT_MS) this.#abandonSocket();
    else if (silence > PING_AFTER_MS) this.#sendProbe();
  }

  #sendProbe() {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const sentAt = Date.now();
    this.#sendFrame({ type: "ping", n: 0 });
    setTimeout(
      () => socket === this.#socket && this.#lastFrameAt < sentAt && this.#abandonSocket(),
      PONG_TIMEOUT_MS,
    );
  }

  #abandonSocket() {
    this.#closeSocket();
    this.#onClose(1006);
  }

  #closeSocket() {
    const socket = this.#socket;
    this.#hasHello = false;
    this.#socket = null; // on a dead connection, its close event may take a minute
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
