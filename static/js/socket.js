// One socket a tab: docs/protocol.md, with the coming back. Recovery is the ordinary path: the
// first connection and the hundredth follow everything unfinished from where it stands.

import { ask } from "./server.js";

const SIGNED_OUT = 4401;
const NEW_KEY = 1500; // milliseconds in which it is here
const FIRST_WAIT = 300; // milliseconds before the first attempt to come back
const LONGEST_WAIT = 10_000;
const QUIET = 25_000; // without a frame: ask whether anybody is there
const ANSWER = 3000; // without one, the line is dead, whatever it says of itself
const CONNECTING = 15_000; // an attempt that takes longer is given up
const DOUBTFUL = 8000; // an attempt that takes longer may be one of those that never end
const IN_VAIN = 3; // attempts in a row without a greeting, after which sockets may not get through
const SELDOM = 30_000; // the longest wait where they don't

/**
 * Events: `status` (detail: "connected", "reconnecting", "polling" where pages answer and sockets
 * don't get through, "offline", "signed-out" or "someone-else"), `greeted` on every new socket,
 * `revision` (detail: the number of the owner's latest change), and `in-vain`, whenever it is time
 * to try whether pages answer.
 */
class Connection extends EventTarget {
  status = "";
  /** @type {Map<string, {last: number, receive: (frame: object) => void}>} */
  followers = new Map();
  #socket = null;
  #heard = 0;
  #attempts = 0;
  #retry = 0;
  #leastWait = 0;
  #stopped = false;
  #greeting = false; // is there one on this socket?
  #inVain = 0; // attempts without one since the last
  #polling = false;

  start() {
    setInterval(() => this.#check(), 5000);
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.#probe());
    addEventListener("pageshow", () => this.#wake());
    // An open socket keeps a page out of the back/forward cache; a kept page comes back anyway.
    addEventListener("pagehide", () => this.#drop());
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
    this.#connect();
  }

  follow(stream, follower) {
    this.followers.set(stream, follower);
    this.refollow(stream);
  }

  /** Ask for everything after what the follower holds, now or on the next connection. */
  refollow(stream) {
    this.#send({ type: "follow", stream, after: this.followers.get(stream).last });
  }

  unfollow(stream) {
    if (this.followers.delete(stream)) this.#send({ type: "unfollow", stream });
  }

  /** Say whether pages answer, while no socket does. */
  pagesAnswer(answer) {
    if (this.#greeting || this.#stopped) return;
    this.#polling = answer;
    this.#become(this.#lost);
  }

  /** The session is over, or by now somebody else's. */
  end(status = "signed-out") {
    this.#stopped = true;
    this.#drop();
    this.#become(status);
  }

  #connect() {
    clearTimeout(this.#retry);
    if (this.#socket || this.#stopped) return;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/`);
    this.#socket = socket;
    this.#heard = Date.now();
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.#socket && this.#closed(code);
  }

  #receive(frame) {
    this.#heard = Date.now();
    if (frame.type === "hello") this.#greeted();
    if (frame.type === "ping") this.#send({ type: "pong", n: frame.n });
    if (frame.type === "bye") this.#leastWait = frame.retry_ms;
    if (frame.revision !== undefined) this.#tell("revision", frame.revision);
    this.followers.get(frame.stream)?.receive(frame);
  }

  #greeted() {
    this.#attempts = this.#leastWait = this.#inVain = 0;
    this.#greeting = true;
    this.#polling = false;
    for (const stream of this.followers.keys()) this.refollow(stream);
    this.#become("connected");
    this.#tell("greeted");
  }

  #closed(code) {
    this.#socket = null;
    this.#greeting = false;
    if (code === SIGNED_OUT) this.#doubtSession();
    else if (code >= 4400 && code < 4500) this.end();
    else this.#comeBackLater();
  }

  /** The key of a session changes, too, when its owner gives the password in another tab, which is
   *  told the new one a moment later. */
  #doubtSession() {
    this.#retry = setTimeout(async () => {
      const response = await ask("/sidebar/");
      if (response?.status === 401) this.end();
      else if (!this.#stopped && !this.#socket) this.#comeBackLater();
    }, NEW_KEY);
  }

  #comeBackLater() {
    const wait = Math.min(FIRST_WAIT * 1.7 ** this.#attempts, this.#polling ? SELDOM : LONGEST_WAIT);
    this.#attempts += 1;
    this.#inVain += 1;
    this.#retry = setTimeout(() => this.#connect(), this.#leastWait + wait * (0.5 + Math.random() / 2));
    this.#become(this.#lost);
    if (this.#inVain >= IN_VAIN) this.#tell("in-vain");
  }

  /** A machine without a network still reaches itself: only a lost socket makes it offline. */
  get #lost() {
    if (!navigator.onLine) return "offline";
    return this.#polling ? "polling" : "reconnecting";
  }

  /** The network or the reader is back: come back at once, and doubt a line that was asleep. */
  #wake() {
    this.#attempts = 0;
    this.#probe();
    this.#connect();
  }

  #check() {
    const silence = Date.now() - this.#heard;
    const opening = this.#socket?.readyState === WebSocket.CONNECTING;
    if (this.#socket && !this.#greeting && silence > DOUBTFUL) this.#tell("in-vain");
    if (opening && silence > CONNECTING) this.#lose();
    else if (silence > QUIET) this.#probe();
  }

  #probe() {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const asked = Date.now();
    this.#send({ type: "ping", n: 0 });
    setTimeout(() => socket === this.#socket && this.#heard < asked && this.#lose(), ANSWER);
  }

  #lose() {
    this.#drop();
    this.#closed(1006);
  }

  #drop() {
    const socket = this.#socket;
    this.#greeting = false;
    this.#socket = null; // its close is not awaited: on a dead line it would take a minute
    clearTimeout(this.#retry);
    socket?.close();
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #become(status) {
    if (status === this.status) return;
    this.status = status;
    this.#tell("status", status);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

export const connection = new Connection();
