// Which drafts and unsent messages the open tabs of this browser hold. A hold is a lock of the
// browser, which ends with its tab even if that crashes. Browsers have locks only over https and on
// localhost; without them every hold succeeds, and the versions of drafts still keep both texts.

const PREFIX = "holdfast ";

const releases = new Map(); // name → { end, ended }: a function and a promise, of holds of this tab
const endings = new Set(); // promises of holds that this tab has released

// A page with locks could not wait in the back/forward cache.
addEventListener("pagehide", () => [...releases.keys()].forEach(release));

/** @returns {Promise<boolean>} whether this tab holds it now; false if another one does */
export function hold(name) {
  return request(name, { ifAvailable: true });
}

/** Wait until no other tab holds it, and hold it. */
export function waitToHold(name) {
  return request(name, {});
}

function request(name, options) {
  if (!navigator.locks || releases.has(name)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const ended = navigator.locks
      .request(`${PREFIX}${name}`, options, (lock) => {
        resolve(Boolean(lock));
        return lock && new Promise((end) => releases.set(name, { end, ended }));
      })
      .catch(() => resolve(true));
  });
}

export function release(name) {
  const { end, ended } = releases.get(name) ?? {};
  if (!end) return;
  end();
  releases.delete(name);
  endings.add(ended);
  ended.then(() => endings.delete(ended));
}

/** @returns {Promise<Set<string>>} what other tabs hold */
export async function listHeldElsewhere() {
  await Promise.all(endings);
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  const names = held
    .map(({ name }) => name)
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => name.slice(PREFIX.length));
  return new Set(names.filter((name) => !releases.has(name)));
}
