// What a growing reply costs the page: 100 KB of text in 2,000 deltas, four of them a frame, through
// the real <live-reply>. Measured is our own script, task by task, between one frame and the next.

const DELTAS = 2000;
const A_FRAME = 4;

const spent = { frame: 0, writes: 0 };
const wrap = (name) => {
  const native = window[name].bind(window);
  window[name] = (work, ...rest) => native((...given) => timed(() => work(...given)), ...rest);
  return native;
};
const nextFrame = wrap("requestAnimationFrame");
wrap("setTimeout");
wrap("requestIdleCallback");

function timed(work) {
  const start = performance.now();
  work();
  spent.frame += performance.now() - start;
}

const { LiveReply } = await import("/js/live-reply.js");
const { followTheEnd } = await import("/js/follow.js");
followTheEnd();
customElements.define("live-reply", LiveReply);

const frame = () => new Promise((done) => nextFrame(done));
const percentile = (numbers, share) => numbers.toSorted((a, b) => a - b)[Math.ceil(numbers.length * share) - 1];
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
  const frames = [];
  const tasks = [];
  const shifts = [];
  let most = 0;
  const watch = (type, into) => {
    const observer = new PerformanceObserver((list) => into.push(...list.getEntries()));
    observer.observe({ type, buffered: false });
    return observer;
  };
  const observers = [watch("longtask", tasks), watch("layout-shift", shifts)];
  // Records of one task come in one call: a call is one write.
  const writes = new MutationObserver(() => (spent.writes += 1));
  writes.observe(reply.querySelector(".prose"), { subtree: true, childList: true, characterData: true });
  const pieces = deltas(text);
  await frame();
  [spent.frame, spent.writes] = [0, 0];
  for (let i = 0; i < pieces.length; i += A_FRAME) {
    timed(() => pieces.slice(i, i + A_FRAME).forEach((delta, n) => reply.receive(chunk(i + n, delta))));
    await frame();
    frames.push(spent.frame);
    most = Math.max(most, spent.writes);
    [spent.frame, spent.writes] = [0, 0];
  }
  timed(() => reply.receive({ type: "end", state: "completed", next: pieces.length }));
  const ending = spent.frame;
  frames.push(ending);
  await frame();
  await new Promise((done) => setTimeout(done, 300));
  [...observers, writes].forEach((observer) => observer.disconnect());
  const durations = tasks.map(({ duration }) => duration);
  const script = frames.reduce((sum, cost) => sum + cost, 0);
  return {
    frames: frames.length,
    script: Math.round(script),
    p95: rounded(percentile(frames, 0.95)),
    longest: rounded(Math.max(...frames)),
    ending: rounded(ending),
    tasks: durations.length,
    longestTask: Math.round(Math.max(0, ...durations)),
    writes: most,
    shift: rounded(shifts.reduce((sum, { value }) => sum + value, 0)),
    characters: reply.querySelector(".prose").textContent.length,
  };
}

const chunk = (index, delta) => ({ type: "chunk", first: index, index, kind: "text", delta });

window.measure = measure;
document.body.dataset.ready = "";
