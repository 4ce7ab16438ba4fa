// Which drafts and unsent messages the open tabs of this browser hold. A hold is a lock of the
// browser, which ends with its tab even if that crashes. Browsers have locks only over https and on
// localhost; elsewhere the tabs ask each other. A tab that is frozen does not answer then, but the
// versions of drafts still keep both texts.

const PREFIX = "holdfast ";
const ANSWER_MS = 200; // in which other tabs answer
const ASK_AGAIN_MS = 5000;

const releases = new Map(); // name → { end, ended }: a function and a promise, of holds of this tab
const endings = new Map(); // name → a promise, of holds that this tab has released
const channel = navigator.locks ? null : new BroadcastChannel("holdfast holds");

// A page with locks could not wait in the back/forward cache.
addEventListener("pagehide", () => [...releases.keys()].forEach(release));
channel?.addEventListener("message", ({ data }) => {
  if (data.isQuestion) channel.postMessage({ names: [...releases.keys()] });
  else if (questions === 0 && data.names.some((name) => !lastAnswer.has(name))) reportLateAnswer();
});

let questions = 0; // that wait for answers
let lastAnswer = new Set();

/** A busy tab answers later than others wait. Fires `holds-changed`. */
function reportLateAnswer() {
  document.dispatchEvent(new CustomEvent("holds-changed"));
}

/** @returns {Promise<boolean>} whether this tab holds it now; false if another one does */
export function hold(name) {
  return request(name, { ifAvailable: true });
}

/** Wait until no other tab holds it, and hold it. */
export function waitToHold(name) {
  return request(name, {});
}

async function request(name, options) {
  if (releases.has(name)) return true;
  await endings.get(name); // a lock is not free at once
  return channel ? holdAfterAsking(name, options) : requestLock(name, options);
}

function requestLock(name, options) {
  return new Promise((resolve) => {
    const ended = navigator.locks
      .request(`${PREFIX}${name}`, options, (lock) => {
        resolve(Boolean(lock));
        return lock && new Promise((end) => releases.set(name, { end, ended }));
      })
      .catch(() => resolve(true));
  });
}

async function holdAfterAsking(name, { ifAvailable }) {
  while ((await askOtherTabs()).has(name)) {
    if (ifAvailable) return false;
    await wait(ASK_AGAIN_MS);
  }
  releases.set(name, { end() {}, ended: Promise.resolve() });
  return true;
}

export function release(name) {
  const { end, ended } = releases.get(name) ?? {};
  if (!end) return;
  end();
  releases.delete(name);
  endings.set(name, ended);
  ended.then(() => endings.delete(name));
}

/** @returns {Promise<Set<string>>} what other tabs hold */
export async function listHeldElsewhere() {
  await Promise.all(endings.values());
  const names = channel ? await askOtherTabs() : await listLocks();
  return new Set([...names].filter((name) => !releases.has(name)));
}

/** A browser that refuses to store anything may refuse locks, too. */
async function listLocks() {
  const { held } = await navigator.locks.query().catch(() => ({ held: [] }));
  const names = held.map(({ name }) => name).filter((name) => name.startsWith(PREFIX));
  return names.map((name) => name.slice(PREFIX.length));
}

async function askOtherTabs() {
  const found = new Set();
  const onAnswer = ({ data }) => {
    for (const name of data.names ?? []) found.add(name);
  };
  questions += 1;
  channel.addEventListener("message", onAnswer);
  channel.postMessage({ isQuestion: true });
  await wait(ANSWER_MS);
  channel.removeEventListener("message", onAnswer);
  questions -= 1;
  lastAnswer = found;
  return found;
}

function wait(duration) {
  return new Promise((resolve) => setTimeout(resolve, duration));
}
