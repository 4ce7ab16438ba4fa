// The text of a message that is being edited, kept in this browser. Each tab keeps its own, so that
// two tabs may edit the same message. That of a closed tab is in the next form for this message.

import { createRecord, listStoredDrafts, writeStoredDraft } from "./drafts.js";
import { listHeldElsewhere } from "./holds.js";
import { getTabId } from "./tab-id.js";

export async function saveEdit(form) {
  const record = createRecord({ text: form.elements.text.value });
  writeStoredDraft(form.getAttribute("action"), await getTabId(), record);
}

export async function deleteEdit(form) {
  writeStoredDraft(form.getAttribute("action"), await getTabId(), null);
}

/** Fill the form as it was left, also in a tab that is closed. Until it is known, nothing can be typed
 *  over it. */
export async function restoreEdit(form) {
  form.elements.text.readOnly = true;
  await fillEdit(form);
  form.elements.text.readOnly = false;
}

async function fillEdit(form) {
  const ownId = await getTabId();
  const heldElsewhere = await listHeldElsewhere();
  const kept = listStoredDrafts(form.getAttribute("action"))
    .filter(({ id }) => !heldElsewhere.has(id))
    .sort((one, other) => other.at - one.at);
  const found = kept.find(({ id }) => id === ownId) ?? kept[0];
  if (!found) return;
  form.elements.text.value = found.fields.text;
  if (found.id === ownId) return;
  writeStoredDraft(form.getAttribute("action"), found.id, null);
  await saveEdit(form);
}
