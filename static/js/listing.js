// The list of conversations: a menu for each, and a way back from deleting.

import { openChat } from "./composer.js";
import { ask, fragmentOf, isSomeoneElse, post } from "./server.js";
import { connection } from "./socket.js";

const UNDO = 10_000; // milliseconds that it can be had back
const GAP = 8; // pixels
const NEAR = "400px"; // below what is seen of the list
const NARROW = matchMedia("(width < 50rem)"); // the menu is a sheet at the bottom there

let menu, toasts, opener;
let sidebar, inSight; // the list, and who watches for its end
let arriving = null; // older chats that are on their way

export function startListing() {
  [menu, toasts] = ["menu", "toasts"].map((id) => document.getElementById(id));
  document.addEventListener("click", clicked);
  document.addEventListener("submit", submitted);
  menu.addEventListener("click", ({ target }) => target === menu && menu.close());
  menu.addEventListener("close", goBack);
  for (const toast of toasts.children) leaveSoon(toast);
  addEventListener("visibilitychange", read);
  sidebar = document.getElementById("sidebar");
  inSight = new IntersectionObserver(seen, { root: sidebar, rootMargin: `0px 0px ${NEAR}` });
  sidebar.addEventListener("click", olderAsked);
  watchEnd();
}

// Older chats, fetched when the reader comes near the end of the list

/** Again after the list was made anew: its end may be another one, and in sight already. */
export function watchEnd() {
  inSight.disconnect();
  const link = end()?.querySelector("a");
  if (link) inSight.observe(link);
}

/** Where a list that is made anew must reach to, once nothing is on its way to it.
 *  @returns {Promise<string>} to be added to its address */
export async function reached() {
  await arriving;
  return end() ? `&through=${end().dataset.through}` : "";
}

function end() {
  return document.getElementById("chats-end");
}

function seen(entries) {
  if (entries.some(({ isIntersecting }) => isIntersecting)) fetchOlder();
}

function olderAsked(event) {
  if (!event.target.closest("#chats-end a") || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  fetchOlder();
}

function fetchOlder() {
  arriving ??= addOlder().finally(() => (arriving = null));
}

async function addOlder() {
  const through = end()?.dataset.through;
  if (!through) return; // the list was made anew, and has no end any more
  const response = await ask(`/sidebar/?after=${through}&open=${openChat()}`);
  if (!response?.ok || end()?.dataset.through !== through) return; // the link stays, to be pressed
  const made = fragmentOf(response);
  for (const { id } of made.querySelectorAll("a[id]")) document.getElementById(id)?.closest("li").remove();
  const first = made.querySelector("a[id]");
  const focused = end().contains(document.activeElement);
  end().replaceWith(made);
  if (focused) first?.focus();
  watchEnd();
}

function clicked(event) {
  const link = event.target.closest(".more");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  open(link);
}

async function open(link) {
  opener = link;
  const response = await ask(link.href);
  const made = response?.ok && fragmentOf(response);
  const title = made && made.querySelector("input[name='title']");
  if (!title) return location.assign(link.href);
  const row = link.getBoundingClientRect(); // the drawer it stands in closes now
  menu.replaceChildren(made);
  menu.showModal();
  if (NARROW.matches) menu.removeAttribute("style");
  else place(row);
  title.closest("details").addEventListener("toggle", ({ newState }) => newState === "open" && title.select());
  return undefined;
}

/** To where it was opened, or on a phone to where that is found. */
function goBack() {
  const menuOfPage = document.querySelector(".bar .menu");
  (opener?.checkVisibility() ? opener : menuOfPage).focus();
}

/** Beside its row, and on the screen. */
function place(row) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.min(row.left, innerWidth - width - GAP);
  const top = Math.min(row.bottom + GAP / 2, innerHeight - height - GAP);
  Object.assign(menu.style, { left: `${Math.max(GAP, left)}px`, top: `${Math.max(GAP, top)}px` });
}

function submitted(event) {
  const { target: form, submitter } = event;
  if (form.method === "dialog") return;
  if (menu.contains(form)) act(event, form.action, form, submitter);
  else if (submitter?.closest(".toast")) act(event, submitter.formAction, form, submitter);
}

async function act(event, action, form, submitter) {
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, submitter));
  fields.set("open", openChat());
  const response = await post(new URL(action).pathname, fields);
  menu.close();
  submitter.closest(".toast")?.remove();
  const elsewhere = response?.headers.get("HX-Redirect") ?? (response?.ok && submitter.dataset.back);
  if (elsewhere) return location.assign(elsewhere);
  if (isSomeoneElse(response)) return undefined; // the page says so
  if (!response?.ok) return tell("That did not work. Try again.");
  if (response.status === 200) toast(fragmentOf(response));
  // No socket tells this page of it.
  if (connection.status !== "connected") document.dispatchEvent(new CustomEvent("listing-changed"));
  return undefined;
}

function toast(made) {
  toasts.replaceChildren(made);
  leaveSoon(toasts.firstElementChild);
}

function tell(words) {
  const made = Object.assign(document.createElement("p"), { className: "toast", textContent: words });
  toasts.replaceChildren(made);
  leaveSoon(made);
}

/** Not while somebody is about to press its button. */
function leaveSoon(toast) {
  setTimeout(() => (toast.matches(":hover, :focus-within") ? leaveSoon(toast) : toast.remove()), UNDO);
}

/** What is open before somebody's eyes is read. */
export function read() {
  const open = document.querySelector("#sidebar [aria-current='page']");
  if (document.hidden || !open?.querySelector("[data-state='unread'], [data-state='failed']")) return;
  post(`${new URL(open.href).pathname}reading/`);
}
