// Saves the draft in the box on the server, a moment after a change. If another device has changed
// the draft as well, each text becomes a draft of its own.

import { draft, forgetDraft, storeDraft } from "./current-draft.js";
import { isShortEnough, postDraft } from "./draft-requests.js";
import { getTabId } from "./tab-id.js";

const SAVE_DELAY_MS = 1000; // after a change
const RETRY_DELAY_MS = 10_000; // after a save that failed
const RETRIED_STATUSES = [0, 429, 500, 502, 503, 504];
const SAVED_STATUS = 200;

let saveTimer = 0;
let retryAt = 0; // ms; no save before
let queue = Promise.resolve(); // saves and fetches go one by one, so that no list is older than a save
let separateDraft = null;
const ownRevisions = new Set(); // of the saves of this page

/** `separate` is called with what another device made of the draft, null if it is not known. */
export function startSaving(separate) {
  separateDraft = separate;
  getTabId(); // a page that is closed can't wait for it
  document.addEventListener("visibilitychange", () => document.hidden && saveNow());
  addEventListener("pagehide", saveNow);
  document.addEventListener("signing-out", saveNow);
}

/** If the task fails, the next ones run all the same. */
export function enqueue(task) {
  const done = queue.then(task);
  queue = done.catch(() => {});
  return done;
}

function isUnsaved() {
  if (!draft || draft.record.isSaved || draft.isHeld === false) return false;
  const { fields, attempt } = draft.record; // settings alone stay in this browser
  return fields.text ? isShortEnough(fields) : attempt > 0;
}

export function scheduleSave(delay = SAVE_DELAY_MS) {
  if (saveTimer || !isUnsaved()) return;
  saveTimer = setTimeout(
    () => {
      saveTimer = 0;
      enqueue(saveDraft);
    },
    Math.max(delay, retryAt - Date.now()),
  );
}

export function cancelSave() {
  clearTimeout(saveTimer);
  saveTimer = 0;
}

function saveNow() {
  if (isUnsaved()) saveDraft(true);
}

export async function saveDraft(keepalive) {
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

/** Whether a save of this page made the revision. Each is asked for once. */
export function isOwnRevision(revision) {
  return ownRevisions.delete(revision);
}
