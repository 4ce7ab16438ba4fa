// What every page with a form needs: the token of today's session and the account of the page, and
// nothing left behind in this browser by people who sign out.

import { deleteLegacyDrafts, deleteAccountDrafts } from "./drafts.js";
import { ACCOUNT_FIELD, getPageAccount, readCsrfToken, TOKEN_FIELD } from "./http.js";

const SIGN_OUT_PATHS = ["/accounts/logout/", "/admin/logout/"];

deleteLegacyDrafts();
// Before any other listener: they may read the form.
document.addEventListener("submit", onSubmit, true);

function onSubmit({ target: form }) {
  fillIdentityFields(form);
  const { pathname } = new URL(form.getAttribute("action") ?? "", location); // a field may be called action
  if (SIGN_OUT_PATHS.includes(pathname)) deleteAccountDrafts(getPageAccount()); // whatever the server answers: that was asked for
}

/** Signing in, in whichever tab, makes another token. With it goes the account that this page was
 *  made for: the server refuses the form where somebody else has signed in. */
function fillIdentityFields(form) {
  const field = form.elements[TOKEN_FIELD];
  const token = readCsrfToken();
  if (!field || !token) return;
  field.value = token;
  const of = form.elements[ACCOUNT_FIELD] ?? field.insertAdjacentElement("afterend", document.createElement("input"));
  Object.assign(of, { type: "hidden", name: ACCOUNT_FIELD, value: getPageAccount() });
}
