// The keyboard: a sheet of all there is, and what it says. What is typed while nothing that takes
// text has the focus goes into the box. A letter by itself acts only in a message that Alt+J or
// Alt+K has led to, costs nothing, and can be switched off.

import { stopFirstReply } from "./composer.js";
import { openModelPicker } from "./model-picker.js";

const LETTERS_KEY = "letters"; // where this browser keeps that they are off
const TEXT_FIELDS = "input, textarea, select, [contenteditable]";
const TOPBAR_PX = 80; // pixels that the bar covers
const IME_KEY_CODE = 229; // the key code of what an input method takes
const LINE_PX = 40; // pixels that an arrow scrolls
const PAGE_FRACTION = 0.9; // of what is seen, that a page key scrolls

// There Option writes letters, and Ctrl with a letter writes nothing.
const IS_MAC = /mac/i.test(navigator.userAgentData?.platform ?? navigator.platform);

let helpDialog, textBox;
let isBoxUsed = false; // has the box been clicked or typed in since the page opened?
let isNavigating = false; // from message to message, by the keyboard

const ctrlActions = {
  O: () => document.querySelector(".new-chat").click(),
  M: () => openModelPicker(),
  C: () => [...document.querySelectorAll("article [data-copy]")].at(-1)?.click(),
};

/** With Alt; on a Mac with Ctrl. */
const altActions = { j: () => stepToMessage(1), k: () => stepToMessage(-1) };

const messageSelectors = {
  e: "[data-edit]",
  y: "[data-copy]",
  m: "[data-other-model]",
  "[": "[aria-label='Previous version']",
  "]": "[aria-label='Next version']",
};

const scrollActions = {
  ArrowUp: () => scrollBy(0, -LINE_PX),
  ArrowDown: () => scrollBy(0, LINE_PX),
  PageUp: () => scrollBy(0, -PAGE_FRACTION * innerHeight),
  PageDown: () => scrollBy(0, PAGE_FRACTION * innerHeight),
  Home: () => scrollTo(0, 0),
  End: () => scrollTo(0, document.scrollingElement.scrollHeight),
};

/** These ask a provider, and may cost money. */
const altMessageSelectors = {
  r: ".actions [formaction$='/versions/']",
  c: "[formaction$='/continuations/']",
};

export function startKeyboard() {
  helpDialog = document.getElementById("keyboard");
  textBox = document.getElementById("text");
  const letters = helpDialog.querySelector("input");
  letters.checked = localStorage.getItem(LETTERS_KEY) !== "off";
  letters.addEventListener("change", () => localStorage.setItem(LETTERS_KEY, letters.checked ? "on" : "off"));
  helpDialog.addEventListener("click", ({ target }) => target === helpDialog && helpDialog.close());
  document.getElementById("keyboard-button").addEventListener("click", () => helpDialog.showModal());
  if (IS_MAC) for (const key of helpDialog.querySelectorAll("[data-mac]")) key.textContent = key.dataset.mac;
  for (const event of ["pointerdown", "input"]) textBox.addEventListener(event, () => (isBoxUsed = true));
  document.addEventListener("keydown", onKeyDown);
  document.addEventListener("pointerdown", stopNavigating);
  document.addEventListener("focusin", ({ target }) => target.closest("article, dialog") || stopNavigating());
}

function stopNavigating() {
  isNavigating = false;
}

function onKeyDown(event) {
  if (!event.key || event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  const act = findAction(event);
  if (act) event.preventDefault();
  if (act) act();
  else if (isTextInput(event) && !event.target.closest?.(`${TEXT_FIELDS}, :popover-open`)) textBox.focus({ preventScroll: true });
}

/** @returns {(() => void) | null | undefined} what the key does, apart from writing something */
function findAction(event) {
  const { key, keyCode, ctrlKey, metaKey, shiftKey, altKey } = event;
  if (keyCode === IME_KEY_CODE) return null;
  if (event.getModifierState("AltGraph")) return "[]".includes(key) ? findPlainAction(event) : null; // it writes, too
  if (IS_MAC && ctrlKey && !metaKey && !shiftKey) return altKey ? findCostlyAction(event) : findStepAction(event) ?? findCtrlAction(event);
  if (ctrlKey || metaKey) return findCtrlAction(event);
  if (!altKey) return findPlainAction(event);
  return findNeighbourAction(key) ?? (IS_MAC ? null : findStepAction(event) ?? findCostlyAction(event));
}

/** The box takes it from here, the first letter included. The space bar scrolls. */
function isTextInput(event) {
  const { key, keyCode, ctrlKey, metaKey, altKey } = event;
  const commands = (ctrlKey || metaKey || (altKey && !IS_MAC)) && !event.getModifierState("AltGraph");
  return !commands && ((key.length === 1 && key !== " ") || key === "Dead" || keyCode === IME_KEY_CODE);
}

/** On many keyboards "/" or "." is written with Shift: what the key writes counts, not how. */
function findCtrlAction(event) {
  if (event.altKey) return null; // on some systems the two together write
  if (event.key === "/") return () => helpDialog.showModal();
  if (event.key === ".") return () => document.querySelector(".settings-button").click();
  return event.shiftKey ? ctrlActions[readLatinLetter(event).toUpperCase()] : null;
}

/** On a Mac Ctrl+K empties the rest of a line, where there is one. */
function findStepAction(event) {
  const { target } = event;
  if (IS_MAC && target.closest?.(TEXT_FIELDS) && target.value) return null;
  return altActions[readLatinLetter(event)];
}

/** On a Mac Ctrl+Alt: Ctrl+C and Ctrl+R are what people who come from elsewhere press there. */
function findCostlyAction(event) {
  return findMessageAction(altMessageSelectors[readLatinLetter(event)]);
}

/** Of this key, also where the layout writes another one than a Latin letter. */
function readLatinLetter({ key, code }) {
  return /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace("Key", "").toLowerCase();
}

function findPlainAction({ key, shiftKey, target }) {
  const typing = target.closest?.(TEXT_FIELDS);
  if (key === "Escape" && shiftKey) return focusTextBox;
  if (key === "Escape") return (typing && target !== textBox) || document.querySelector(":popover-open") ? null : stopFirstReply;
  if (target === textBox && !textBox.value && !isBoxUsed && !shiftKey && scrollActions[key]) return scrollActions[key];
  if (key === "ArrowUp" && target === textBox && !textBox.value) return findEditAction();
  if (typing || localStorage.getItem(LETTERS_KEY) === "off") return null;
  return findMessageAction(messageSelectors[key]);
}

function focusTextBox() {
  isBoxUsed = true;
  textBox.focus();
}

/** What stands under the message that Alt+J or Alt+K led to, while the focus stays there. */
function findMessageAction(selector) {
  const found = isNavigating && selector && document.activeElement.closest("article")?.querySelector(selector);
  return found ? () => found.click() : null;
}

function findEditAction() {
  const last = [...document.querySelectorAll("[data-edit]")].at(-1);
  return last && (() => last.click());
}

/** The conversation before or after this one in the list. */
function findNeighbourAction(key) {
  const by = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (!by) return null;
  const all = [...document.querySelectorAll("#sidebar-list a[id]")];
  const next = all[all.findIndex((link) => link.ariaCurrent === "page") + by];
  return next && (() => next.click());
}

/** To the message after or before the one that has the focus, or to one that is in sight. */
function stepToMessage(by) {
  const all = [...document.querySelectorAll("#messages article")];
  const from = all.indexOf(document.activeElement.closest("article"));
  const next = from >= 0 ? all[Math.max(0, Math.min(from + by, all.length - 1))] : findVisibleMessage(all, by);
  next?.setAttribute("tabindex", "-1");
  next?.focus();
  next?.scrollIntoView({ block: "start" });
  isNavigating = true;
}

/** Where the page was opened at one, that one; else the first, or going up the last. */
function findVisibleMessage(all, by) {
  const named = document.querySelector("article:target");
  if (named) return named;
  if (by > 0) return all.find((one) => one.getBoundingClientRect().bottom > TOPBAR_PX) ?? all.at(-1);
  return all.findLast((one) => one.getBoundingClientRect().top < innerHeight) ?? all[0];
}
