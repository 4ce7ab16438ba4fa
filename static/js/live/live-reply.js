// <live-reply>: a reply that is still being written. It knows its last index and how to append, and
// that a closed socket is never an end. It starts from the server's HTML, so that the first load, a
// reload and a reconnect run the same code.

import { fetchFragment, isAccountMismatch, parseArticle } from "../http.js";
import { gettext } from "../elements.js";
import { MARKS, cutAtSeams, formatReasoningTime, separateReasoning } from "./reasoning.js";
import { ReplyRenderer } from "./reply-renderer.js";
import { connection } from "./socket.js";

const RECHECK_MS = 5000; // before a stream that the socket does not know is asked for again
const RETRY_MS = 500; // before the final article is asked for again; doubled each time
const MAX_RETRIES = 6;
const FOCUSABLE = "a, button, summary";

const WORDS_BY_PROGRESS = {
  text: gettext("Writing"),
  reasoning: gettext("Thinking"),
  none: gettext("Connecting"),
};
const ENDED_WORDS = {
  stopped: gettext("Stopped"),
  interrupted: gettext("Interrupted"),
  failed: gettext("Failed"),
};
const ENDED_SEVERITIES = { interrupted: "waiting", failed: "failed" };

/** The Markdown of an article and the index it belongs to; null if the article is no reply. */
function readSource(article) {
  const script = article?.querySelector("script[type='application/json']");
  return script ? JSON.parse(script.textContent) : null;
}

/** Fires `reply-changed`, which bubbles, when its state changes. */
export class LiveReply extends HTMLElement {
  text = "";
  reasoning = "";
  last = -1;
  #seams = []; // positions in the text
  #renderer = null; // null until the server has accepted the message
  #reasoningSince = 0; // since when it reasons, less the time of before; 0 while it does not
  #reasoningMs = 0; // how long it has reasoned
  #endFrame = null;

  connectedCallback() {
    if (this.stream && !this.#renderer) this.#initialize();
    if (this.isRunning && this.stream) connection.follow(this.stream, this);
    if (!this.stream) this.querySelector(":scope > .prose").classList.add("caret"); // the server has not answered yet
    this.#emitChange();
  }

  #initialize() {
    this.details = this.querySelector(".reasoning");
    this.#reasoningMs = Number(this.details?.dataset.reasoningMs ?? 0);
    const prose = this.querySelector(":scope > .prose");
    this.#renderer = new ReplyRenderer(
      prose,
      this.details,
      () => this.isRunning,
      () => this.#showEnd(),
    );
    this.#resetTo(readSource(this));
  }

  disconnectedCallback() {
    connection.unfollow(this.stream);
    this.#renderer?.cancel();
  }

  get stream() {
    return this.dataset.stream;
  }

  get state() {
    return this.dataset.state;
  }

  get isRunning() {
    return this.isConnected && (this.state === "queued" || this.state === "running");
  }

  get article() {
    return this.closest("article");
  }

  /** @param {object} frame of this stream, see docs/protocol.md */
  receive(frame) {
    if (frame.type === "chunk") this.#appendChunk(frame);
    else if (frame.type === "snapshot") this.#resetTo(frame);
    else if (frame.type === "state") this.#setState(frame.state, frame.note);
    else if (frame.type === "end") this.#onEnd(frame);
    else if (frame.code === "not_found") this.#checkExists();
  }

  #appendChunk({ first, index, kind, delta }) {
    if (index <= this.last) return;
    if (first !== this.last + 1) {
      // A gap; or, after two requests, a chunk that is partly here already.
      connection.refollow(this.stream);
      return;
    }
    this.last = index;
    if (kind === "seam") this.#appendSeam();
    else if (kind === "reasoning") this.#appendReasoning(delta);
    else if (kind === "text") this.#appendText(delta);
    this.#setState("running", this.note);
    this.#renderer.schedule();
  }

  #appendSeam() {
    this.#seams.push(this.text.length);
    this.#renderer.textStream.seam();
  }

  #appendText(delta) {
    if (this.#reasoningSince) this.#endReasoning();
    if (MARKS.test(delta)) return this.#applyMarks(delta);
    this.text += delta;
    this.#renderer.textStream.append(delta);
    return undefined;
  }

  /** Text that was shown becomes reasoning, or the other way round. */
  #applyMarks(delta) {
    const starts = [0, ...this.#seams];
    const pieces = starts.map((start, n) => this.text.slice(start, starts[n + 1]));
    pieces.push(pieces.pop() + delta);
    this.#rebuild(separateReasoning(pieces, this.reasoning));
    if (this.details && this.reasoning && !this.#reasoningMs)
      this.details.querySelector("summary").textContent = gettext("Thought");
  }

  /** Without a socket: show the reply as the server has it now. */
  applyArticle(article) {
    const source = readSource(article);
    if (!this.isRunning || !source) return;
    if (!this.#isSameStream(article, source)) return this.#replaceArticle(article);
    if (source.index < this.last) return; // a socket was faster
    if (source.index > this.last) this.#applySource(source);
    const { dataset, textContent } = article.querySelector(".message-footer .state") ?? {
      dataset: {},
      textContent: "",
    };
    const { state } = article.dataset;
    if (article.querySelector("live-reply"))
      this.#setState(state, dataset.severity === "waiting" ? textContent : "");
    else this.#onEnd({ state, next: this.last + 1, error: null });
  }

  /** A reply that was continued meanwhile has another stream, with indexes of its own. */
  #isSameStream(article, { text, index }) {
    const live = article.querySelector("live-reply");
    return live
      ? live.dataset.stream === this.stream
      : index >= this.last && text.startsWith(this.text);
  }

  #replaceArticle(article) {
    this.dataset.state = article.dataset.state;
    this.#emitChange();
    this.article.replaceWith(article);
  }

  /** Append what is new. If the text is not a longer version of ours, replace all of it. */
  #applySource(source) {
    const { text, reasoning, seams, index } = source;
    const isLonger =
      text.startsWith(this.text) &&
      reasoning.startsWith(this.reasoning) &&
      seams.length === this.#seams.length;
    if (!isLonger) return this.#resetTo(source);
    this.last = index;
    this.#appendReasoning(reasoning.slice(this.reasoning.length));
    if (text.length > this.text.length) this.#appendText(text.slice(this.text.length));
    return this.#renderer.schedule();
  }

  #resetTo({ text, reasoning, index, seams }) {
    this.last = index;
    this.#rebuild(separateReasoning(cutAtSeams(text, seams), reasoning));
  }

  /** Replace the whole text. */
  #rebuild({ pieces, reasoning }) {
    this.#renderer.reset();
    [this.text, this.#seams, this.reasoning] = ["", [], ""];
    pieces.forEach((piece, number) => {
      if (number > 0) this.#appendSeam();
      this.text += piece;
      this.#renderer.textStream.append(piece);
    });
    this.#showReasoning(reasoning);
    if (this.details) this.details.hidden = !reasoning;
    this.#renderer.schedule();
  }

  #appendReasoning(delta) {
    if (delta && this.details && !this.#reasoningSince) {
      this.#reasoningSince = performance.now() - this.#reasoningMs;
      this.details.querySelector("summary").textContent = gettext("Thinking");
    }
    this.#showReasoning(delta);
  }

  #showReasoning(delta) {
    if (!delta || !this.details) return;
    this.reasoning += delta;
    this.#renderer.appendReasoning(delta);
    this.details.hidden = false;
  }

  /** Text follows the reasoning. The server's own measure comes with the final article. */
  #endReasoning() {
    this.#reasoningMs = performance.now() - this.#reasoningSince;
    this.#reasoningSince = 0;
    this.details.querySelector("summary").textContent = formatReasoningTime(this.#reasoningMs);
  }

  /** A note in a frame is English. The server translates it wherever it renders the message. */
  #setState(state, note = "") {
    const progress = this.text ? "text" : this.reasoning ? "reasoning" : "none";
    const words = note || (state === "queued" ? gettext("Queued") : WORDS_BY_PROGRESS[progress]);
    this.note = note;
    if (this.state === state && this.statusText === words) return;
    this.dataset.state = this.article.dataset.state = state;
    this.statusText = words;
    this.setStatusText(words, note || state === "queued" ? "waiting" : "");
    this.#emitChange();
  }

  /** Show words in the state line under the text. */
  setStatusText(words, severity = "") {
    const state = this.article?.querySelector(".message-footer .state");
    if (!state) return;
    state.textContent = words;
    state.dataset.severity = severity;
  }

  #onEnd(frame) {
    if (frame.next > this.last + 1) {
      connection.refollow(this.stream);
      return;
    }
    connection.unfollow(this.stream);
    this.#endFrame = frame;
    this.#renderer.finish();
  }

  /** All of the text is shown. */
  #showEnd() {
    const { state, error } = this.#endFrame;
    this.dataset.state = this.article.dataset.state = state;
    this.article.removeAttribute("aria-busy");
    const words = (state === "failed" && error?.message) || ENDED_WORDS[state] || "";
    this.setStatusText(words, ENDED_SEVERITIES[state]);
    this.#emitChange();
    this.#fetchFinalArticle();
  }

  /** Take the server's footer, and leave the text that is being read. */
  async #fetchFinalArticle(attempt = 0) {
    const response = await fetchFragment(`/m/${this.dataset.message}/`);
    if (response?.status === 404) return this.markDeleted();
    if (!response?.ok) {
      if (attempt < MAX_RETRIES)
        setTimeout(() => this.#fetchFinalArticle(attempt + 1), RETRY_MS * 2 ** attempt);
      return undefined;
    }
    const article = parseArticle(response);
    const source = readSource(article);
    if (!this.isConnected || !source) return undefined;
    const stream = article.querySelector("live-reply")?.dataset.stream ?? this.stream;
    const isContinued = stream !== this.stream; // in another tab, meanwhile
    const hasFooter = article.querySelector(".message-footer"); // during a deployment, an older server's has another name
    if (this.#renderer.isUnrenderable || isContinued || source.text !== this.text || !hasFooter)
      this.article.replaceWith(article);
    else this.#adoptServerFooter(article);
    return undefined;
  }

  #adoptServerFooter(article) {
    const [before, after] = [this.article, article].map((part) =>
      part.querySelector(".message-footer"),
    );
    const focused = [...before.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    before.replaceWith(after);
    after.querySelectorAll(FOCUSABLE)[focused]?.focus(); // a focused Copy button stays focused
    const reasoning = article.querySelector(".reasoning");
    if (!reasoning) return this.details?.remove();
    this.details.querySelector("summary").replaceWith(reasoning.querySelector("summary"));
    if (reasoning.open) this.details.open = true; // there is nothing else to read
    return undefined;
  }

  /** The socket does not know the stream: either the reply was deleted, or the socket belongs to
   *  another account that signed in since. The page can tell. */
  async #checkExists() {
    connection.unfollow(this.stream);
    const response = await fetchFragment(`/m/${this.dataset.message}/`);
    if (response?.status === 404) return this.markDeleted();
    if (!this.isRunning || response?.status === 401 || isAccountMismatch(response))
      return undefined;
    const article = parseArticle(response);
    if (article) this.applyArticle(article);
    if (this.isRunning)
      setTimeout(() => this.isRunning && connection.follow(this.stream, this), RECHECK_MS);
    return undefined;
  }

  markDeleted() {
    connection.unfollow(this.stream);
    this.dataset.state = "deleted";
    this.article?.removeAttribute("aria-busy");
    this.#renderer.removeCaret();
    this.setStatusText(gettext("Deleted"));
    this.#emitChange();
  }

  #emitChange() {
    this.dispatchEvent(new CustomEvent("reply-changed", { bubbles: true }));
  }
}
