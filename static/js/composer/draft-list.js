// The drafts of the conversation, or of new chats: those of the server and those of this browser.

import { toRecord } from "./draft-requests.js";
import { createRecord, listStoredDrafts, readUnsent, writeStoredDraft } from "./drafts.js";
import { createRequestId } from "../http.js";
import { getAction } from "./form.js";

/** @typedef {import("./draft-requests.js").ServerDraft} ServerDraft */

let serverDrafts = new Map(); // id → record
let knownVersions = new Map(); // id → the version that this page has seen

/** @param {ServerDraft[]} list */
export function replaceServerDrafts(list) {
  serverDrafts = new Map(list.filter(({ text }) => text).map((one) => [one.id, toRecord(one)]));
}

/** @param {ServerDraft} draft */
export function addServerDraft(draft) {
  serverDrafts.set(draft.id, toRecord(draft));
}

export function getServerDraft(id) {
  return serverDrafts.get(id);
}

export function removeServerDraft(id) {
  serverDrafts.delete(id);
}

/** The page shows the drafts as they are now. */
export function noteVersions() {
  knownVersions = new Map([...serverDrafts].map(([id, { version }]) => [id, version]));
}

/** Whether another device wrote the draft since. */
export function isNews({ id, version }) {
  return version > (knownVersions.get(id) ?? 0);
}

/** @param {Set<string>} openIds the drafts in boxes
 *  @returns the others, newest first, without those that are messages not sent yet */
export function listDrafts(openIds) {
  const all = new Map(serverDrafts);
  for (const stored of listStoredDrafts(getAction())) all.set(stored.id, stored);
  const unsent = new Set(readUnsent(getAction()).map((fields) => fields.get("draft")));
  return [...all.values()]
    .filter(({ id }) => !openIds.has(id) && !unsent.has(id))
    .sort((one, other) => other.at - one.at);
}

/** The list in a page may be older than the last save of the page before it.
 *  @param {Set<string>} ids of the list; what was saved here is added
 *  @returns {boolean} whether that is more than the list has */
export function trustStoredDrafts(ids) {
  const before = ids.size;
  for (const { id, isSaved } of listStoredDrafts(getAction())) if (isSaved) ids.add(id);
  return ids.size > before;
}

/** Delete from this browser what the server has, and what was sent elsewhere; but not what is in a
 *  box. A text that was changed both here and elsewhere becomes a draft of its own.
 *  @param {Set<string>} ids of the drafts on the server */
export function dropStoredDrafts(ids, openIds) {
  for (const stored of listStoredDrafts(getAction())) {
    if (openIds.has(stored.id)) continue;
    const theirs = serverDrafts.get(stored.id);
    const isSame = theirs?.fields.text === stored.fields.text;
    if (theirs ? isSame || stored.isSaved : stored.isSaved && !ids.has(stored.id))
      writeStoredDraft(getAction(), stored.id, null);
    else if (theirs?.version > stored.version) renameStoredDraft(stored);
  }
}

function renameStoredDraft({ id, fields, at }) {
  writeStoredDraft(getAction(), id, null);
  writeStoredDraft(getAction(), createRequestId(), { ...createRecord(fields), at });
}
