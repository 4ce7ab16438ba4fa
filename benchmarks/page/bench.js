// What a growing reply costs the page: 100 KB of text in 2,000 deltas, four of them a frame, through
// the real <live-reply>. Measured is read off the
// trace by measuring.py; here are only the marks of the frames.

const DELTAS = 2000;
const A_FRAME = 4;

const { LiveReply } = await import("/js/live-reply.js");
const { followTheEnd } = await import("/js/follow.js");
followTheEnd();
customElements.define("live-reply", LiveReply);

const frame = () => new Promise((done) => requestAnimationFrame(done));
const rounded = (number) => Math.round(number * 10) / 10;

function deltas(text) {
  const size = Math.ceil(text.length / DELTAS);
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
}

/** Stream `text` and say what it cost. */
async function measure(text) {
  const messages = document.getElementById("messages");
  messages.replaceChildren(document.getElementById("reply").content.cloneNode(true));
  const reply = messages.querySelector("live-reply");
  const shifts = [];
  let [most, written] = [0, 0];
  const watch = (type, into) => {
    const observer = new PerformanceObserver((list) => into.push(...list.getEntries()));
    observer.observe({ type, buffered: false });
    return observer;
  };
  const observers = [watch("layout-shift", shifts)];
  // Records of one task come in one call: a call is one write.
  const writes = new MutationObserver(() => (written += 1));
  writes.observe(reply.querySelector(".prose"), { subtree: true, childList: true, characterData: true });
  const pieces = deltas(text);
  await frame();
  written = 0;
  for (let i = 0; i < pieces.length; i += A_FRAME) {
    performance.mark("frame");
    pieces.slice(i, i + A_FRAME).forEach((delta, n) => reply.receive(chunk(i + n, delta)));
    await frame();
    most = Math.max(most, written);
    written = 0;
  }
  performance.mark("frame");
  reply.receive({ type: "end", state: "completed", next: pieces.length });
  await frame();
  await new Promise((done) => setTimeout(done, 300));
  [...observers, writes].forEach((observer) => observer.disconnect());
  performance.mark("over");
  return {
    writes: most,
    shift: rounded(shifts.reduce((sum, { value }) => sum + value, 0)),
    characters: reply.querySelector(".prose").textContent.length,
  };
}

const chunk = (index, delta) => ({ type: "chunk", first: index, index, kind: "text", delta });

window.measure = measure;
document.body.dataset.ready = "";
