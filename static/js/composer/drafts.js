// Text that the server does not have yet, kept in this browser: what is typed (a draft), and what
// was sent and not confirmed (unsent). It survives reloads, errors and signing in. It belongs to
// the account of its page: another account never sees or sends it.

import {
  createRequestId,
  getEarlierPageAccounts,
  getPageAccount,
  IDENTITY_FIELDS,
} from "../http.js";
import { listKeys, readValue, writeValue } from "../storage.js";

const NEW_CHAT_ACTION = "/c/";
const PAGE_FIELDS = [...IDENTITY_FIELDS, "request_id", "default_model", "parent", "seen"];

const buildKey = (kind, action, ...id) => [kind, getPageAccount(), action, ...id].join(" ");
const buildSignOutKey = (account = getPageAccount()) => `signed-out ${account}`;
const buildNewIdKey = (account) => `new-id ${account}`;

/**
 * A draft of the composer. `version` is the last one that the server confirmed, `attempt` the last
 * one that was sent to it, `isSaved` whether it has these fields, and `at` the time in ms.
 * @typedef {{fields: Object<string, string>, version: number, attempt: number, isSaved: boolean,
 *   at: number}} DraftRecord
 */

/** The fields of a form that its person filled. The model is one of them only if it is not the
 *  default, because there may be a better default next time.
 *  @param {string} usual the default model; also the name of a stored field */
export function readFilledFields(form, usual) {
  const filled = omitPageFields([...new FormData(form)].filter(([, value]) => value));
  if (filled.model === usual) delete filled.model;
  return filled.model ? { ...filled, usual } : filled;
}

function omitPageFields(fields) {
  return Object.fromEntries(fields.filter(([name]) => !PAGE_FIELDS.includes(name)));
}

/** @param {string} action the URL that the form posts to: of a conversation, of a new one, or of a
 *    message that is edited
 *  @returns {(DraftRecord & {id: string})[]} */
export function listStoredDrafts(action) {
  nameLegacyDraft(action);
  const prefix = buildKey("draft", action, "");
  return listKeys()
    .filter((key) => key.startsWith(prefix))
    .map((key) => ({ ...readValue(key), id: key.slice(prefix.length) }))
    .filter(({ fields }) => fields);
}

/** Before drafts had ids, there was one for each action. */
function nameLegacyDraft(action) {
  const key = buildKey("draft", action);
  const stored = readValue(key);
  if (!stored) return;
  const fields = omitPageFields(Object.entries(stored).filter(([, value]) => value));
  writeStoredDraft(action, createRequestId(), createRecord(fields));
  writeItem(key, null);
}

/** @returns {DraftRecord} */
export function createRecord(fields) {
  return { fields, version: 0, attempt: 0, isSaved: false, at: Date.now() };
}

/** Of a draft that the server has, a full browser must not keep an older text.
 *  @param {DraftRecord | null} record */
export function writeStoredDraft(action, id, record) {
  if (record?.isSaved) writeItem(buildKey("draft", action, id), null);
  writeItem(buildKey("draft", action, id), record);
}

// The draft that this tab had open last. It survives a reload; a duplicate of the tab has it too.

export function readTabDraft(action) {
  const accounts = [getPageAccount(), ...getEarlierPageAccounts()];
  const drafts = accounts.map((of) => readValue(["tab", of, action].join(" "), "sessionStorage"));
  return drafts.find(Boolean) ?? null;
}

export function writeTabDraft(action, id) {
  writeItem(buildKey("tab", action), id, "sessionStorage");
}

// Messages that were sent and not confirmed

/** @param {URLSearchParams} fields of a message, its request id among them */
export function saveUnsent(action, fields) {
  const stored = new URLSearchParams(fields);
  for (const name of IDENTITY_FIELDS) stored.delete(name);
  writeItem(buildKey("unsent", action), {
    ...readValue(buildKey("unsent", action)),
    [fields.get("request_id")]: stored.toString(),
  });
}

export function deleteUnsent(action, fields) {
  const { [fields.get("request_id")]: _, ...rest } = readValue(buildKey("unsent", action)) ?? {};
  writeItem(buildKey("unsent", action), Object.keys(rest).length ? rest : null);
}

/** @returns {URLSearchParams[]} */
export function readUnsent(action) {
  return Object.values(readValue(buildKey("unsent", action)) ?? {}).map(
    (fields) => new URLSearchParams(fields),
  );
}

// Signing out

/**
 * A text that the server may not have. `isMessage`: it was sent, and not confirmed.
 * @typedef {{action: string, id: string, fields: Object<string, string>, base: number,
 *   attempt: number, isMessage?: boolean}} UnsavedText
 */

/** Called at a sign-out, so that nothing is left for the next person at this computer. From now on
 *  no open page of the account stores anything.
 *  @returns {{items: [string, any][], unsaved: UnsavedText[]}} `items`: all keys and their values */
export function takeAccountTexts() {
  const accounts = listPageAccounts();
  const items = listTextKeys((of) => accounts.includes(of)).map((key) => [key, readValue(key)]);
  for (const [key] of items) writeItem(key, null);
  for (const account of accounts) writeValue(buildSignOutKey(account), true);
  return { items, unsaved: items.flatMap(findUnsavedTexts) };
}

/** They did not sign out. */
export function restoreAccountTexts(items) {
  for (const account of listPageAccounts()) writeValue(buildSignOutKey(account), null);
  for (const [key, value] of items) writeItem(key, value);
}

/** The id of this page's account, and the one that newer pages have for it. */
function listPageAccounts() {
  const account = getPageAccount();
  return [account, readValue(buildNewIdKey(account))].filter((id) => id !== null);
}

function findUnsavedTexts([key, value]) {
  const [kind, , action, id] = key.split(" ");
  if (kind === "unsent")
    return Object.values(value ?? {}).map((text) => toUnsavedText(action, text));
  const { fields = {}, version: base, attempt, isSaved } = value ?? {};
  const isUnsaved = fields.text?.trim() ? !isSaved : isPromptAlone(action, fields);
  return id && isUnsaved ? [{ action, id, fields, base, attempt }] : [];
}

/** Other settings without a text are not counted, nor the prompt of a chat that has begun. */
function isPromptAlone(action, { system_prompt: prompt }) {
  return action === NEW_CHAT_ACTION && Boolean(prompt?.trim());
}

function toUnsavedText(action, message) {
  const fields = Object.fromEntries(new URLSearchParams(message));
  const { draft, draft_version: version = 0, request_id: requestId, ...rest } = fields;
  const base = Number(version);
  const id = draft ?? requestId;
  return {
    action,
    id,
    fields: omitPageFields(Object.entries(rest)),
    base,
    attempt: base,
    isMessage: true,
  };
}

/** A new page of the account stores texts, because the account has signed in. */
export function startStoring() {
  deleteLegacyDrafts();
  writeValue(buildSignOutKey(), null);
  for (const earlier of getEarlierPageAccounts()) moveTexts(earlier);
}

/** The server has a new secret key, which gives each account another id. */
function moveTexts(earlier) {
  const account = getPageAccount();
  for (const key of listTextKeys((of) => of === earlier)) {
    const [kind, , ...rest] = key.split(" ");
    const newKey = [kind, account, ...rest].join(" ");
    if (!readValue(newKey)) writeItem(newKey, readValue(key));
    writeItem(key, null);
    writeValue(buildNewIdKey(earlier), account);
  }
}

/** Keys of an older version name no account, so their text may belong to anyone. */
function deleteLegacyDrafts() {
  for (const key of listTextKeys((of) => of.startsWith("/"))) writeItem(key, null);
}

function listTextKeys(isMeant) {
  return listKeys().filter((key) => {
    const [kind, of = "/"] = key.split(" ");
    return ["draft", "unsent"].includes(kind) && isMeant(of);
  });
}

function writeItem(key, value, storage) {
  if (value === null || !readValue(buildSignOutKey())) writeValue(key, value, storage);
}
