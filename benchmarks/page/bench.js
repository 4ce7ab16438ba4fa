// The cost of a growing reply in the page: 100 KB of text in 2,000 deltas, four of them a frame,
// through the real <live-reply>. This script marks the frames; measuring.py reads the cost from the
// trace.

const DELTAS = 2000;
const A_FRAME = 4;
const FONTS = [
  "1em 'Source Serif 4 Variable'",
  "italic 1em 'Source Serif 4 Variable'",
  "1em 'Inter Variable'",
  "1em 'JetBrains Mono Variable'",
];

const { LiveReply } = await import("/js/live/live-reply.js");
const { startStickToBottom } = await import("/js/conversation/scroll.js");
startStickToBottom();
customElements.define("live-reply", LiveReply);

const frame = () => new Promise((done) => requestAnimationFrame(done));

function deltas(text) {
  const size = Math.ceil(text.length / DELTAS);
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
    text.slice(i * size, (i + 1) * size),
  );
}

function begin() {
  const messages = document.getElementById("messages");
  messages.replaceChildren(document.getElementById("reply").content.cloneNode(true));
  return messages.querySelector("live-reply");
}

/** Let `text` grow in the reply to its end, and look at it after every frame's write. */
async function stream(reply, text, look) {
  const pieces = deltas(text);
  for (let i = 0; i < pieces.length; i += A_FRAME) {
    performance.mark("frame");
    const batch = pieces.slice(i, i + A_FRAME);
    for (const [n, delta] of batch.entries()) reply.receive(chunk(i + n, delta));
    await frame();
    look();
  }
  performance.mark("frame");
  reply.receive({ type: "end", state: "completed", next: pieces.length });
  await frame();
  look();
}

const chunk = (index, delta) => ({ type: "chunk", first: index, index, kind: "text", delta });

/** Stream `text` under the eyes of measuring.py, and count the writes of a frame. */
async function measure(text) {
  const reply = begin();
  const prose = reply.querySelector(".prose");
  let [most, written] = [0, 0];
  await frame();
  // Records of one task come in one call: a call is one write.
  const writes = new MutationObserver(() => (written += 1));
  writes.observe(prose, { subtree: true, childList: true, characterData: true });
  await stream(reply, text, () => {
    most = Math.max(most, written);
    written = 0;
  });
  await new Promise((done) => setTimeout(done, 300));
  writes.disconnect();
  performance.mark("over");
  return { writes: most, characters: prose.textContent.length };
}

/**
 * Stream `text` and count what a reader would see jump: blocks, items and rows that had another one
 * below them a frame ago, and since then stand elsewhere in the text or have another size.
 *
 * Chromium's own layout shift would not tell: it is two or three for every answer, because it
 * counts the foot that the text pushes down, although following the end brings that back within
 * the frame. And it says nothing of what happens outside the window.
 *
 * Fonts and KaTeX are here before: a page's first formula is set late when its text is quicker.
 */
async function jumps(text) {
  const { loadKatex } = await import("/js/enhance/enhance.js");
  await Promise.all([loadKatex(), ...FONTS.map((font) => document.fonts.load(font))]);
  const reply = begin();
  const prose = reply.querySelector(".prose");
  let [jumped, finished] = [0, []];
  await stream(reply, text, () => {
    const { top } = prose.getBoundingClientRect();
    jumped += finished.filter(([block, where]) => place(block, top) !== where).length;
    const blocks = [...prose.querySelectorAll(":scope > *, li, tr")];
    finished = blocks
      .filter((block) => !block.contains(blocks.at(-1)))
      .map((block) => [block, place(block, top)]);
  });
  return jumped;
}

function place(block, top) {
  const { x, y, width, height } = block.getBoundingClientRect();
  return [x, y - top, width, height].map(Math.round).join();
}

Object.assign(window, { measure, jumps });
document.body.dataset.ready = "";
