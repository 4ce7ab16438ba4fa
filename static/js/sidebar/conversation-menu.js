// The menu of a conversation (rename, pin, delete), and short notices afterwards, some with a button
// to undo the action.

import { getConversationId } from "../composer/form.js";
import { opensElsewhere, createElement, gettext } from "../elements.js";
import { fetchFragment, isAccountMismatch, parseFragment, postForm } from "../http.js";
import { connection } from "../live/socket.js";

const GAP_PX = 8;
const NARROW_SCREEN = matchMedia("(width < 50rem)"); // where the menu is a sheet at the bottom

let menuDialog, menuOpener;

export function startConversationMenu() {
  menuDialog = document.getElementById("conversation-menu");
  document.addEventListener("click", onClick);
  document.addEventListener("submit", onSubmit);
  menuDialog.addEventListener("click", ({ target }) => target === menuDialog && menuDialog.close());
  menuDialog.addEventListener("close", restoreFocus);
}

function onClick(event) {
  const link = event.target.closest(".conversation-menu-button");
  if (!link || opensElsewhere(event)) return;
  event.preventDefault();
  openMenu(link);
}

async function openMenu(link) {
  menuOpener = link;
  const response = await fetchFragment(link.href);
  const menu = response?.ok ? parseFragment(response) : null;
  const title = menu?.querySelector("input[name='title']");
  if (!title) return location.assign(link.href);
  const row = link.getBoundingClientRect(); // now, because the dialog closes the drawer
  menuDialog.replaceChildren(menu);
  menuDialog.showModal();
  if (NARROW_SCREEN.matches) menuDialog.removeAttribute("style");
  else positionMenu(row);
  title
    .closest("details")
    .addEventListener("toggle", ({ newState }) => newState === "open" && title.select());
  return undefined;
}

/** Focus the button that opened the menu; on a phone, where it is hidden, that of the drawer. */
function restoreFocus() {
  const drawerButton = document.querySelector(".topbar .menu-button");
  (menuOpener?.checkVisibility() ? menuOpener : drawerButton).focus();
}

/** Below the row, within the window. */
function positionMenu(row) {
  const { offsetWidth: width, offsetHeight: height } = menuDialog;
  const left = Math.min(row.left, innerWidth - width - GAP_PX);
  const top = Math.min(row.bottom + GAP_PX / 2, innerHeight - height - GAP_PX);
  Object.assign(menuDialog.style, {
    left: `${Math.max(GAP_PX, left)}px`,
    top: `${Math.max(GAP_PX, top)}px`,
  });
}

function onSubmit(event) {
  const { target: form, submitter } = event;
  if (form.method === "dialog") return;
  if (menuDialog.contains(form)) submitAction(event, form.action, form, submitter);
  else if (submitter?.closest(".toast")) submitAction(event, submitter.formAction, form, submitter);
}

async function submitAction(event, action, form, submitter) {
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, submitter));
  fields.set("open", getConversationId());
  const response = await postForm(new URL(action).pathname, fields);
  menuDialog.close();
  submitter.closest(".toast")?.remove();
  const redirect =
    response?.headers.get("HX-Redirect") ?? (response?.ok && submitter.dataset.returnTo);
  if (redirect) return location.assign(redirect);
  if (isAccountMismatch(response)) return undefined; // a dialog says so
  if (!response?.ok) return showFailureToast();
  if (response.status === 200) showToast(parseFragment(response));
  // Without a socket, no notification will refresh the sidebar.
  if (connection.status !== "connected")
    document.dispatchEvent(new CustomEvent("conversations-changed"));
  return undefined;
}

// Notices

const TOAST_MS = 10_000;

let toastArea;

export function startToasts() {
  toastArea = document.getElementById("toasts");
  for (const toast of toastArea.children) removeToastLater(toast);
}

/** @param {DocumentFragment | Element} content with one toast in it */
function showToast(content) {
  toastArea.replaceChildren(content);
  removeToastLater(toastArea.firstElementChild);
}

function showFailureToast() {
  showToast(createElement("p", "toast", gettext("That didn’t work. Try again.")));
}

/** Wait while someone is about to press its button. */
function removeToastLater(toast) {
  setTimeout(
    () => (toast.matches(":hover, :focus-within") ? removeToastLater(toast) : toast.remove()),
    TOAST_MS,
  );
}
