// What is not with the server yet, kept in this browser through a reload, an error, a sign-in:
// what is typed (a draft), and what was sent and not acknowledged (unsent). It belongs to the
// account of the page it was typed on: another account never sees or sends it.

import { OURS, account } from "./server.js";

const OF_THIS_PAGE = [...OURS, "request_id", "default_model", "parent", "seen"];

// One draft for each conversation and one for a new chat, told apart by where the form posts to.
const draftKey = (form) => `draft ${account()} ${form.getAttribute("action")}`;
const unsentKey = (action) => `unsent ${account()} ${action}`;

/** The model is kept where it is not the usual one: of that there may be a better one next time.
 *  @param {string} [usual] the model that the form has by itself */
export function keepDraft(form, usual = "") {
  const { model, ...rest } = theirs([...new FormData(form)]);
  write(draftKey(form), model && model !== usual ? { ...rest, model, usual } : rest);
}

export function draft(form) {
  return theirs(Object.entries(read(draftKey(form)) ?? {}));
}

function theirs(fields) {
  return Object.fromEntries(fields.filter(([name]) => !OF_THIS_PAGE.includes(name)));
}

export function dropDraft(form) {
  write(draftKey(form), null);
}

/** @param {URLSearchParams} fields of a message, its request id among them */
export function keepUnsent(action, fields) {
  const kept = new URLSearchParams(fields);
  for (const name of OURS) kept.delete(name);
  write(unsentKey(action), { ...read(unsentKey(action)), [fields.get("request_id")]: kept.toString() });
}

export function dropUnsent(action, fields) {
  const { [fields.get("request_id")]: _, ...rest } = read(unsentKey(action)) ?? {};
  write(unsentKey(action), Object.keys(rest).length ? rest : null);
}

/** @returns {URLSearchParams[]} */
export function unsent(action) {
  return Object.values(read(unsentKey(action)) ?? {}).map((fields) => new URLSearchParams(fields));
}

/** People who sign out leave nothing behind for the next person at this screen. */
export function forget(account) {
  dropKeys((of) => of === account);
}

/** Before there were accounts in the keys: nobody can tell any more whose text that is. */
export function dropOld() {
  dropKeys((of) => of.startsWith("/"));
}

function dropKeys(isMeant) {
  try {
    for (const key of Object.keys(localStorage)) {
      const [kind, of = "/"] = key.split(" ");
      if (["draft", "unsent"].includes(kind) && isMeant(of)) localStorage.removeItem(key);
    }
  } catch {}
}

// A browser may refuse to store anything: then a draft is only as durable as its page.

function write(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch {}
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}
