// How a growing reply is drawn: at most one write a frame, and little of each frame's time, so that
// the page answers its reader however long the text is and however fast it comes.

import {
  takeHighlightMs,
  enhanceGrowing,
  enhanceGrown,
  prepareFormula,
  writeNext,
} from "../enhance/enhance.js";
import { MarkdownStream } from "../markdown/stream.js";

const SLOW_FLUSH_MS = 4; // a flush that takes longer is followed by a pause of four times its length
const SLICE_MS = 2; // how long a frame builds; the rest waits for the next frame
const HIDDEN_FLUSH_MS = 1000; // between flushes while the page gets no frames
const HIDDEN_SLICE_MS = 50; // how long one of these builds

const CONTAINERS = "ul, ol, li, blockquote, pre, .table, table, thead, tbody, tr";

/** The element that the text grows in: the last block, or the last one inside it. */
function findCaretTarget(prose) {
  let target = prose.lastElementChild ?? prose;
  while (
    target.matches(CONTAINERS) &&
    target.lastElementChild?.matches(`${CONTAINERS}, p, td, th, code:only-child`)
  )
    target = target.lastElementChild;
  return target;
}

/** Load italics and code fonts before they are used: a late font may break lines again. */
function preloadFonts(prose) {
  const style = getComputedStyle(prose);
  const [reading, mono] = [style.fontFamily, style.getPropertyValue("--mono")].map(
    (family) => family.split(",")[0],
  );
  for (const font of [`italic 1em ${reading}`, `1em ${mono}`])
    document.fonts.load(font).catch(() => {});
}

export class ReplyRenderer {
  isUnrenderable = false; // our Markdown failed, so the server's HTML must be shown at the end
  textStream; // append text and seams here, then call schedule()
  #details;
  #isRunning;
  #onFinished;
  #reasoningStream = null;
  #caretTarget = null; // the element with the caret
  #frameRequest = 0;
  #flushTimer = 0;
  #nextFlushAt = 0;
  #buildStartedAt = 0; // of the next write
  #buildMs = 0; // spent on it so far
  #hasMore = false; // text came since the build started
  #isEnding = false; // no more text comes

  /**
   * @param {Element} prose where the text goes
   * @param {HTMLDetailsElement | null} details where the reasoning goes
   * @param {() => boolean} isRunning
   * @param {() => void} onFinished called when the whole text is shown, after finish()
   */
  constructor(prose, details, isRunning, onFinished) {
    this.#details = details;
    this.#isRunning = isRunning;
    this.#onFinished = onFinished;
    this.textStream = new MarkdownStream(prose, enhanceGrown, prepareFormula);
    details?.addEventListener("toggle", () => this.#isRunning() && this.schedule());
    preloadFonts(prose);
  }

  appendReasoning(delta) {
    this.#reasoningStream ??= new MarkdownStream(this.#details.querySelector(".prose"));
    this.#reasoningStream.append(delta);
  }

  /**
   * Start again with an empty text. The nodes stay, and are kept where the new text makes the same.
   */
  reset() {
    this.#setCaret(null); // its class would make the server's nodes differ from ours
    this.textStream.reset();
    this.#reasoningStream?.reset();
  }

  /** The text is complete: show the rest of it, then call onFinished. */
  finish() {
    this.#isEnding = true;
    if (this.#flushTimer) return;
    if (this.#visibleStreams.every((stream) => stream.isFullyShown && !stream.hasLateDefinition))
      this.#finishNow();
    else this.schedule();
  }

  removeCaret() {
    this.#setCaret(null);
  }

  /** Forget what is scheduled. */
  cancel() {
    clearTimeout(this.#flushTimer);
    cancelAnimationFrame(this.#frameRequest);
    this.#flushTimer = this.#buildStartedAt = 0;
  }

  /** Show new text: one write a frame at most, and about a quarter of the main thread's time. */
  schedule() {
    this.#hasMore = true;
    if (this.#flushTimer) return;
    const wait = Math.max(0, this.#nextFlushAt - performance.now());
    this.#flushTimer = setTimeout(() => this.#flushHidden(), HIDDEN_FLUSH_MS + wait);
    if (wait > 0) setTimeout(() => this.#requestFrame(), wait);
    else this.#requestFrame();
  }

  #requestFrame() {
    this.#frameRequest = requestAnimationFrame(() => this.#buildSlice());
  }

  /** Closed reasoning is not drawn before the end. */
  get #visibleStreams() {
    return this.#reasoningStream && (this.#details.open || this.#isEnding)
      ? [this.textStream, this.#reasoningStream]
      : [this.textStream];
  }

  get #isFullyShown() {
    return this.#visibleStreams.every((stream) => stream.isFullyShown);
  }

  /** Build for a slice of this frame; write in the frame that has time left after the build. */
  #buildSlice() {
    if (!this.#flushTimer) return;
    if (writeNext()) return this.#requestFrame();
    const start = performance.now();
    const sliceStart = start - takeHighlightMs();
    const enough = () => performance.now() - sliceStart > SLICE_MS;
    if (this.#isEnding && this.#isFullyShown)
      return this.#isReadyToFinish(enough) ? this.#finishNow() : this.#requestFrame();
    if (!this.#buildStartedAt)
      [this.#buildStartedAt, this.#buildMs, this.#hasMore] = [start, 0, false];
    const startedAt = this.#buildStartedAt;
    let isWritten = false;
    try {
      isWritten = this.#flush(enough);
    } catch {
      return this.#giveUp();
    }
    this.#buildMs += performance.now() - start;
    if (!isWritten) return this.#requestFrame();
    if (this.#buildMs > SLOW_FLUSH_MS && !this.#isEnding)
      this.#nextFlushAt = startedAt + 4 * this.#buildMs;
    const left = this.#hasMore || this.#isEnding || !this.#isFullyShown;
    return left && this.schedule();
  }

  #isReadyToFinish(enough) {
    try {
      return this.#visibleStreams.every((stream) => stream.prepareFinish(enough));
    } catch {
      return (this.isUnrenderable = true);
    }
  }

  #giveUp() {
    this.isUnrenderable = true;
    this.cancel();
    if (this.#isEnding) this.#finishNow();
  }

  /**
   * Build what is new, and write it once the build is complete.
   * @param {boolean} [all] all of it in one write, and in this call if the build is complete
   * @returns {boolean} whether it was written
   */
  #flush(enough, all = false) {
    const streams = this.#visibleStreams;
    const isBuilt = streams.every((stream) => stream.prepare(enough, all));
    if (!isBuilt || (!all && enough())) return false;
    this.cancel();
    for (const stream of streams) stream.write();
    if (this.#isRunning()) enhanceGrowing(this.textStream);
    this.#setCaret(this.#isRunning() ? findCaretTarget(this.textStream.root) : null);
    return true;
  }

  /** Runs if frames are late or missing, as in a hidden tab. */
  #flushHidden() {
    const start = performance.now();
    const enough = () => performance.now() - start > HIDDEN_SLICE_MS;
    try {
      if (!this.#flush(enough, true)) return this.#flushSoon();
    } catch {
      this.isUnrenderable = true;
      this.cancel();
    }
    if (!this.#isEnding) return !this.#isFullyShown && !this.isUnrenderable && this.schedule();
    return this.isUnrenderable || (this.#isFullyShown && this.#isReadyToFinish(enough))
      ? this.#finishNow()
      : this.#flushSoon();
  }

  #flushSoon() {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = setTimeout(() => this.#flushHidden());
  }

  /** The rest was already written in slices, so this costs little. */
  #finishNow() {
    this.#isEnding = false;
    this.cancel();
    try {
      this.textStream.finish();
      this.#reasoningStream?.finish();
    } catch {
      this.isUnrenderable = true;
    }
    this.#setCaret(null);
    this.#onFinished();
  }

  /** @param {Element | null} target null for no caret */
  #setCaret(target) {
    if (target !== this.#caretTarget) {
      this.#caretTarget?.classList.remove("caret");
      if (this.#caretTarget?.className === "") this.#caretTarget.removeAttribute("class");
    }
    target?.classList.add("caret");
    this.#caretTarget = target;
  }
}
