// Enhancing what the reader can see, one element at a time, in writes that fit into a frame.

const VISIBLE_MARGIN = "600px"; // around the window
const IDLE_AFTER_MS = 500; // a growing reply that has been still for so long leaves no frame to others

const requestIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
const visibilityObserver = new IntersectionObserver(onIntersect, { rootMargin: VISIBLE_MARGIN });
const preparations = new WeakMap(); // element → the function that prepares its writes
const visibleElements = []; // waiting for their preparation
const readyWrites = [];
let cancelScheduledWrite = () => {};

/**
 * Enhance an element once it is visible.
 * @param {(element: Element) => Promise<(() => void)[]>} prepare returns the writes, each of which
 *   fits into a frame
 */
export function enhanceWhenVisible(element, prepare) {
  preparations.set(element, prepare);
  visibilityObserver.observe(element);
}

function onIntersect(entries) {
  const resting = visibleElements.length === 0;
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    visibilityObserver.unobserve(target);
    visibleElements.push(target);
  }
  if (resting && visibleElements.length) requestIdle(enhanceNext);
}

async function enhanceNext() {
  const [element] = visibleElements;
  const writes = element.isConnected
    ? await preparations
        .get(element)(element)
        .catch(() => [])
    : [];
  if (writes.length && readyWrites.push(...writes) === writes.length) scheduleWrite();
  visibleElements.shift();
  if (visibleElements.length) requestIdle(enhanceNext);
}

/**
 * A growing reply calls writeNext() itself, so that each frame has one write. While it is still,
 * any frame will do.
 */
function scheduleWrite(still = false) {
  if (!still && document.querySelector("[aria-busy='true']")) {
    const timer = setTimeout(writeNext, IDLE_AFTER_MS, true);
    cancelScheduledWrite = () => clearTimeout(timer);
  } else {
    const frame = requestAnimationFrame(() => writeNext(true));
    cancelScheduledWrite = () => cancelAnimationFrame(frame);
  }
}

/** Do one of the prepared writes. @returns {boolean} whether there was one */
export function writeNext(still = false) {
  cancelScheduledWrite();
  const write = readyWrites.shift();
  write?.();
  if (readyWrites.length) scheduleWrite(still);
  return Boolean(write);
}
