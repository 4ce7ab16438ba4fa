// Requests to the server: posted forms, and fragments, with the headers that htmx sends.

import { trustHtml } from "./trusted-html.js";

const REQUEST_TIMEOUT_MS = 30_000;
const FRAGMENT_HEADERS = { "HX-Request": "true" };

export const TOKEN_FIELD = "csrfmiddlewaretoken";
export const ACCOUNT_FIELD = "account";
/** The fields that say who a form belongs to. They are no part of its content. */
export const IDENTITY_FIELDS = [TOKEN_FIELD, ACCOUNT_FIELD];

const ACCOUNT_HEADER = "X-Account"; // the account of this page; in a response that rejects it, that of the session
const TOKEN_PAGE = "/accounts/login/"; // sets the cookie with the CSRF token

/** The session's current token. It changes when someone signs in, in this tab or another. */
export function readCsrfToken() {
  return /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
}

/** The account that this page was rendered for; "" for anonymous visitors. */
export function getPageAccount() {
  return document.querySelector("meta[name='account']")?.content ?? "";
}

/** Other ids of the same account, from pages that are older than the server's newest secret key. */
export function getEarlierPageAccounts() {
  const { earlier } = document.querySelector("meta[name='account']")?.dataset ?? {};
  return earlier?.split(" ").filter(Boolean) ?? [];
}

export function buildHeaders() {
  return { ...FRAGMENT_HEADERS, [ACCOUNT_HEADER]: getPageAccount() };
}

/** Post a form. Its own token and account are dropped, because they may be older than the session.
 *  @param {{isAct?: boolean, keepalive?: boolean}} [options] `isAct`: whether the person did it;
 *    `keepalive`: it may outlive the page
 *  @returns {Promise<Response & {html: string} | null>} null if no complete response came */
export async function postForm(action, body = new URLSearchParams(), options = {}) {
  for (const name of IDENTITY_FIELDS) body.delete(name);
  const token = readCsrfToken();
  const response = await postWithToken(token, action, body, options);
  if (response?.status !== 403) return response;
  await fetchFragment(TOKEN_PAGE); // someone may have deleted the cookie
  const newToken = readCsrfToken();
  return newToken === token ? response : postWithToken(newToken, action, body, options);
}

function postWithToken(token, action, body, { isAct = true, keepalive = false }) {
  const csrf = token || document.querySelector(`[name="${TOKEN_FIELD}"]`).value;
  const headers = { ...buildHeaders(), "X-CSRFToken": csrf };
  return fetchText(action, { method: "POST", body, headers, keepalive }, isAct);
}

/** @returns {Promise<Response & {html: string} | null>} null if no complete response came */
export function fetchFragment(address, headers = {}) {
  return fetchText(address, { headers: { ...buildHeaders(), ...headers } });
}

/** Whether the server rejected the request because another account is signed in now. */
export function isAccountMismatch(response) {
  return response?.status === 409 && response.headers.has(ACCOUNT_HEADER);
}

/** Reads the whole body here, because a connection may also break inside it. */
async function fetchText(address, options, isAct = false) {
  try {
    const response = await fetch(address, {
      ...options,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    Object.assign(response, { html: await response.text() });
    if (isAccountMismatch(response)) reportAccountMismatch(isAct);
    return response;
  } catch {
    return null;
  }
}

/** @param {boolean} isAct whether the server rejected an action of the person */
export function reportAccountMismatch(isAct = false) {
  document.dispatchEvent(new CustomEvent("account-mismatch", { detail: { isAct } }));
}

export function parseFragment({ html }) {
  return document.createRange().createContextualFragment(trustHtml(html));
}

/**
 * @returns {Element[]} the messages of a response; none if it failed, or is the page of a captive
 *   portal
 */
export function parseArticles(response) {
  return response?.ok ? [...parseFragment(response).querySelectorAll("article")] : [];
}

export function parseArticle(response) {
  return parseArticles(response).at(0);
}

/** A UUID. Browsers offer randomUUID only over https and on localhost. */
export function createRequestId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
