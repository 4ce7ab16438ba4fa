// For every page: the reader's time zone. For its forms: adds the session's current token and the
// page's account, shows a password on request, deletes the drafts of people who sign out, and hides
// a page that the browser kept for the Back button from the next person.

import { startClock } from "./clock.js";
import { startStoring } from "./composer/drafts.js";
import { forgetAccount } from "./composer/sign-out.js";
import {
  ACCOUNT_FIELD,
  fetchFragment,
  getPageAccount,
  isAccountMismatch,
  readCsrfToken,
  TOKEN_FIELD,
} from "./http.js";

const SIGN_OUT_PATHS = ["/accounts/logout/", "/admin/logout/"];
const CHECK_AGAIN_MS = 2000; // after a check that failed

let isSigningOut = false; // its form waits

startClock();
startStoring();
// In the capture phase, because other listeners read the form.
document.addEventListener("submit", onSubmit, true);
document.addEventListener("change", ({ target }) => setPasswordVisibility(target, target.checked));

addEventListener("pageshow", ({ persisted }) => persisted && checkAccount());

/** A page that waited in the back/forward cache has the texts of its account. It stays hidden until
 *  the server has confirmed that this account is signed in. */
async function checkAccount() {
  if (!getPageAccount()) return;
  document.body.hidden = true;
  const response = await fetchFragment("/sidebar/");
  if (response?.status === 401 || isAccountMismatch(response)) location.reload();
  else if (response?.ok) document.body.hidden = false;
  else setTimeout(checkAccount, CHECK_AGAIN_MS);
}

function onSubmit(event) {
  const form = event.target;
  fillIdentityFields(form);
  // Browsers remember the texts of visible fields.
  for (const checkbox of form.querySelectorAll("[data-reveals]"))
    setPasswordVisibility(checkbox, false);
  const { pathname } = new URL(form.getAttribute("action") ?? "", location); // form.action may be a field of that name
  if (SIGN_OUT_PATHS.includes(pathname)) onSignOut(event);
}

/** The form waits for the texts that the server does not have. */
function onSignOut(event) {
  if (isSigningOut) return event.preventDefault();
  document.dispatchEvent(new CustomEvent("signing-out"));
  const answer = forgetAccount();
  if (answer === true) return;
  event.preventDefault();
  isSigningOut = true;
  answer.then((isAgreed) => {
    isSigningOut = false;
    if (isAgreed) sendForm(event.target);
    else location.reload(); // the texts are in the browser again
  });
}

/** Without another event. */
function sendForm(form) {
  fillIdentityFields(form);
  HTMLFormElement.prototype.submit.call(form); // form.submit may be a field of that name
}

/**
 * Signing in, in any tab, makes another token. The page's account goes with it, so that the server
 * can reject the form if another account has signed in.
 */
function fillIdentityFields(form) {
  const field = form.elements[TOKEN_FIELD];
  const token = readCsrfToken();
  if (!field || !token) return;
  field.value = token;
  const accountField =
    form.elements[ACCOUNT_FIELD] ??
    field.insertAdjacentElement("afterend", document.createElement("input"));
  Object.assign(accountField, { type: "hidden", name: ACCOUNT_FIELD, value: getPageAccount() });
}

/** A new password is typed once. `checkbox.dataset.reveals` is the id of its field. */
function setPasswordVisibility(checkbox, isVisible) {
  const field = document.getElementById(checkbox.dataset.reveals ?? "");
  if (field) field.type = isVisible ? "text" : "password";
}
