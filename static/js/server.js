// How a page asks its server: forms that are posted, and fragments in the way htmx asks for them.

const PATIENCE = 30_000; // milliseconds before what is asked counts as not answered
const FRAGMENT = { "HX-Request": "true" };

/** The token comes from the cookie where it can be read: signing in elsewhere changes it.
 *  @returns {Promise<Response & {html: string} | null>} null where not all of it came */
export function post(action, body = new URLSearchParams()) {
  const token = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? document.querySelector("[name='csrfmiddlewaretoken']").value;
  return whole(action, { method: "POST", body, headers: { ...FRAGMENT, "X-CSRFToken": token } });
}

/** @returns {Promise<Response & {html: string} | null>} null where not all of it came */
export function ask(address) {
  return whole(address, { headers: FRAGMENT });
}

/** A connection may break within an answer, too. */
async function whole(address, options) {
  try {
    const response = await fetch(address, { ...options, signal: AbortSignal.timeout(PATIENCE) });
    return Object.assign(response, { html: await response.text() });
  } catch {
    return null;
  }
}

export function fragmentOf({ html }) {
  return document.createRange().createContextualFragment(html);
}

/** A UUID; browsers offer randomUUID only over https and on this very machine. */
export function requestId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
