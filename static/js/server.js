// How a page asks its server: forms that are posted, and fragments in the way htmx asks for them.

const PATIENCE = 30_000; // milliseconds before what is asked counts as not answered
const FRAGMENT = { "HX-Request": "true" };

export const TOKEN_FIELD = "csrfmiddlewaretoken";
export const ACCOUNT_FIELD = "account";
/** What says whose a form is, and is no part of what somebody wrote into it. */
export const OURS = [TOKEN_FIELD, ACCOUNT_FIELD];

const ACCOUNT = "X-Account"; // of this page; of the session, in an answer that refuses this page
const SETS_TOKEN = "/accounts/login/"; // a page that sets the cookie with the token

/** The token of the session as it is now: signing in, also in another tab, makes another one. */
export function currentToken() {
  return /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
}

/** The account this page was made for; "" for anonymous visitors. */
export function account() {
  return document.querySelector("meta[name='account']")?.content ?? "";
}

export function headers() {
  return { ...FRAGMENT, [ACCOUNT]: account() };
}

/** The fields never decide which token or account counts: they may be older than the session.
 *  @returns {Promise<Response & {html: string} | null>} null where not all of it came */
export async function post(action, body = new URLSearchParams()) {
  for (const name of OURS) body.delete(name);
  const token = currentToken();
  const response = await postWith(token, action, body);
  if (response?.status !== 403) return response;
  await ask(SETS_TOKEN); // the cookie may have been deleted
  return currentToken() === token ? response : postWith(currentToken(), action, body);
}

function postWith(token, action, body) {
  const csrf = token || document.querySelector(`[name="${TOKEN_FIELD}"]`).value;
  return whole(action, { method: "POST", body, headers: { ...headers(), "X-CSRFToken": csrf } });
}

/** @returns {Promise<Response & {html: string} | null>} null where not all of it came */
export function ask(address) {
  return whole(address, { headers: headers() });
}

/** Was this refused because somebody else is signed in in this browser now? */
export function isSomeoneElse(response) {
  return response?.status === 409 && response.headers.has(ACCOUNT);
}

/** A connection may break within an answer, too. */
async function whole(address, options) {
  try {
    const response = await fetch(address, { ...options, signal: AbortSignal.timeout(PATIENCE) });
    const answer = Object.assign(response, { html: await response.text() });
    if (isSomeoneElse(answer)) tellOfSomeoneElse(options.method === "POST");
    return answer;
  } catch {
    return null;
  }
}

/** @param {boolean} isAct whether the person did something that was refused */
export function tellOfSomeoneElse(isAct = false) {
  document.dispatchEvent(new CustomEvent("someone-else", { detail: { isAct } }));
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
