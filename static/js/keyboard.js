// Keyboard shortcuts, and the dialog that lists them. Text goes into the message box while no other
// field has the focus. Single letters act only in a message that Alt+J or Alt+K has focused, they
// cost nothing, and people can switch them off.

import { openModelPicker } from "./composer/model-picker.js";
import { stopFirstReply } from "./composer/outbox.js";
import { isComposing } from "./elements.js";
import { readText, writeText } from "./storage.js";

const LETTERS_KEY = "letters"; // in localStorage: whether single letters are on or off
const TEXT_FIELDS = "input, textarea, select, [contenteditable]";
const TOPBAR_PX = 80; // what the bar at the top covers
const LINE_PX = 40; // an arrow key scrolls so far
const PAGE_FRACTION = 0.9; // of the window: a page key scrolls so far

// On a Mac, Option types letters, and Ctrl with a letter types nothing.
const IS_MAC = /mac/i.test(navigator.userAgentData?.platform ?? navigator.platform);

let helpDialog, textBox;
let isBoxUsed = false; // whether someone has clicked or typed in the box since the page opened
let isNavigating = false; // from message to message, by the keyboard

const ctrlActions = {
  O: () => document.querySelector(".new-chat").click(),
  M: () => openModelPicker(),
  C: () => [...document.querySelectorAll("article [data-copy]")].at(-1)?.click(),
};

/** With Alt; on a Mac, with Ctrl. */
const altActions = { j: () => stepToMessage(1), k: () => stepToMessage(-1) };

const messageSelectors = {
  e: "[data-edit]",
  y: "[data-copy]",
  m: "[data-other-model]",
  "[": "[rel=prev]",
  "]": "[rel=next]",
};

const scrollActions = {
  ArrowUp: () => scrollBy(0, -LINE_PX),
  ArrowDown: () => scrollBy(0, LINE_PX),
  PageUp: () => scrollBy(0, -PAGE_FRACTION * innerHeight),
  PageDown: () => scrollBy(0, PAGE_FRACTION * innerHeight),
  Home: () => scrollTo(0, 0),
  End: () => scrollTo(0, document.scrollingElement.scrollHeight),
};

/** These call a provider and may cost money, so a letter alone does not do them. */
const altMessageSelectors = {
  r: ".actions [formaction$='/versions/']",
  c: "[formaction$='/continuations/']",
};

export function startKeyboard() {
  helpDialog = document.getElementById("keyboard");
  textBox = document.getElementById("text");
  const letters = helpDialog.querySelector("input");
  letters.checked = readText(LETTERS_KEY) !== "off";
  letters.addEventListener("change", () => writeText(LETTERS_KEY, letters.checked ? "on" : "off"));
  helpDialog.addEventListener("click", ({ target }) => target === helpDialog && helpDialog.close());
  document
    .getElementById("keyboard-button")
    .addEventListener("click", () => helpDialog.showModal());
  if (IS_MAC)
    for (const key of helpDialog.querySelectorAll("[data-mac]")) key.textContent = key.dataset.mac;
  for (const event of ["pointerdown", "input"])
    textBox.addEventListener(event, () => (isBoxUsed = true));
  document.addEventListener("keydown", onKeyDown);
  document.addEventListener("pointerdown", stopNavigating);
  document.addEventListener(
    "focusin",
    ({ target }) => target.closest("article, dialog") || stopNavigating(),
  );
}

function stopNavigating() {
  isNavigating = false;
}

function onKeyDown(event) {
  if (!event.key || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const act = findAction(event);
  if (act) event.preventDefault();
  if (act) act();
  else if (isTextInput(event) && !event.target.closest?.(`${TEXT_FIELDS}, :popover-open`))
    textBox.focus({ preventScroll: true });
}

/** @returns {(() => void) | null | undefined} what the key does, other than typing */
function findAction(event) {
  const { key, ctrlKey, metaKey, shiftKey, altKey } = event;
  if (isComposing(event)) return null;
  if (event.getModifierState("AltGraph")) return "[]".includes(key) ? findPlainAction(event) : null; // AltGr types characters, too
  if (IS_MAC && ctrlKey && !metaKey && !shiftKey)
    return altKey ? findCostlyAction(event) : (findStepAction(event) ?? findCtrlAction(event));
  if (ctrlKey || metaKey) return findCtrlAction(event);
  if (!altKey) return findPlainAction(event);
  return (
    findNeighbourAction(key) ?? (IS_MAC ? null : (findStepAction(event) ?? findCostlyAction(event)))
  );
}

/** Such a key goes into the message box, including the first letter. The space bar scrolls. */
function isTextInput(event) {
  const { key, ctrlKey, metaKey, altKey } = event;
  const commands =
    (ctrlKey || metaKey || (altKey && !IS_MAC)) && !event.getModifierState("AltGraph");
  return !commands && ((key.length === 1 && key !== " ") || key === "Dead" || isComposing(event));
}

/** Compares characters, not keys: on many keyboards “/” or “.” needs Shift. */
function findCtrlAction(event) {
  if (event.altKey) return null; // on some systems, Ctrl and Alt together type characters
  if (event.key === "/") return () => helpDialog.showModal();
  if (event.key === ".") return () => document.querySelector(".settings-button").click();
  return event.shiftKey ? ctrlActions[readLatinLetter(event).toUpperCase()] : null;
}

/** On a Mac, Ctrl+K in a text field deletes the rest of the line. */
function findStepAction(event) {
  const { target } = event;
  if (IS_MAC && target.closest?.(TEXT_FIELDS) && target.value) return null;
  return altActions[readLatinLetter(event)];
}

/** On a Mac with Ctrl+Alt, because people who are used to other systems press Ctrl+C and Ctrl+R. */
function findCostlyAction(event) {
  return findMessageAction(altMessageSelectors[readLatinLetter(event)]);
}

/** The Latin letter of a key, also on keyboards of other alphabets. */
function readLatinLetter({ key, code }) {
  return /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace("Key", "").toLowerCase();
}

function findPlainAction({ key, shiftKey, target }) {
  const typing = target.closest?.(TEXT_FIELDS);
  if (key === "Escape" && shiftKey) return focusTextBox;
  if (key === "Escape")
    return (typing && target !== textBox) || document.querySelector(":popover-open")
      ? null
      : stopFirstReply;
  if (target === textBox && !textBox.value && !isBoxUsed && !shiftKey && scrollActions[key])
    return scrollActions[key];
  if (key === "ArrowUp" && target === textBox && !textBox.value) return findEditAction();
  if (typing || readText(LETTERS_KEY) === "off") return null;
  return findMessageAction(messageSelectors[key]);
}

function focusTextBox() {
  isBoxUsed = true;
  textBox.focus();
}

/** A button of the message that Alt+J or Alt+K has focused. */
function findMessageAction(selector) {
  const found =
    isNavigating && selector && document.activeElement.closest("article")?.querySelector(selector);
  return found ? () => found.click() : null;
}

function findEditAction() {
  const last = [...document.querySelectorAll("[data-edit]")].at(-1);
  return last && (() => last.click());
}

/** The conversation above or below this one in the sidebar. */
function findNeighbourAction(key) {
  const by = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (!by) return null;
  const all = [...document.querySelectorAll("#sidebar-list a[id]")];
  const next = all[all.findIndex((link) => link.ariaCurrent === "page") + by];
  return next && (() => next.click());
}

/** Focus the message after or before the focused one, or a visible one. */
function stepToMessage(by) {
  const all = [...document.querySelectorAll("#messages article")];
  const from = all.indexOf(document.activeElement.closest("article"));
  const next =
    from >= 0 ? all[Math.max(0, Math.min(from + by, all.length - 1))] : findVisibleMessage(all, by);
  next?.setAttribute("tabindex", "-1");
  next?.focus();
  next?.scrollIntoView({ block: "start" });
  isNavigating = true;
}

/** The message that the URL names; otherwise the first visible one, or going up, the last. */
function findVisibleMessage(all, by) {
  const named = document.querySelector("article:target");
  if (named) return named;
  if (by > 0)
    return all.find((one) => one.getBoundingClientRect().bottom > TOPBAR_PX) ?? all.at(-1);
  return all.findLast((one) => one.getBoundingClientRect().top < innerHeight) ?? all[0];
}
