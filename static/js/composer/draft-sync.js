// Keeps the box and the drafts beside it in line with other tabs and devices.

import { createRequestId } from "../http.js";
import { draft, forgetDraft, openDraft, showDraft, storeDraft } from "./current-draft.js";
import {
  addServerDraft,
  dropStoredDrafts,
  getServerDraft,
  isNews,
  listDrafts,
  noteVersions,
  removeServerDraft,
  replaceServerDrafts,
  trustStoredDrafts,
} from "./draft-list.js";
import { discardDraft, fetchDrafts, readPageDrafts } from "./draft-requests.js";
import { enqueue, isOwnRevision, saveDraft, scheduleSave, startSaving } from "./draft-saving.js";
import { createRecord, writeStoredDraft } from "./drafts.js";
import { fillForm, getAction, textBox, updateForm } from "./form.js";
import { hold, listHeldElsewhere, release } from "./holds.js";
import { renderOtherDrafts, startOtherDrafts } from "./other-drafts.js";

const RELOAD_MS = 3000; // a tab that is loaded again holds nothing for a moment

let shownIds = ""; // of the drafts beside the box

export function startSync() {
  startOtherDrafts();
  startSaving(separateDraft);
  enqueue(() => applyList(readPageDrafts(), true));
  document.addEventListener("drafts-changed", ({ detail }) => enqueue(() => refresh(detail)));
  document.addEventListener("holds-changed", () => enqueue(() => applyList(null)));
  addEventListener("pageshow", ({ persisted }) => persisted && enqueue(resume));
}

async function refresh(revision) {
  if (!isOwnRevision(revision)) await applyList(await fetchDrafts());
}

/** In the back/forward cache the page held nothing. */
async function resume() {
  const held = draft;
  if (held) held.isHeld = await hold(held.id);
  await refresh();
}

/** @param {import("./draft-requests.js").ServerDraft[] | null} list */
async function applyList(list, isStart = false) {
  const heldElsewhere = await listHeldElsewhere();
  let isEmptied = false;
  if (list) {
    replaceServerDrafts(list);
    const ids = new Set(list.map(({ id }) => id));
    if (isStart) {
      if (trustStoredDrafts(ids)) enqueue(refresh);
      ids.add(draft?.id);
    }
    isEmptied = followDraft(ids);
    dropStoredDrafts(ids, listOpen(heldElsewhere));
  }
  const opened = draft;
  if (opened?.isHeld === false) opened.isHeld = await hold(opened.id); // its tab may be closed now
  if (!isEmptied) await adoptDraft(listDrafts(listOpen(heldElsewhere)), isStart);
  noteVersions();
  showOthers(heldElsewhere);
  scheduleSave();
}

/** The drafts that are in a box, here or in another tab. */
function listOpen(heldElsewhere) {
  return new Set(heldElsewhere).add(draft?.id);
}

/** Show in the box what another device made of its draft, unless it was changed here too.
 *  @returns {boolean} whether the box was emptied, because its draft was sent or discarded */
function followDraft(ids) {
  const isUnchanged = draft?.record.isSaved || draft?.isHeld === false;
  if (!isUnchanged) return false;
  const theirs = getServerDraft(draft.id);
  const isGone = !theirs && !ids.has(draft.id) && draft.record.version > 0;
  if (theirs?.version > draft.record.version) {
    Object.assign(draft, { record: { ...theirs }, isFollowed: true });
    if (draft.isHeld !== false) storeDraft();
    fillForm(theirs.fields);
  } else if (isGone) {
    forgetDraft();
    fillForm({ text: "" });
  }
  updateForm();
  return isGone;
}

/** Put a draft into the empty box: the newest one, or later the one that another device writes. */
async function adoptDraft(others, isStart) {
  if (draft?.record.fields.text) return;
  const isFitting = (other) =>
    isStart
      ? !textBox.value || other.fields.text === textBox.value
      : !textBox.value && isNews(other);
  const fitting = others.filter(isFitting);
  const found = fitting.find(({ fields }) => fields.text) ?? (isStart && !draft && fitting[0]);
  if (!found || !(await hold(found.id))) return;
  if (textBox.value && textBox.value !== found.fields.text) {
    release(found.id); // typed meanwhile
    return;
  }
  showDraft(found);
}

/** Another device has changed the draft, or sent it. The text of this box becomes another one. */
function separateDraft(other) {
  const { fields } = draft.record;
  forgetDraft();
  if (other?.text) addServerDraft(other);
  if (fields.text) {
    openDraft(createRequestId(), createRecord(fields));
    storeDraft();
  }
  renderOthers();
}

// The drafts beside the box

export async function renderOthers() {
  showOthers(await listHeldElsewhere());
}

function showOthers(heldElsewhere) {
  const others = listDrafts(listOpen(heldElsewhere));
  const written = others.filter(({ fields }) => fields.text?.trim());
  renderOtherDrafts(written, { insert: insertDraft, discard: discardOther });
  const ids = written.map(({ id }) => id).join();
  if (ids && ids !== shownIds) setTimeout(renderOthers, RELOAD_MS);
  shownIds = ids;
}

function insertDraft(other) {
  if (!textBox.value) {
    hold(other.id).then(() => showDraft(other));
  } else {
    textBox.value = [textBox.value, other.fields.text].join("\n\n");
    textBox.dispatchEvent(new Event("input", { bubbles: true }));
    enqueue(saveDraft);
    discardOther(other);
  }
  textBox.focus();
}

function discardOther(other) {
  writeStoredDraft(getAction(), other.id, null);
  removeServerDraft(other.id);
  if (other.attempt) enqueue(() => discardDraft(other));
}
