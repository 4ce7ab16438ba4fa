// Text that the server does not have yet, kept in this browser: what is typed (a draft), and what
// was sent and not confirmed (unsent). It survives reloads, errors and signing in. It belongs to
// the account of its page: another account never sees or sends it.

import { IDENTITY_FIELDS, getPageAccount } from "../http.js";

const PAGE_FIELDS = [...IDENTITY_FIELDS, "request_id", "default_model", "parent", "seen"];

// One draft for each conversation and one for a new chat, by the URL that the form posts to.
const buildDraftKey = (form) => `draft ${getPageAccount()} ${form.getAttribute("action")}`;
const buildUnsentKey = (action) => `unsent ${getPageAccount()} ${action}`;

/** Saves the model only if it is not the default, because there may be a better default next time.
 *  @param {string} [usual] the default model; also the name of a stored field */
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
  const stored = new URLSearchParams(fields);
  for (const name of IDENTITY_FIELDS) stored.delete(name);
  writeItem(buildUnsentKey(action), {
    ...readItem(buildUnsentKey(action)),
    [fields.get("request_id")]: stored.toString(),
  });
}

export function deleteUnsent(action, fields) {
  const { [fields.get("request_id")]: _, ...rest } = readItem(buildUnsentKey(action)) ?? {};
  writeItem(buildUnsentKey(action), Object.keys(rest).length ? rest : null);
}

/** @returns {URLSearchParams[]} */
export function readUnsent(action) {
  return Object.values(readItem(buildUnsentKey(action)) ?? {}).map(
    (fields) => new URLSearchParams(fields),
  );
}

/** Called at a sign-out, so that nothing is left for the next person at this computer. */
export function deleteAccountDrafts(account) {
  deleteKeys((of) => of === account);
}

/** Keys of an older version name no account, so their text may belong to anyone. */
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

// A browser may refuse to store anything. Then a draft lasts as long as its page.

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
