// The draft in the box: which one it is, and its copy in this browser. A draft is in the box of one
// tab of a browser; another device may continue it while this one does not.

import { createRequestId } from "../http.js";
import {
  createRecord,
  listStoredDrafts,
  readTabDraft,
  writeStoredDraft,
  writeTabDraft,
} from "./drafts.js";
import { fillForm, getAction, isTextFilled, textBox, updateForm } from "./form.js";
import { hold, release } from "./holds.js";

/**
 * `isHeld` is undefined until the browser has answered, and false if another tab has the draft.
 * `isFollowed`: another device wrote the text, and nothing was changed here.
 * @type {{id: string, record: import("./drafts.js").DraftRecord, isHeld?: boolean,
 *   isFollowed: boolean, isReplaced?: boolean} | null}
 */
export let draft = null;

export function openDraft(id, record, isFollowed = false) {
  const opened = { id, record, isFollowed };
  draft = opened;
  writeTabDraft(getAction(), id);
  hold(id).then((isHeld) => (opened.isHeld = isHeld));
}

/** @param {object} fields what the form has now */
export function changeDraft(fields) {
  const isEmpty = !Object.keys(fields).length;
  if (!draft && isEmpty) return;
  if (isEmpty && !draft.record.attempt) return forgetDraft();
  if (!draft || draft.isHeld === false || draft.isReplaced) beginDraft();
  draft.isFollowed = false;
  Object.assign(draft.record, { fields, isSaved: false, at: Date.now() });
  storeDraft();
}

function beginDraft() {
  if (draft?.isReplaced) release(draft.id);
  openDraft(createRequestId(), createRecord({}));
}

export function storeDraft() {
  writeStoredDraft(getAction(), draft.id, draft.record);
}

export function forgetDraft() {
  if (draft.isHeld !== false) writeStoredDraft(getAction(), draft.id, null);
  writeTabDraft(getAction(), null);
  release(draft.id);
  draft = null;
}

/** Put a draft into the box. */
export function showDraft({ id, ...record }) {
  if (draft) forgetDraft();
  openDraft(id, record, record.version > 0);
  storeDraft();
  fillForm(record.fields);
  updateForm();
}

/** Also after a reload, and in a duplicate of a tab, which then has the text twice. */
export function restoreTabDraft() {
  const id = readTabDraft(getAction());
  const stored = listStoredDrafts(getAction()).find((one) => one.id === id);
  if (!stored) return;
  const isOther = isTextFilled && stored.fields.text && stored.fields.text !== textBox.value;
  fillForm(isOther ? { ...stored.fields, text: textBox.value } : stored.fields);
  if (isOther) return;
  const { id: _, ...record } = stored;
  openDraft(id, record);
}
