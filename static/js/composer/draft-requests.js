// Requests that store drafts on the server and read them, for the other devices of their account.

import { fetchFragment, postForm } from "../http.js";
import { getConversationId } from "./form.js";
import { getTabId } from "./tab-id.js";

/** @typedef {import("./drafts.js").DraftRecord} DraftRecord */
/** @typedef {{id: string, version: number, age: number, text?: string,
 *    settings?: Object<string, string>}} ServerDraft `age` in seconds */

const MAX_DRAFT_BYTES = 50_000; // in UTF-8; the server has the same limit

/** The text and settings that a draft has on the server, in the page as it was loaded.
 *  @returns {ServerDraft[] | null} null if the server did not say */
export function readPageDrafts() {
  return parseJson(document.getElementById("drafts")?.textContent) || null;
}

/** @returns {Promise<ServerDraft[] | null>} the drafts of this conversation, or of new ones */
export async function fetchDrafts() {
  const response = await fetchFragment(`/drafts/?conversation=${getConversationId()}`);
  return (response?.ok && parseJson(response.html)?.drafts) || null;
}

/**
 * Store the fields of a record, as its version `attempt`.
 * @param {DraftRecord} record
 * @returns {Promise<{status: number, version?: number, revision?: number,
 *   draft?: ServerDraft | null}>} `status` is 0 without a response, and `draft` is what the server
 *   has instead
 */
export async function postDraft(id, { fields, version, attempt }, keepalive = false) {
  const body = new URLSearchParams({
    ...fields,
    base: version,
    version: attempt,
    writer: await getTabId(), // after a reload it goes on from a save whose response was lost
    conversation: getConversationId(),
  });
  const response = await postForm(`/drafts/${id}/`, body, { isAct: false, keepalive });
  return { status: response?.status ?? 0, ...parseJson(response?.html) };
}

/** Whether the server accepts it. A longer draft stays in this browser. */
export function isShortEnough(fields) {
  return new TextEncoder().encode(Object.values(fields).join("")).length <= MAX_DRAFT_BYTES;
}

/** Delete a draft that has this text, unless it has another one by now. */
export async function discardDraft({ id, version, fields }) {
  const discard = (base) => postDraft(id, { fields: {}, version: base, attempt: base + 1 });
  const { draft } = await discard(version);
  if (draft && draft.text === fields.text) await discard(draft.version);
}

/** @param {ServerDraft} draft
 *  @returns {DraftRecord & {id: string}} */
export function toRecord({ id, version, age, text, settings }) {
  const at = Date.now() - age * 1000;
  return { id, fields: { ...settings, text }, version, attempt: version, isSaved: true, at };
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
