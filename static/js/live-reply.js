// <live-reply>: a reply that is still being written. It knows its last index, how to append, and
// that a closed socket is never an end. It starts from what the server rendered, so the first
// load, a reload and a reconnect run the same code.

import { MarkdownStream } from "./markdown.js";
import { ask, fragmentOf, isSomeoneElse } from "./server.js";
import { connection } from "./socket.js";
import { enhanceGrowing, enhanceGrown, showReady, spentOnColours, typesetAhead } from "./enhance.js";

const COSTLY = 4; // milliseconds; a flush that takes longer is followed by a pause four times as long
const SLICE = 2; // milliseconds of a frame, after which what is not built yet waits for the next one
const HIDDEN = 1000; // milliseconds between flushes where there are no frames
const HIDDEN_SLICE = 50; // milliseconds of one of them
const DOUBT = 5000; // milliseconds until a stream that only its socket doesn't know is asked for again

/** In words, as chat/presentation/message_views.py has them too. */
function thoughtFor(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 1) return "Thought for a moment";
  return seconds < 60 ? `Thought for ${seconds} s` : `Thought for ${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

const WAYS = "a, button, summary";
const WITHIN = "ul, ol, li, blockquote, pre, .table, table, thead, tbody, tr";

/** The element at whose end the text grows: the last block, or the last one within it. */
function tipOf(prose) {
  let tip = prose.lastElementChild ?? prose;
  while (tip.matches(WITHIN) && tip.lastElementChild?.matches(`${WITHIN}, p, td, th, code:only-child`)) tip = tip.lastElementChild;
  return tip;
}

/** Italics and code, before the first of them: a font that comes later may break its lines anew. */
function fetchFonts(prose) {
  const style = getComputedStyle(prose);
  const [reading, mono] = [style.fontFamily, style.getPropertyValue("--mono")].map((family) => family.split(",")[0]);
  for (const font of [`italic 1em ${reading}`, `1em ${mono}`]) document.fonts.load(font).catch(() => {});
}

/** What the HTML of an article was made of, and the index it stands at; null where it is no reply. */
function sourceOf(made) {
  const script = made?.querySelector("script[type='application/json']");
  return script ? JSON.parse(script.textContent) : null;
}

/** Fires `reply`, bubbling, whenever its state changes. */
export class LiveReply extends HTMLElement {
  text = "";
  last = -1;
  #reasoning = "";
  #seams = 0;
  #prose = null;
  #thoughts = null;
  #tip = null; // the element with the caret
  #thinking = 0; // since when
  #spent = 0; // milliseconds of it before
  #frame = 0;
  #timer = 0;
  #notBefore = 0;
  #begun = 0; // when the building of what is written next was
  #cost = 0; // milliseconds of it
  #more = false; // came since then
  #unreadable = false; // by our Markdown: then the server's is shown in the end
  #ending = null; // the frame that ends it, while there is text to be written before

  connectedCallback() {
    if (this.stream && !this.#prose) this.#begin();
    if (this.running && this.stream) connection.follow(this.stream, this);
    if (!this.stream) this.#point(this.querySelector(":scope > .prose")); // sent, and not answered yet
    this.#tell();
  }

  #begin() {
    this.details = this.querySelector(".reasoning");
    this.details?.addEventListener("toggle", () => this.running && this.#plan());
    this.#spent = Number(this.details?.dataset.thinking ?? 0);
    this.#prose = new MarkdownStream(this.querySelector(":scope > .prose"), enhanceGrown, typesetAhead);
    fetchFonts(this.#prose.root);
    this.#hold(JSON.parse(this.querySelector("script[type='application/json']").textContent));
  }

  disconnectedCallback() {
    connection.unfollow(this.stream);
    this.#unplan();
  }

  get stream() {
    return this.dataset.stream;
  }

  get state() {
    return this.dataset.state;
  }

  get running() {
    return this.isConnected && (this.state === "queued" || this.state === "running");
  }

  get article() {
    return this.closest("article");
  }

  /** A frame of this stream: see docs/protocol.md. */
  receive(frame) {
    if (frame.type === "chunk") this.#append(frame);
    else if (frame.type === "snapshot") this.#hold(frame);
    else if (frame.type === "state") this.#become(frame.state, frame.note);
    else if (frame.type === "end") this.#end(frame);
    else if (frame.code === "not_found") this.#doubt();
  }

  #append({ first, index, kind, delta }) {
    if (index <= this.last) return;
    if (first !== this.last + 1) {
      // A hole; or, after asking twice, a piece of which a part is here already.
      connection.refollow(this.stream);
      return;
    }
    this.last = index;
    if (kind === "seam") this.#seam();
    else if (kind === "reasoning") this.#think(delta, "Thinking");
    else this.#write(delta);
    this.#become("running", this.note);
    this.#plan();
  }

  #seam() {
    this.#seams += 1;
    this.#prose.seam();
  }

  #write(delta) {
    if (this.#thinking) this.#thought();
    this.text += delta;
    this.#prose.append(delta);
  }

  /** Where no socket gets through: an article, as the server shows this reply now. */
  catchUp(made) {
    const source = sourceOf(made);
    if (!this.running || !source) return;
    if (!this.#isShownBy(made, source)) return this.#giveWay(made);
    if (source.index < this.last) return; // a socket was quicker
    if (source.index > this.last) this.#grow(source);
    const { dataset, textContent } = made.querySelector(".foot .state") ?? { dataset: {}, textContent: "" };
    const { state } = made.dataset;
    if (made.querySelector("live-reply")) this.#become(state, dataset.tone === "waiting" ? textContent : "");
    else this.#end({ state, next: this.last + 1, error: null });
  }

  /** Not where the reply was continued meanwhile: that is another stream, with indexes of its own. */
  #isShownBy(made, { text, index }) {
    const live = made.querySelector("live-reply");
    return live ? live.dataset.stream === this.stream : index >= this.last && text.startsWith(this.text);
  }

  #giveWay(made) {
    this.dataset.state = made.dataset.state;
    this.#tell();
    this.article.replaceWith(made);
  }

  /** Add what is new; replace everything only where something else is. */
  #grow(source) {
    const { text, reasoning, seams, index } = source;
    const isLonger = text.startsWith(this.text) && reasoning.startsWith(this.#reasoning) && seams.length === this.#seams;
    if (!isLonger) return this.#hold(source);
    this.last = index;
    this.#think(reasoning.slice(this.#reasoning.length), "Thinking");
    if (text.length > this.text.length) this.#write(text.slice(this.text.length));
    return this.#plan();
  }

  /** Replace everything by this. Seams are places in code points, text has code units. */
  #hold({ text, reasoning, index, seams }) {
    this.last = index;
    this.text = text;
    this.#point(null); // what the server rendered is compared with what would be made
    this.#prose.reset();
    this.#seams = 0;
    let [end, points] = [0, 0];
    for (const seam of seams) {
      const start = end;
      for (; points < seam && end < text.length; points++) end += text.codePointAt(end) > 0xffff ? 2 : 1;
      this.#prose.append(text.slice(start, end));
      this.#seam();
    }
    this.#prose.append(text.slice(end));
    this.#reasoning = "";
    this.#thoughts?.reset();
    this.#think(reasoning);
    this.#plan();
  }

  #think(delta, words) {
    if (!delta || !this.details) return;
    if (words && !this.#thinking) {
      this.#thinking = performance.now() - this.#spent;
      this.details.querySelector("summary").textContent = words;
    }
    this.#reasoning += delta;
    this.#thoughts ??= new MarkdownStream(this.details.querySelector(".prose"));
    this.#thoughts.append(delta);
    this.details.hidden = false;
  }

  /** Say for how long. What the server's clock says of it comes with the end. */
  #thought() {
    this.#spent = performance.now() - this.#thinking;
    this.#thinking = 0;
    this.details.querySelector("summary").textContent = thoughtFor(this.#spent);
  }

  /** One write a frame at most, and about a quarter of the main thread, whatever the text. */
  #plan() {
    this.#more = true;
    if (this.#timer) return;
    const wait = Math.max(0, this.#notBefore - performance.now());
    this.#timer = setTimeout(() => this.#flushAll(), HIDDEN + wait);
    if (wait > 0) setTimeout(() => this.#ask(), wait);
    else this.#ask();
  }

  #ask() {
    this.#frame = requestAnimationFrame(() => this.#slice());
  }

  #unplan() {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#timer = this.#begun = 0;
  }

  /** What grows where it is seen; in the end, all. */
  get #shown() {
    return this.#thoughts && (this.details.open || this.#ending) ? [this.#prose, this.#thoughts] : [this.#prose];
  }

  get #whole() {
    return this.#shown.every((stream) => stream.whole);
  }

  /** Build for as long as a frame has time for it; write in the frame that has time left then. */
  #slice() {
    if (!this.#timer) return;
    if (showReady()) return this.#ask();
    const start = performance.now();
    const late = start - spentOnColours();
    const enough = () => performance.now() - late > SLICE;
    if (this.#ending && this.#whole) return this.#isReadyToFinish(enough) ? this.#finish() : this.#ask();
    if (!this.#begun) [this.#begun, this.#cost, this.#more] = [start, 0, false];
    const begun = this.#begun;
    let built = false;
    try {
      built = this.#shown.every((stream) => stream.prepare(enough)) && !enough();
      if (built) this.#flush((stream) => stream.write());
    } catch {
      return this.#giveUp();
    }
    this.#cost += performance.now() - start;
    if (!built) return this.#ask();
    if (this.#cost > COSTLY && !this.#ending) this.#notBefore = begun + 4 * this.#cost;
    const left = this.#more || this.#ending || !this.#whole;
    return left && this.#plan();
  }

  #isReadyToFinish(enough) {
    try {
      return this.#shown.every((stream) => stream.prepareFinish(enough));
    } catch {
      return (this.#unreadable = true);
    }
  }

  /** What can't be shown here is shown by the server, once it has ended. */
  #giveUp() {
    this.#unreadable = true;
    this.#unplan();
    if (this.#ending) this.#finish();
  }

  #flush(show) {
    this.#unplan();
    this.#show(show);
  }

  /** Where there are no frames, or late ones. */
  #flushAll() {
    const start = performance.now();
    const enough = () => performance.now() - start > HIDDEN_SLICE;
    try {
      if (this.#shown.every((stream) => stream.prepare(enough, true))) this.#flush((stream) => stream.write());
      else return this.#flushSoon();
    } catch {
      this.#unreadable = true;
      this.#unplan();
    }
    if (!this.#ending) return !this.#whole && !this.#unreadable && this.#plan();
    return this.#unreadable || (this.#whole && this.#isReadyToFinish(enough)) ? this.#finish() : this.#flushSoon();
  }

  #flushSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#flushAll());
  }

  #show(show) {
    for (const stream of this.#shown) show(stream);
    if (this.running) enhanceGrowing(this.#prose);
    this.#point(this.running ? tipOf(this.#prose.root) : null);
  }

  /** Put the caret at the end of an element; nowhere, once nothing grows. */
  #point(tip) {
    if (tip !== this.#tip) {
      this.#tip?.classList.remove("caret");
      if (this.#tip?.className === "") this.#tip.removeAttribute("class");
    }
    tip?.classList.add("caret");
    this.#tip = tip;
  }

  #become(state, note = "") {
    const word = this.text ? "Writing" : this.#reasoning ? "Thinking" : "Connecting";
    const words = note || (state === "queued" ? "Waiting" : word);
    this.note = note;
    if (this.state === state && this.words === words) return;
    this.dataset.state = this.article.dataset.state = state;
    this.words = words;
    this.say(words, note || state === "queued" ? "waiting" : "");
    this.#tell();
  }

  /** Put words at the place of the state, under the text. */
  say(words, tone = "") {
    const state = this.article?.querySelector(".foot .state");
    if (!state) return;
    state.textContent = words;
    state.dataset.tone = tone;
  }

  #end(frame) {
    if (frame.next > this.last + 1) {
      connection.refollow(this.stream);
      return;
    }
    connection.unfollow(this.stream);
    this.#ending = frame;
    if (this.#timer) return;
    if (this.#shown.every((stream) => stream.whole && !stream.isDefinedLate)) this.#finish();
    else this.#plan();
  }

  /** All that is left was written, a frame's worth at a time. */
  #finish() {
    const { state, error } = this.#ending;
    this.#ending = null;
    this.#unplan();
    try {
      this.#prose.finish();
      this.#thoughts?.finish();
    } catch {
      this.#unreadable = true;
    }
    this.dataset.state = this.article.dataset.state = state;
    this.article.removeAttribute("aria-busy");
    this.#point(null);
    const words = { stopped: "Stopped", interrupted: "Interrupted", failed: error?.message ?? "Failed" };
    this.say(words[state] ?? "", { interrupted: "waiting", failed: "failed" }[state]);
    this.#tell();
    this.#settle();
  }

  /** Take what the server shows of the reply now, and leave the text that is being read. */
  async #settle(attempt = 0) {
    const response = await ask(`/m/${this.dataset.message}/`);
    if (response?.status === 404) return this.gone();
    if (!response?.ok) {
      if (attempt < 6) setTimeout(() => this.#settle(attempt + 1), 500 * 2 ** attempt);
      return undefined;
    }
    const made = fragmentOf(response).querySelector("article");
    const source = sourceOf(made);
    if (!this.isConnected || !source) return undefined;
    const stream = made.querySelector("live-reply")?.dataset.stream ?? this.stream;
    const isContinued = stream !== this.stream; // elsewhere, before this page asked
    if (this.#unreadable || isContinued || source.text !== this.text) this.article.replaceWith(made);
    else this.#take(made);
    return undefined;
  }

  #take(made) {
    const { article } = this;
    const [foot, now] = [article, made].map((part) => part.querySelector(".foot"));
    const focused = [...foot.querySelectorAll(WAYS)].indexOf(document.activeElement);
    foot.replaceWith(now);
    now.querySelectorAll(WAYS)[focused]?.focus(); // who stands on Copy goes on standing there
    const [summary, told] = [this, made].map((part) => part.querySelector(".reasoning > summary"));
    if (told) summary?.replaceWith(told);
    else this.details?.remove();
  }

  /** The socket knows no such stream. The page may know better: the reply was deleted, or it is the
   *  socket that is somebody else's, who has signed in since. */
  async #doubt() {
    connection.unfollow(this.stream);
    const response = await ask(`/m/${this.dataset.message}/`);
    if (response?.status === 404) return this.gone();
    if (!this.running || response?.status === 401 || isSomeoneElse(response)) return undefined;
    const made = response?.ok && fragmentOf(response).querySelector("article");
    if (made) this.catchUp(made);
    if (this.running) setTimeout(() => this.running && connection.follow(this.stream, this), DOUBT);
    return undefined;
  }

  /** It was deleted. */
  gone() {
    connection.unfollow(this.stream);
    this.dataset.state = "deleted";
    this.article?.removeAttribute("aria-busy");
    this.#point(null);
    this.say("Deleted");
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("reply", { bubbles: true }));
  }
}
