// Dialogs over the page when the session has ended or belongs to another account. The page stays
// below them, and what was written is found again after signing in.

import { connection } from "./live/socket.js";

export function startAccountDialogs() {
  document.addEventListener("account-mismatch", onAccountMismatch);
}

export function showSignedOut() {
  const dialog = document.getElementById("signed-out");
  dialog.querySelector("a").search =
    `?next=${encodeURIComponent(location.pathname + location.search)}`;
  if (!dialog.open) dialog.showModal();
}

/** Another account has signed in, in another tab. This page sends nothing under that account and
 *  shows nothing of it. The dialog opens once, and again whenever the server rejects an action. */
function onAccountMismatch({ detail }) {
  const isNew = connection.status !== "account-mismatch";
  connection.endSession("account-mismatch");
  const dialog = document.getElementById("account-mismatch");
  if ((isNew || detail.isAct) && !dialog.open) dialog.showModal();
}
