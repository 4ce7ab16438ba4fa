// What every page with a form needs: the token of today's session, and nothing left behind in this
// browser by people who sign out.

import { dropOld, forget } from "./drafts.js";
import { account, currentToken } from "./server.js";

const SIGN_OUT = ["/accounts/logout/", "/admin/logout/"];

dropOld();
// Before any other listener: they may read the form.
document.addEventListener("submit", submitted, true);

function submitted({ target: form }) {
  const { csrfmiddlewaretoken: field } = form.elements;
  const token = currentToken(); // signing in, in whichever tab, makes another one
  if (field && token) field.value = token;
  const { pathname } = new URL(form.getAttribute("action") ?? "", location); // a field may be called action
  if (SIGN_OUT.includes(pathname)) forget(account());
}
