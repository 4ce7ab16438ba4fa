// Saves on the server what this browser alone has, before its person signs out.

import { createRequestId, postForm } from "../http.js";

const SAVE_TIMEOUT_MS = 2000;
const SAVED_STATUS = 200;
const GONE_STATUS = 404; // the conversation was deleted, and its drafts with it
const PLACE = /^\/c\/(?:([^/]+)\/messages\/)?$/; // that a message is posted to; edits have no draft on the server
const WRITER = createRequestId(); // this page

/** @typedef {import("./drafts.js").UnsavedText} UnsavedText */

/** @param {UnsavedText[]} texts
 *  @returns {Promise<boolean>} whether the server has all of them */
export async function saveTexts(texts) {
  const results = await Promise.all(texts.map(saveInTime));
  return results.every(Boolean);
}

function saveInTime(text) {
  const timeout = new Promise((resolve) => setTimeout(resolve, SAVE_TIMEOUT_MS, false));
  return Promise.race([saveText(text), timeout]);
}

/** @param {UnsavedText} text
 *  @returns {Promise<boolean>} whether the server has it */
async function saveText(text) {
  const place = PLACE.exec(text.action);
  if (!place || !text.fields.text?.trim()) return false; // it stores no settings alone
  const response = await postText(text, place[1] ?? "");
  if (response?.status === GONE_STATUS) return true;
  if (response?.status !== SAVED_STATUS) return false;
  const other = readOtherDraft(response);
  if (other === undefined || other?.text === text.fields.text) return true;
  if (text.isMessage && !other?.text) return true; // it was sent, and the response was lost
  const next =
    other?.version === text.attempt ? { base: other.version } : { id: createRequestId() };
  const again = await postText(
    { ...text, base: 0, attempt: text.attempt, ...next },
    place[1] ?? "",
  );
  return again?.status === SAVED_STATUS && readOtherDraft(again) === undefined;
}

function postText({ id, fields, base, attempt }, conversation) {
  const version = Math.max(base, attempt) + 1;
  const body = new URLSearchParams({ ...fields, base, version, writer: WRITER, conversation });
  return postForm(`/drafts/${id}/`, body, { isAct: false });
}

/** @returns {{text: string, version: number} | null | undefined} what another page made of the
 *    draft; undefined if it was saved */
function readOtherDraft({ html }) {
  try {
    return JSON.parse(html).draft;
  } catch {
    return null;
  }
}
