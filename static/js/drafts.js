// What is not with the server yet, kept in this browser through a reload, an error, a sign-in:
// what is typed (a draft), and what was sent and not acknowledged (unsent). It belongs to the
// account of the page it was typed on: another account never sees or sends it.

import { IDENTITY_FIELDS, getPageAccount } from "./http.js";

const PAGE_FIELDS = [...IDENTITY_FIELDS, "request_id", "default_model", "parent", "seen"];

// One draft for each conversation and one for a new chat, told apart by where the form posts to.
const buildDraftKey = (form) => `draft ${getPageAccount()} ${form.getAttribute("action")}`;
const buildUnsentKey = (action) => `unsent ${getPageAccount()} ${action}`;

/** The model is kept where it is not the usual one: of that there may be a better one next time.
 *  @param {string} [usual] the model that the form has by itself */
export function saveDraft(form, usual = "") {
  const { model, ...rest } = omitPageFields([...new FormData(form)]);
  writeItem(buildDraftKey(form), model && model !== usual ? { ...rest, model, usual } : rest);
}

export function readDraft(form) {
  return omitPageFields(Object.entries(readItem(buildDraftKey(form)) ?? {}));
}

function omitPageFields(fields) {
  return Object.fromEntries(fields.filter(([name]) => !PAGE_FIELDS.includes(name)));
}

export function deleteDraft(form) {
  writeItem(buildDraftKey(form), null);
}

/** @param {URLSearchParams} fields of a message, its request id among them */
export function saveUnsent(action, fields) {
  const kept = new URLSearchParams(fields);
  for (const name of IDENTITY_FIELDS) kept.delete(name);
  writeItem(buildUnsentKey(action), { ...readItem(buildUnsentKey(action)), [fields.get("request_id")]: kept.toString() });
}

export function deleteUnsent(action, fields) {
  const { [fields.get("request_id")]: _, ...rest } = readItem(buildUnsentKey(action)) ?? {};
  writeItem(buildUnsentKey(action), Object.keys(rest).length ? rest : null);
}

/** @returns {URLSearchParams[]} */
export function readUnsent(action) {
  return Object.values(readItem(buildUnsentKey(action)) ?? {}).map((fields) => new URLSearchParams(fields));
}

/** People who sign out leave nothing behind for the next person at this screen. */
export function deleteAccountDrafts(account) {
  deleteKeys((of) => of === account);
}

/** Before there were accounts in the keys: nobody can tell any more whose text that is. */
export function deleteLegacyDrafts() {
  deleteKeys((of) => of.startsWith("/"));
}

function deleteKeys(isMeant) {
  try {
    for (const key of Object.keys(localStorage)) {
      const [kind, of = "/"] = key.split(" ");
      if (["draft", "unsent"].includes(kind) && isMeant(of)) localStorage.removeItem(key);
    }
  } catch {}
}

// A browser may refuse to store anything: then a draft is only as durable as its page.

function writeItem(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch {}
}

function readItem(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}
