// The draft in the box. It is kept in this browser at once, and on the server a moment later. A
// draft is in the box of one tab of a browser; another device may continue it while this one does
// not. If both write at once, each text becomes a draft of its own.

import { createRequestId } from "../http.js";
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
import {
  discardDraft,
  fetchDrafts,
  isShortEnough,
  postDraft,
  readPageDrafts,
} from "./draft-requests.js";
import {
  createRecord,
  listStoredDrafts,
  readFilledFields,
  readTabDraft,
  writeStoredDraft,
  writeTabDraft,
} from "./drafts.js";
import {
  defaultModel,
  fillForm,
  form,
  getAction,
  isTextFilled,
  textBox,
  updateForm,
} from "./form.js";
import { hold, listHeldElsewhere, release } from "./holds.js";
import { renderOtherDrafts, startOtherDrafts } from "./other-drafts.js";

const SAVE_DELAY_MS = 1000; // after a change
const RETRY_DELAY_MS = 10_000; // after a save that failed
const RETRIED_STATUSES = [0, 429, 500, 502, 503, 504];
const SAVED_STATUS = 200;

/**
 * `isHeld` is undefined until the browser has answered, and false if another tab has the draft.
 * `isFollowed`: another device wrote the text, and nothing was changed here.
 * @type {{id: string, record: import("./drafts.js").DraftRecord, isHeld?: boolean,
 *   isFollowed: boolean, isReplaced?: boolean} | null}
 */
let draft = null;
let saveTimer = 0;
let retryAt = 0; // ms; no save before
let queue = Promise.resolve(); // saves and fetches go one by one, so that no list is older than a save
const ownRevisions = new Set(); // of the saves of this page

export function startDrafts() {
  startOtherDrafts();
  restoreTabDraft();
  enqueue(() => applyList(readPageDrafts(), true));
  document.addEventListener("drafts-changed", ({ detail }) => enqueue(() => refresh(detail)));
  document.addEventListener("holds-changed", () => enqueue(() => applyList(null)));
  textBox.addEventListener("beforeinput", onBeforeInput);
  document.addEventListener("visibilitychange", () => document.hidden && saveNow());
  addEventListener("pagehide", saveNow);
  addEventListener("pageshow", ({ persisted }) => persisted && enqueue(resume));
  document.addEventListener("signing-out", saveNow);
}

function enqueue(task) {
  queue = queue.then(task);
  return queue;
}

// Typing, sending

export function onInput() {
  keepDraft(readFilledFields(form, defaultModel));
  updateForm();
}

function keepDraft(fields) {
  const isEmpty = !Object.keys(fields).length;
  if (!draft && isEmpty) return;
  if (isEmpty && !draft.record.attempt) return forgetDraft();
  if (!draft || draft.isHeld === false || draft.isReplaced) beginDraft();
  draft.isFollowed = false;
  Object.assign(draft.record, { fields, isSaved: false, at: Date.now() });
  storeDraft();
  scheduleSave();
}

/** Typing over the whole text of another device begins another draft. */
function onBeforeInput({ inputType }) {
  const isAll = textBox.selectionStart === 0 && textBox.selectionEnd === textBox.value.length;
  if (draft?.isFollowed && isAll && inputType.startsWith("insert")) draft.isReplaced = true;
}

function beginDraft() {
  const isContinued = draft?.isReplaced;
  if (isContinued) release(draft.id);
  openDraft(createRequestId(), createRecord({}));
  if (isContinued) renderOthers();
}

function openDraft(id, record, isFollowed = false) {
  const opened = { id, record, isFollowed };
  draft = opened;
  writeTabDraft(getAction(), id);
  hold(id).then((isHeld) => (opened.isHeld = isHeld));
}

function storeDraft() {
  writeStoredDraft(getAction(), draft.id, draft.record);
}

function forgetDraft() {
  if (draft.isHeld !== false) writeStoredDraft(getAction(), draft.id, null);
  writeTabDraft(getAction(), null);
  release(draft.id);
  draft = null;
}

/** @returns {{draft: string, draft_version: number} | null} fields for the message that the text is
 *    now, if the server may have the draft */
export function takeDraft() {
  if (!draft) return null;
  const { id, record } = draft;
  clearTimeout(saveTimer);
  saveTimer = 0;
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

// Saving

function isUnsaved() {
  if (!draft || draft.record.isSaved || draft.isHeld === false) return false;
  const { fields, attempt } = draft.record; // settings alone stay in this browser
  return fields.text ? isShortEnough(fields) : attempt > 0;
}

function scheduleSave(delay = SAVE_DELAY_MS) {
  if (saveTimer || !isUnsaved()) return;
  saveTimer = setTimeout(
    () => {
      saveTimer = 0;
      enqueue(saveDraft);
    },
    Math.max(delay, retryAt - Date.now()),
  );
}

function saveNow() {
  if (isUnsaved()) saveDraft(true);
}

async function saveDraft(keepalive) {
  if (!isUnsaved()) return;
  const saving = draft;
  const { record } = saving;
  record.attempt = Math.max(record.attempt, record.version) + 1;
  storeDraft();
  const { fields, attempt } = record;
  const { status, version, revision, draft: other } = await postDraft(saving.id, record, keepalive);
  if (revision) ownRevisions.add(revision);
  if (draft !== saving || record.attempt !== attempt) return; // sent, or saved again meanwhile
  if (version) {
    Object.assign(record, { version, isSaved: record.fields === fields });
    storeDraft();
    if (record.isSaved && !Object.keys(fields).length) forgetDraft();
  } else if (other !== undefined) separateDraft(other);
  if (status !== SAVED_STATUS) retryAt = Date.now() + RETRY_DELAY_MS;
  if (status === SAVED_STATUS || RETRIED_STATUSES.includes(status)) scheduleSave();
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

// Drafts of other tabs and devices

async function refresh(revision) {
  if (!ownRevisions.delete(revision)) await applyList(await fetchDrafts());
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

function showDraft({ id, ...record }) {
  if (draft) forgetDraft();
  openDraft(id, record, record.version > 0);
  storeDraft();
  fillForm(record.fields);
  updateForm();
}

/** Also after a reload, and in a duplicate of a tab, which then has the text twice. */
function restoreTabDraft() {
  const id = readTabDraft(getAction());
  const stored = listStoredDrafts(getAction()).find((one) => one.id === id);
  if (!stored) return;
  const isOther = isTextFilled && stored.fields.text && stored.fields.text !== textBox.value;
  fillForm(isOther ? { ...stored.fields, text: textBox.value } : stored.fields);
  if (isOther) return;
  const { id: _, ...record } = stored;
  openDraft(id, record);
}

async function renderOthers() {
  showOthers(await listHeldElsewhere());
}

function showOthers(heldElsewhere) {
  const others = listDrafts(listOpen(heldElsewhere));
  const written = others.filter(({ fields }) => fields.text?.trim());
  renderOtherDrafts(written, { insert: insertDraft, discard: discardOther });
}

function insertDraft(other) {
  if (!textBox.value) {
    hold(other.id).then(() => showDraft(other));
  } else {
    textBox.value = [textBox.value, other.fields.text].join("\n\n");
    onInput();
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
