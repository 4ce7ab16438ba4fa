// The id of this tab, under which it writes. It survives a reload; a duplicate of the tab gets
// another one.

import { createRequestId } from "../http.js";
import { readTabDraft, writeTabDraft } from "./drafts.js";
import { hold } from "./holds.js";

const KEPT_AS = "edits"; // under which edits are kept, too

let tabId = null; // a promise

export function getTabId() {
  tabId ??= claimTabId();
  return tabId;
}

async function claimTabId() {
  const kept = readTabDraft(KEPT_AS);
  if (kept && (await hold(kept))) return kept;
  const id = createRequestId();
  writeTabDraft(KEPT_AS, id);
  await hold(id);
  return id;
}
