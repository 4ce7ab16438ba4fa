// <live-reply>: a reply that is still being written. It knows its last index, how to append, and
// that a closed socket is never an end. It starts from what the server rendered, so the first
// load, a reload and a reconnect run the same code.

import { MarkdownStream } from "./markdown.js";
import { fetchFragment, parseFragment, isAccountMismatch } from "./http.js";
import { connection } from "./socket.js";
import { enhanceGrowing, enhanceGrown, writeNext, takeHighlightMs, prepareFormula } from "./enhance.js";

const SLOW_FLUSH_MS = 4; // milliseconds; a flush that takes longer is followed by a pause four times as long
const SLICE_MS = 2; // milliseconds of a frame, after which what is not built yet waits for the next one
const HIDDEN_FLUSH_MS = 1000; // milliseconds between flushes where there are no frames
const HIDDEN_SLICE_MS = 50; // milliseconds of one of them
const RECHECK_MS = 5000; // milliseconds until a stream that only its socket doesn't know is asked for again

/** In words, as chat/presentation/durations.py has them too. */
function formatReasoningTime(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 1) return "Thought for a moment";
  return seconds < 60 ? `Thought for ${seconds} s` : `Thought for ${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

const FOCUSABLE = "a, button, summary";
const CONTAINERS = "ul, ol, li, blockquote, pre, .table, table, thead, tbody, tr";

/** The element at whose end the text grows: the last block, or the last one within it. */
function findCaretTarget(prose) {
  let tip = prose.lastElementChild ?? prose;
  while (tip.matches(CONTAINERS) && tip.lastElementChild?.matches(`${CONTAINERS}, p, td, th, code:only-child`)) tip = tip.lastElementChild;
  return tip;
}

/** Italics and code, before the first of them: a font that comes later may break its lines anew. */
function preloadFonts(prose) {
  const style = getComputedStyle(prose);
  const [reading, mono] = [style.fontFamily, style.getPropertyValue("--mono")].map((family) => family.split(",")[0]);
  for (const font of [`italic 1em ${reading}`, `1em ${mono}`]) document.fonts.load(font).catch(() => {});
}

/** What the HTML of an article was made of, and the index it stands at; null where it is no reply. */
function readSource(made) {
  const script = made?.querySelector("script[type='application/json']");
  return script ? JSON.parse(script.textContent) : null;
}

/** Fires `reply-changed`, bubbling, whenever its state changes. */
export class LiveReply extends HTMLElement {
  text = "";
  last = -1;
  #reasoningText = "";
  #seamCount = 0;
  #textStream = null;
  #reasoningStream = null;
  #caretTarget = null; // the element with the caret
  #reasoningSince = 0; // since when
  #reasoningMs = 0; // milliseconds of it before
  #frameRequest = 0;
  #flushTimer = 0;
  #nextFlushAt = 0;
  #buildStartedAt = 0; // when the building of what is written next was
  #buildMs = 0; // milliseconds of it
  #hasMore = false; // came since then
  #isUnrenderable = false; // by our Markdown: then the server's is shown in the end
  #endFrame = null; // the frame that ends it, while there is text to be written before

  connectedCallback() {
    if (this.stream && !this.#textStream) this.#initialize();
    if (this.isRunning && this.stream) connection.follow(this.stream, this);
    if (!this.stream) this.#setCaret(this.querySelector(":scope > .prose")); // sent, and not answered yet
    this.#emitChange();
  }

  #initialize() {
    this.details = this.querySelector(".reasoning");
    this.details?.addEventListener("toggle", () => this.isRunning && this.#scheduleFlush());
    this.#reasoningMs = Number(this.details?.dataset.reasoningMs ?? 0);
    this.#textStream = new MarkdownStream(this.querySelector(":scope > .prose"), enhanceGrown, prepareFormula);
    preloadFonts(this.#textStream.root);
    this.#resetTo(JSON.parse(this.querySelector("script[type='application/json']").textContent));
  }

  disconnectedCallback() {
    connection.unfollow(this.stream);
    this.#cancelFlush();
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

  /** A frame of this stream: see docs/protocol.md. */
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
      // A hole; or, after asking twice, a piece of which a part is here already.
      connection.refollow(this.stream);
      return;
    }
    this.last = index;
    if (kind === "seam") this.#appendSeam();
    else if (kind === "reasoning") this.#appendReasoning(delta, "Thinking");
    else this.#appendText(delta);
    this.#setState("running", this.note);
    this.#scheduleFlush();
  }

  #appendSeam() {
    this.#seamCount += 1;
    this.#textStream.seam();
  }

  #appendText(delta) {
    if (this.#reasoningSince) this.#endReasoning();
    this.text += delta;
    this.#textStream.append(delta);
  }

  /** Where no socket gets through: an article, as the server shows this reply now. */
  applyArticle(made) {
    const source = readSource(made);
    if (!this.isRunning || !source) return;
    if (!this.#isVersionOf(made, source)) return this.#replaceArticle(made);
    if (source.index < this.last) return; // a socket was quicker
    if (source.index > this.last) this.#applySource(source);
    const { dataset, textContent } = made.querySelector(".message-footer .state") ?? { dataset: {}, textContent: "" };
    const { state } = made.dataset;
    if (made.querySelector("live-reply")) this.#setState(state, dataset.severity === "waiting" ? textContent : "");
    else this.#onEnd({ state, next: this.last + 1, error: null });
  }

  /** Not where the reply was continued meanwhile: that is another stream, with indexes of its own. */
  #isVersionOf(made, { text, index }) {
    const live = made.querySelector("live-reply");
    return live ? live.dataset.stream === this.stream : index >= this.last && text.startsWith(this.text);
  }

  #replaceArticle(made) {
    this.dataset.state = made.dataset.state;
    this.#emitChange();
    this.article.replaceWith(made);
  }

  /** Add what is new; replace everything only where something else is. */
  #applySource(source) {
    const { text, reasoning, seams, index } = source;
    const isLonger = text.startsWith(this.text) && reasoning.startsWith(this.#reasoningText) && seams.length === this.#seamCount;
    if (!isLonger) return this.#resetTo(source);
    this.last = index;
    this.#appendReasoning(reasoning.slice(this.#reasoningText.length), "Thinking");
    if (text.length > this.text.length) this.#appendText(text.slice(this.text.length));
    return this.#scheduleFlush();
  }

  /** Replace everything by this. Seams are places in code points, text has code units. */
  #resetTo({ text, reasoning, index, seams }) {
    this.last = index;
    this.text = text;
    this.#setCaret(null); // what the server rendered is compared with what would be made
    this.#textStream.reset();
    this.#seamCount = 0;
    let [end, points] = [0, 0];
    for (const seam of seams) {
      const start = end;
      for (; points < seam && end < text.length; points++) end += text.codePointAt(end) > 0xffff ? 2 : 1;
      this.#textStream.append(text.slice(start, end));
      this.#appendSeam();
    }
    this.#textStream.append(text.slice(end));
    this.#reasoningText = "";
    this.#reasoningStream?.reset();
    this.#appendReasoning(reasoning);
    this.#scheduleFlush();
  }

  #appendReasoning(delta, words) {
    if (!delta || !this.details) return;
    if (words && !this.#reasoningSince) {
      this.#reasoningSince = performance.now() - this.#reasoningMs;
      this.details.querySelector("summary").textContent = words;
    }
    this.#reasoningText += delta;
    this.#reasoningStream ??= new MarkdownStream(this.details.querySelector(".prose"));
    this.#reasoningStream.append(delta);
    this.details.hidden = false;
  }

  /** Say for how long. What the server's clock says of it comes with the end. */
  #endReasoning() {
    this.#reasoningMs = performance.now() - this.#reasoningSince;
    this.#reasoningSince = 0;
    this.details.querySelector("summary").textContent = formatReasoningTime(this.#reasoningMs);
  }

  /** One write a frame at most, and about a quarter of the main thread, whatever the text. */
  #scheduleFlush() {
    this.#hasMore = true;
    if (this.#flushTimer) return;
    const wait = Math.max(0, this.#nextFlushAt - performance.now());
    this.#flushTimer = setTimeout(() => this.#flushAll(), HIDDEN_FLUSH_MS + wait);
    if (wait > 0) setTimeout(() => this.#requestFrame(), wait);
    else this.#requestFrame();
  }

  #requestFrame() {
    this.#frameRequest = requestAnimationFrame(() => this.#buildSlice());
  }

  #cancelFlush() {
    clearTimeout(this.#flushTimer);
    cancelAnimationFrame(this.#frameRequest);
    this.#flushTimer = this.#buildStartedAt = 0;
  }

  /** What grows where it is seen; in the end, all. */
  get #visibleStreams() {
    return this.#reasoningStream && (this.details.open || this.#endFrame) ? [this.#textStream, this.#reasoningStream] : [this.#textStream];
  }

  get #isFullyShown() {
    return this.#visibleStreams.every((stream) => stream.isFullyShown);
  }

  /** Build for as long as a frame has time for it; write in the frame that has time left then. */
  #buildSlice() {
    if (!this.#flushTimer) return;
    if (writeNext()) return this.#requestFrame();
    const start = performance.now();
    const late = start - takeHighlightMs();
    const enough = () => performance.now() - late > SLICE_MS;
    if (this.#endFrame && this.#isFullyShown) return this.#isReadyToFinish(enough) ? this.#finish() : this.#requestFrame();
    if (!this.#buildStartedAt) [this.#buildStartedAt, this.#buildMs, this.#hasMore] = [start, 0, false];
    const begun = this.#buildStartedAt;
    let built = false;
    try {
      built = this.#visibleStreams.every((stream) => stream.prepare(enough)) && !enough();
      if (built) this.#flush((stream) => stream.write());
    } catch {
      return this.#stopRendering();
    }
    this.#buildMs += performance.now() - start;
    if (!built) return this.#requestFrame();
    if (this.#buildMs > SLOW_FLUSH_MS && !this.#endFrame) this.#nextFlushAt = begun + 4 * this.#buildMs;
    const left = this.#hasMore || this.#endFrame || !this.#isFullyShown;
    return left && this.#scheduleFlush();
  }

  #isReadyToFinish(enough) {
    try {
      return this.#visibleStreams.every((stream) => stream.prepareFinish(enough));
    } catch {
      return (this.#isUnrenderable = true);
    }
  }

  /** What can't be shown here is shown by the server, once it has ended. */
  #stopRendering() {
    this.#isUnrenderable = true;
    this.#cancelFlush();
    if (this.#endFrame) this.#finish();
  }

  #flush(show) {
    this.#cancelFlush();
    this.#render(show);
  }

  /** Where there are no frames, or late ones. */
  #flushAll() {
    const start = performance.now();
    const enough = () => performance.now() - start > HIDDEN_SLICE_MS;
    try {
      if (this.#visibleStreams.every((stream) => stream.prepare(enough, true))) this.#flush((stream) => stream.write());
      else return this.#flushSoon();
    } catch {
      this.#isUnrenderable = true;
      this.#cancelFlush();
    }
    if (!this.#endFrame) return !this.#isFullyShown && !this.#isUnrenderable && this.#scheduleFlush();
    return this.#isUnrenderable || (this.#isFullyShown && this.#isReadyToFinish(enough)) ? this.#finish() : this.#flushSoon();
  }

  #flushSoon() {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = setTimeout(() => this.#flushAll());
  }

  #render(show) {
    for (const stream of this.#visibleStreams) show(stream);
    if (this.isRunning) enhanceGrowing(this.#textStream);
    this.#setCaret(this.isRunning ? findCaretTarget(this.#textStream.root) : null);
  }

  /** Put the caret at the end of an element; nowhere, once nothing grows. */
  #setCaret(tip) {
    if (tip !== this.#caretTarget) {
      this.#caretTarget?.classList.remove("caret");
      if (this.#caretTarget?.className === "") this.#caretTarget.removeAttribute("class");
    }
    tip?.classList.add("caret");
    this.#caretTarget = tip;
  }

  #setState(state, note = "") {
    const word = this.text ? "Writing" : this.#reasoningText ? "Thinking" : "Connecting";
    const words = note || (state === "queued" ? "Queued" : word);
    this.note = note;
    if (this.state === state && this.statusText === words) return;
    this.dataset.state = this.article.dataset.state = state;
    this.statusText = words;
    this.setStatusText(words, note || state === "queued" ? "waiting" : "");
    this.#emitChange();
  }

  /** Put words at the place of the state, under the text. */
  setStatusText(words, tone = "") {
    const state = this.article?.querySelector(".message-footer .state");
    if (!state) return;
    state.textContent = words;
    state.dataset.severity = tone;
  }

  #onEnd(frame) {
    if (frame.next > this.last + 1) {
      connection.refollow(this.stream);
      return;
    }
    connection.unfollow(this.stream);
    this.#endFrame = frame;
    if (this.#flushTimer) return;
    if (this.#visibleStreams.every((stream) => stream.isFullyShown && !stream.hasLateDefinition)) this.#finish();
    else this.#scheduleFlush();
  }

  /** All that is left was written, a frame's worth at a time. */
  #finish() {
    const { state, error } = this.#endFrame;
    this.#endFrame = null;
    this.#cancelFlush();
    try {
      this.#textStream.finish();
      this.#reasoningStream?.finish();
    } catch {
      this.#isUnrenderable = true;
    }
    this.dataset.state = this.article.dataset.state = state;
    this.article.removeAttribute("aria-busy");
    this.#setCaret(null);
    const words = { stopped: "Stopped", interrupted: "Interrupted", failed: error?.message ?? "Failed" };
    this.setStatusText(words[state] ?? "", { interrupted: "waiting", failed: "failed" }[state]);
    this.#emitChange();
    this.#fetchFinalArticle();
  }

  /** Take what the server shows of the reply now, and leave the text that is being read. */
  async #fetchFinalArticle(attempt = 0) {
    const response = await fetchFragment(`/m/${this.dataset.message}/`);
    if (response?.status === 404) return this.markDeleted();
    if (!response?.ok) {
      if (attempt < 6) setTimeout(() => this.#fetchFinalArticle(attempt + 1), 500 * 2 ** attempt);
      return undefined;
    }
    const made = parseFragment(response).querySelector("article");
    const source = readSource(made);
    if (!this.isConnected || !source) return undefined;
    const stream = made.querySelector("live-reply")?.dataset.stream ?? this.stream;
    const isContinued = stream !== this.stream; // elsewhere, before this page asked
    if (this.#isUnrenderable || isContinued || source.text !== this.text) this.article.replaceWith(made);
    else this.#adoptServerFooter(made);
    return undefined;
  }

  #adoptServerFooter(made) {
    const { article } = this;
    const [foot, now] = [article, made].map((part) => part.querySelector(".message-footer"));
    const focused = [...foot.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    foot.replaceWith(now);
    now.querySelectorAll(FOCUSABLE)[focused]?.focus(); // who stands on Copy goes on standing there
    const [summary, told] = [this, made].map((part) => part.querySelector(".reasoning > summary"));
    if (told) summary?.replaceWith(told);
    else this.details?.remove();
  }

  /** The socket knows no such stream. The page may know better: the reply was deleted, or it is the
   *  socket that is somebody else's, who has signed in since. */
  async #checkExists() {
    connection.unfollow(this.stream);
    const response = await fetchFragment(`/m/${this.dataset.message}/`);
    if (response?.status === 404) return this.markDeleted();
    if (!this.isRunning || response?.status === 401 || isAccountMismatch(response)) return undefined;
    const made = response?.ok && parseFragment(response).querySelector("article");
    if (made) this.applyArticle(made);
    if (this.isRunning) setTimeout(() => this.isRunning && connection.follow(this.stream, this), RECHECK_MS);
    return undefined;
  }

  /** It was deleted. */
  markDeleted() {
    connection.unfollow(this.stream);
    this.dataset.state = "deleted";
    this.article?.removeAttribute("aria-busy");
    this.#setCaret(null);
    this.setStatusText("Deleted");
    this.#emitChange();
  }

  #emitChange() {
    this.dispatchEvent(new CustomEvent("reply-changed", { bubbles: true }));
  }
}
