// The list of conversations: a menu for each, and a way back from deleting.

import { getConversationId } from "./composer.js";
import { fetchFragment, parseFragment, isAccountMismatch, postForm } from "./http.js";
import { connection } from "./socket.js";

const TOAST_MS = 10_000; // milliseconds that it can be had back
const GAP_PX = 8; // pixels
const PREFETCH_MARGIN = "400px"; // below what is seen of the list
const NARROW_SCREEN = matchMedia("(width < 50rem)"); // the menu is a sheet at the bottom there

let menuDialog, toastArea, menuOpener;
let sidebarList, endObserver; // the list, and who watches for its end
let loadingMore = null; // older chats that are on their way

export function startConversationList() {
  [menuDialog, toastArea] = ["conversation-menu", "toasts"].map((id) => document.getElementById(id));
  document.addEventListener("click", onClick);
  document.addEventListener("submit", onSubmit);
  menuDialog.addEventListener("click", ({ target }) => target === menuDialog && menuDialog.close());
  menuDialog.addEventListener("close", restoreFocus);
  for (const toast of toastArea.children) removeToastLater(toast);
  addEventListener("visibilitychange", markRead);
  sidebarList = document.getElementById("sidebar-list");
  endObserver = new IntersectionObserver(onIntersect, { root: sidebarList, rootMargin: `0px 0px ${PREFETCH_MARGIN}` });
  sidebarList.addEventListener("click", onOlderClick);
  observeEnd();
}

// Older chats, fetched when the reader comes near the end of the list

/** Again after the list was made anew: its end may be another one, and in sight already. */
export function observeEnd() {
  endObserver.disconnect();
  const link = findEnd()?.querySelector("a");
  if (link) endObserver.observe(link);
}

/** Where a list that is made anew must reach to, once nothing is on its way to it.
 *  @returns {Promise<string>} to be added to its address */
export async function getThroughParameter() {
  await loadingMore;
  return findEnd() ? `&through=${findEnd().dataset.through}` : "";
}

function findEnd() {
  return document.getElementById("sidebar-end");
}

function onIntersect(entries) {
  if (entries.some(({ isIntersecting }) => isIntersecting)) loadMore();
}

function onOlderClick(event) {
  if (!event.target.closest("#sidebar-end a") || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  loadMore();
}

function loadMore() {
  loadingMore ??= appendOlder().finally(() => (loadingMore = null));
}

async function appendOlder() {
  const through = findEnd()?.dataset.through;
  if (!through) return; // the list was made anew, and has no end any more
  const response = await fetchFragment(`/sidebar/?after=${through}&open=${getConversationId()}`);
  if (!response?.ok || findEnd()?.dataset.through !== through) return; // the link stays, to be pressed
  const made = parseFragment(response);
  for (const { id } of made.querySelectorAll("a[id]")) document.getElementById(id)?.closest("li").remove();
  const first = made.querySelector("a[id]");
  const focused = findEnd().contains(document.activeElement);
  findEnd().replaceWith(made);
  if (focused) first?.focus();
  observeEnd();
}

function onClick(event) {
  const link = event.target.closest(".conversation-menu-button");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  openMenu(link);
}

async function openMenu(link) {
  menuOpener = link;
  const response = await fetchFragment(link.href);
  const made = response?.ok && parseFragment(response);
  const title = made && made.querySelector("input[name='title']");
  if (!title) return location.assign(link.href);
  const row = link.getBoundingClientRect(); // the drawer it stands in closes now
  menuDialog.replaceChildren(made);
  menuDialog.showModal();
  if (NARROW_SCREEN.matches) menuDialog.removeAttribute("style");
  else positionMenu(row);
  title.closest("details").addEventListener("toggle", ({ newState }) => newState === "open" && title.select());
  return undefined;
}

/** To where it was opened, or on a phone to where that is found. */
function restoreFocus() {
  const menuOfPage = document.querySelector(".topbar .menu-button");
  (menuOpener?.checkVisibility() ? menuOpener : menuOfPage).focus();
}

/** Beside its row, and on the screen. */
function positionMenu(row) {
  const { offsetWidth: width, offsetHeight: height } = menuDialog;
  const left = Math.min(row.left, innerWidth - width - GAP_PX);
  const top = Math.min(row.bottom + GAP_PX / 2, innerHeight - height - GAP_PX);
  Object.assign(menuDialog.style, { left: `${Math.max(GAP_PX, left)}px`, top: `${Math.max(GAP_PX, top)}px` });
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
  const elsewhere = response?.headers.get("HX-Redirect") ?? (response?.ok && submitter.dataset.returnTo);
  if (elsewhere) return location.assign(elsewhere);
  if (isAccountMismatch(response)) return undefined; // the page says so
  if (!response?.ok) return showToastText("That did not work. Try again.");
  if (response.status === 200) showToast(parseFragment(response));
  // No socket tells this page of it.
  if (connection.status !== "connected") document.dispatchEvent(new CustomEvent("conversations-changed"));
  return undefined;
}

function showToast(made) {
  toastArea.replaceChildren(made);
  removeToastLater(toastArea.firstElementChild);
}

function showToastText(words) {
  const made = Object.assign(document.createElement("p"), { className: "toast", textContent: words });
  toastArea.replaceChildren(made);
  removeToastLater(made);
}

/** Not while somebody is about to press its button. */
function removeToastLater(toast) {
  setTimeout(() => (toast.matches(":hover, :focus-within") ? removeToastLater(toast) : toast.remove()), TOAST_MS);
}

/** What is open before somebody's eyes is read. */
export function markRead() {
  const open = document.querySelector("#sidebar-list [aria-current='page']");
  if (document.hidden || !open?.querySelector("[data-state='unread'], [data-state='failed']")) return;
  postForm(`${new URL(open.href).pathname}reading/`);
}
