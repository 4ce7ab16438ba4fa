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
const SLOW_HELLO_MS = 4000; // a longer attempt may never end
const STABLE_MS = 12_000; // a socket that lives for so long works, and a ping has come through it
const MAX_FAILURES = 3; // in a row; then sockets may not get through at all, or not for long
const MAX_FALLBACK_RETRY_MS = 120_000; // while the text comes over HTTP

/**
 * Events: `status` (detail: "connected", "reconnecting", "events" or "polling" where text comes over
 * HTTP, "offline", "signed-out" or "account-mismatch"), `hello` on every new connection, `revision`
 * (detail: the number of the owner's latest change), `topic` (detail: the frame) for a change that
 * concerns only its topic, `socket-failing`, when it is time to try HTTP, `socket-stable`, when a socket
 * has proved to work, and `follow`, when a stream is to be followed and no socket does.
 */
class Connection extends EventTarget {
  status = "";
  isFailing = false; // the code that tries HTTP is loaded late, and may miss the event
  /** @type {Map<string, {last: number, receive: (frame: object) => void}>} */
  followers = new Map();
  #socket = null;
  #lastFrameAt = 0;
  #attempts = 0;
  #retryTimer = 0;
  #minRetryMs = 0;
  #isEnded = false;
  #hasHello = false; // on this socket
  #failures = 0; // attempts without a hello, and sockets that were not stable, in a row
  #cuts = 0; // of sockets soon after their hello; after many, a hello alone proves nothing
  #isFollowing = false; // over this socket
  #fallback = ""; // how text comes while no socket works
  #stableTimer = 0;
  #helloTimer = 0;

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
    if (this.#isFollowing)
      this.#sendFrame({ type: "follow", stream, after: this.followers.get(stream).last });
    else this.#emit("follow");
  }

  unfollow(stream) {
    if (this.followers.delete(stream)) this.#sendFrame({ type: "unfollow", stream });
  }

  /** @param {"events" | "polling" | ""} mode how text comes while no socket works; "" for not at all */
  setFallback(mode) {
    if (this.#isFollowing || this.#isEnded) return;
    const wasWorking = this.#fallback !== "";
    this.#fallback = mode;
    // A socket that may be cut soon is better than nothing.
    if (!mode && this.#hasHello) this.#takeOver();
    else this.#setStatus(this.#lostStatus);
    if (!mode && wasWorking) this.#reconnectNow();
  }

  /** Sockets failed here before this page was loaded. */
  distrustSockets(wereCut) {
    this.#cuts = wereCut ? MAX_FAILURES : 0;
  }

  get areSocketsCut() {
    return this.#cuts >= MAX_FAILURES;
  }

  /** A new connection over HTTP. Its cookie may belong to another account. */
  announceHello() {
    this.#emit("hello");
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
    clearTimeout(this.#helloTimer);
    this.#helloTimer = setTimeout(() => this.#reportFailure(), SLOW_HELLO_MS);
    this.#lastFrameAt = Date.now();
    socket.onmessage = ({ data }) => this.#onFrame(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.#socket && this.#onClose(code);
  }

  #onFrame(frame) {
    this.#lastFrameAt = Date.now();
    if (frame.type === "hello") this.#onHello();
    if (frame.type === "ping") this.#sendFrame({ type: "pong", n: frame.n });
    if (frame.type === "bye") this.#minRetryMs = frame.retry_ms;
    this.receive(frame);
  }

  /** @param {object} frame of a socket or of an event stream */
  receive(frame) {
    if (frame.topic) this.#emit("topic", frame);
    else if (frame.revision !== undefined) this.#emit("revision", frame.revision);
    this.followers.get(frame.stream)?.receive(frame);
  }

  #onHello() {
    clearTimeout(this.#helloTimer);
    this.#hasHello = true;
    this.#stableTimer = setTimeout(() => this.#onStable(), STABLE_MS);
    if (this.areSocketsCut) this.#reportFailure();
    else this.#takeOver();
  }

  #reportFailure() {
    this.isFailing = true;
    this.#emit("socket-failing");
  }

  /** Follow everything over this socket. */
  #takeOver() {
    this.#attempts = this.#minRetryMs = 0;
    this.#fallback = "";
    this.#isFollowing = true;
    this.isFailing = false;
    this.#setStatus("connected"); // this ends what reads over HTTP
    for (const stream of this.followers.keys()) this.refollow(stream);
    this.#emit("hello");
  }

  #onStable() {
    this.#cuts = this.#failures = 0;
    if (!this.#isFollowing) this.#takeOver();
    this.#emit("socket-stable");
  }

  #onClose(code) {
    if (this.#hasHello && code < 4000) this.#cuts += 1;
    else if (this.#hasHello) this.#failures = 0; // the server itself closed it
    this.#forgetSocket();
    if (code === CLOSE_SIGNED_OUT) this.checkSession();
    else if (code >= 4400 && code < 4500) this.endSession();
    else this.#scheduleReconnect();
  }

  /** The session's key also changes when its owner enters the password in another tab. The new
   *  cookie arrives a moment later. */
  checkSession() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(async () => {
      const response = await fetchFragment("/sidebar/");
      if (response?.status === 401) this.endSession();
      else if (!this.#isEnded && !this.#socket) this.#scheduleReconnect();
    }, SESSION_CHECK_DELAY_MS);
  }

  #scheduleReconnect() {
    const wait = Math.min(
      MIN_RETRY_MS * 1.7 ** this.#attempts,
      this.#fallback ? MAX_FALLBACK_RETRY_MS : MAX_RETRY_MS,
    );
    this.#attempts += 1;
    this.#failures += 1;
    this.#retryTimer = setTimeout(
      () => this.#openSocket(),
      this.#minRetryMs + wait * (0.5 + Math.random() / 2),
    );
    this.#setStatus(this.#lostStatus);
    if (this.#failures >= MAX_FAILURES) this.#reportFailure();
  }

  /** Without a network a machine still reaches localhost, so only a lost socket means offline. */
  get #lostStatus() {
    if (!navigator.onLine) return "offline";
    return this.#fallback || "reconnecting";
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

  /** It looks open and is dead. The next one may be as well, so the text is fetched meanwhile. */
  #abandonSocket() {
    const socket = this.#socket;
    this.#failures += MAX_FAILURES;
    this.#onClose(1006); // its own close event may take a minute
    socket.close();
  }

  #closeSocket() {
    const socket = this.#socket;
    this.#forgetSocket();
    clearTimeout(this.#retryTimer);
    socket?.close();
  }

  #forgetSocket() {
    this.#socket = null;
    this.#hasHello = this.#isFollowing = false;
    clearTimeout(this.#stableTimer);
    clearTimeout(this.#helloTimer);
  }

  #sendFrame(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #setStatus(status) {
    if (status === this.status) return;
    if (status === "offline") this.#fallback = "";
    this.status = status;
    this.#emit("status", status);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

export const connection = new Connection();
