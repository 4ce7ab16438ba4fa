// Changes the draft in the box when its person types, sends, or moves to another address. It is kept in
// this browser at once, and on the server a moment later.

import { changeDraft, draft, forgetDraft, openDraft, restoreTabDraft } from "./current-draft.js";
import { getServerDraft, removeServerDraft, replaceServerDrafts } from "./draft-list.js";
import { discardDraft } from "./draft-requests.js";
import { cancelSave, enqueue, saveDraft, scheduleSave } from "./draft-saving.js";
import { renderOthers, startSync } from "./draft-sync.js";
import { createRecord, readFilledFields } from "./drafts.js";
import { defaultModel, form, textBox, updateForm } from "./form.js";

export function startDrafts() {
  restoreTabDraft();
  startSync();
  textBox.addEventListener("beforeinput", onBeforeInput);
}

export function onInput() {
  keepDraft(readFilledFields(form, defaultModel));
  updateForm();
}

function keepDraft(fields) {
  const before = draft;
  changeDraft(fields);
  if (before?.isReplaced) renderOthers();
  scheduleSave();
}

/** Typing over the whole text of another device begins another draft. */
function onBeforeInput({ inputType }) {
  const isAll = textBox.selectionStart === 0 && textBox.selectionEnd === textBox.value.length;
  if (draft?.isFollowed && isAll && inputType.startsWith("insert")) draft.isReplaced = true;
}

/** @returns {{draft: string, draft_version: number} | null} fields for the message that the text is
 *    now, if the server may have the draft */
export function takeDraft() {
  if (!draft) return null;
  const { id, record } = draft;
  cancelSave();
  forgetDraft();
  removeServerDraft(id);
  return record.attempt ? { draft: id, draft_version: record.attempt } : null;
}

/** The text of a message that was not sent is back in the box, before what was there.
 *  @param {URLSearchParams} fields */
export function resumeDraft(fields) {
  const taken = findTakenDraft(fields);
  if (taken && !draft) openDraft(taken.id, taken);
  onInput();
  if (taken && draft?.id !== taken.id) enqueue(saveDraft).then(() => discardDraft(taken));
}

/** The message of a draft was removed. */
export function discardTakenDraft(fields) {
  const taken = findTakenDraft(fields);
  if (taken) enqueue(() => discardDraft(taken));
}

function findTakenDraft(fields) {
  const id = fields.get("draft");
  if (!id) return null;
  const version = getServerDraft(id)?.version ?? Number(fields.get("draft_version"));
  return { ...createRecord({ text: fields.get("text") }), id, version, attempt: version };
}

/** The conversation of this box has another address. */
export function moveDraft(action) {
  const moved = draft;
  if (moved) forgetDraft();
  form.setAttribute("action", action);
  replaceServerDrafts([]);
  if (moved) openDraft(moved.id, moved.record);
  if (moved) keepDraft(moved.record.fields);
  renderOthers();
}
