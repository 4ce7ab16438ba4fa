// How a page asks its server: forms that are posted, and fragments in the way htmx asks for them.

const REQUEST_TIMEOUT_MS = 30_000; // milliseconds before what is asked counts as not answered
const FRAGMENT_HEADERS = { "HX-Request": "true" };

export const TOKEN_FIELD = "csrfmiddlewaretoken";
export const ACCOUNT_FIELD = "account";
/** What says whose a form is, and is no part of what somebody wrote into it. */
export const IDENTITY_FIELDS = [TOKEN_FIELD, ACCOUNT_FIELD];

const ACCOUNT_HEADER = "X-Account"; // of this page; of the session, in an answer that refuses this page
const TOKEN_PAGE = "/accounts/login/"; // a page that sets the cookie with the token

/** The token of the session as it is now: signing in, also in another tab, makes another one. */
export function readCsrfToken() {
  return /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
}

/** The account this page was made for; "" for anonymous visitors. */
export function getPageAccount() {
  return document.querySelector("meta[name='account']")?.content ?? "";
}

export function buildHeaders() {
  return { ...FRAGMENT_HEADERS, [ACCOUNT_HEADER]: getPageAccount() };
}

/** The fields never decide which token or account counts: they may be older than the session.
 *  @returns {Promise<Response & {html: string} | null>} null where not all of it came */
export async function postForm(action, body = new URLSearchParams()) {
  for (const name of IDENTITY_FIELDS) body.delete(name);
  const token = readCsrfToken();
  const response = await postWithToken(token, action, body);
  if (response?.status !== 403) return response;
  await fetchFragment(TOKEN_PAGE); // the cookie may have been deleted
  return readCsrfToken() === token ? response : postWithToken(readCsrfToken(), action, body);
}

function postWithToken(token, action, body) {
  const csrf = token || document.querySelector(`[name="${TOKEN_FIELD}"]`).value;
  return fetchText(action, { method: "POST", body, headers: { ...buildHeaders(), "X-CSRFToken": csrf } });
}

/** @returns {Promise<Response & {html: string} | null>} null where not all of it came */
export function fetchFragment(address) {
  return fetchText(address, { headers: buildHeaders() });
}

/** Was this refused because somebody else is signed in in this browser now? */
export function isAccountMismatch(response) {
  return response?.status === 409 && response.headers.has(ACCOUNT_HEADER);
}

/** A connection may break within an answer, too. */
async function fetchText(address, options) {
  try {
    const response = await fetch(address, { ...options, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    const answer = Object.assign(response, { html: await response.text() });
    if (isAccountMismatch(answer)) reportAccountMismatch(options.method === "POST");
    return answer;
  } catch {
    return null;
  }
}

/** @param {boolean} isAct whether the person did something that was refused */
export function reportAccountMismatch(isAct = false) {
  document.dispatchEvent(new CustomEvent("account-mismatch", { detail: { isAct } }));
}

export function parseFragment({ html }) {
  return document.createRange().createContextualFragment(html);
}

/** A UUID; browsers offer randomUUID only over https and on this very machine. */
export function createRequestId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
