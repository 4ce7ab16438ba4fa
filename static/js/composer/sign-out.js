// Signing out deletes the account's texts in this browser, on any page. The page saves those that
// the server does not have, and asks the person about those that the server can't take.

import { gettext } from "../elements.js";
import { restoreAccountTexts, takeAccountTexts } from "./drafts.js";

/** Delete the texts of this page's account.
 *  @returns {true | Promise<boolean>} whether to sign out; true if there was nothing to save */
export function forgetAccount() {
  const { items, unsaved } = takeAccountTexts();
  if (!unsaved.length) return true;
  return saveOrAsk(unsaved).then((isAgreed) => {
    if (!isAgreed) restoreAccountTexts(items);
    return isAgreed;
  });
}

async function saveOrAsk(texts) {
  return (
    (await saveTexts(texts)) ||
    window.confirm(gettext("An unsent text would be lost. Sign out anyway?"))
  );
}

/** The code for it is loaded when it is needed, which is seldom. */
async function saveTexts(texts) {
  try {
    return await (await import("./unsaved-texts.js")).saveTexts(texts);
  } catch {
    return false;
  }
}
