// What every page with a form needs: the token of today's session and the account of the page, and
// nothing left behind in this browser by people who sign out.

import { dropOld, forget } from "./drafts.js";
import { ACCOUNT_FIELD, account, currentToken, TOKEN_FIELD } from "./server.js";

const SIGN_OUT = ["/accounts/logout/", "/admin/logout/"];

dropOld();
// Before any other listener: they may read the form.
document.addEventListener("submit", submitted, true);

function submitted({ target: form }) {
  sign(form);
  const { pathname } = new URL(form.getAttribute("action") ?? "", location); // a field may be called action
  if (SIGN_OUT.includes(pathname)) forget(account()); // whatever the server answers: that was asked for
}

/** Signing in, in whichever tab, makes another token. With it goes the account that this page was
 *  made for: the server refuses the form where somebody else has signed in. */
function sign(form) {
  const field = form.elements[TOKEN_FIELD];
  const token = currentToken();
  if (!field || !token) return;
  field.value = token;
  const of = form.elements[ACCOUNT_FIELD] ?? field.insertAdjacentElement("afterend", document.createElement("input"));
  Object.assign(of, { type: "hidden", name: ACCOUNT_FIELD, value: account() });
}
