// The keyboard: a sheet of all there is, and what it says. What is typed while nothing that takes
// text has the focus goes into the box. A letter by itself acts only in a message that Alt+J or
// Alt+K has led to, costs nothing, and can be switched off.

import { stopRunning } from "./composer.js";
import { openPicker } from "./picker.js";

const LETTERS = "letters"; // where this browser keeps that they are off
const TYPING = "input, textarea, select, [contenteditable]";
const BAR = 80; // pixels that the bar covers
const COMPOSED = 229; // the key code of what an input method takes

let sheet, box;
let walking = false; // from message to message, by the keyboard

const withModifier = {
  O: () => document.querySelector(".new-chat").click(),
  M: () => openPicker(),
  C: () => [...document.querySelectorAll("article [data-copy]")].at(-1)?.click(),
};

const withAlt = { j: () => step(1), k: () => step(-1) };

const onMessage = {
  e: "[data-edit]",
  y: "[data-copy]",
  m: "[data-other-model]",
  "[": "[aria-label='Previous version']",
  "]": "[aria-label='Next version']",
};

/** These ask a provider, and may cost money. */
const onMessageWithAlt = {
  r: ".actions [formaction$='/versions/']",
  c: "[formaction$='/continuations/']",
};

export function startKeys() {
  sheet = document.getElementById("keys");
  box = document.getElementById("text");
  const letters = sheet.querySelector("input");
  letters.checked = localStorage.getItem(LETTERS) !== "off";
  letters.addEventListener("change", () => localStorage.setItem(LETTERS, letters.checked ? "on" : "off"));
  sheet.addEventListener("click", ({ target }) => target === sheet && sheet.close());
  document.getElementById("keys-button").addEventListener("click", () => sheet.showModal());
  document.addEventListener("keydown", pressed);
  document.addEventListener("pointerdown", stopWalking);
  document.addEventListener("focusin", ({ target }) => target.closest("article, dialog") || stopWalking());
}

function stopWalking() {
  walking = false;
}

function pressed(event) {
  if (!event.key || event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  const act = actOf(event);
  if (act) event.preventDefault();
  if (act) act();
  else if (isTyped(event) && !event.target.closest?.(`${TYPING}, :popover-open`)) box.focus({ preventScroll: true });
}

/** @returns {(() => void) | null | undefined} what the key does, apart from writing something */
function actOf(event) {
  const { key, keyCode, ctrlKey, metaKey, shiftKey, altKey } = event;
  if (keyCode === COMPOSED || event.getModifierState("AltGraph")) return null; // which writes, too
  if (ctrlKey || metaKey) return held(key, shiftKey);
  return altKey ? beside(key) ?? withAlt[letter(event)] ?? onReached(onMessageWithAlt[letter(event)]) : alone(event);
}

/** The box takes it from here, the first letter included. The space bar scrolls. */
function isTyped(event) {
  const { key, keyCode } = event;
  const commands = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
  return !commands && ((key.length === 1 && key !== " ") || key === "Dead" || keyCode === COMPOSED);
}

function held(key, shift) {
  if (shift) return withModifier[key.toUpperCase()];
  if (key === "/") return () => sheet.showModal();
  return key === "." ? () => document.querySelector(".tune").click() : null;
}

/** Of this key, also where it writes another one together with Alt. */
function letter({ key, code }) {
  return /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace("Key", "").toLowerCase();
}

function alone({ key, shiftKey, target }) {
  const typing = target.closest?.(TYPING);
  if (key === "Escape" && shiftKey) return () => box.focus();
  if (key === "Escape") return (typing && target !== box) || document.querySelector(":popover-open") ? null : stopRunning;
  if (key === "ArrowUp" && target === box && !box.value) return editLast();
  if (typing || localStorage.getItem(LETTERS) === "off") return null;
  return onReached(onMessage[key]);
}

/** What stands under the message that Alt+J or Alt+K led to, while the focus stays there. */
function onReached(selector) {
  const found = walking && selector && document.activeElement.closest("article")?.querySelector(selector);
  return found ? () => found.click() : null;
}

function editLast() {
  const last = [...document.querySelectorAll("[data-edit]")].at(-1);
  return last && (() => last.click());
}

/** The conversation before or after this one in the list. */
function beside(key) {
  const by = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (!by) return null;
  const all = [...document.querySelectorAll("#sidebar a[id]")];
  const next = all[all.findIndex((link) => link.ariaCurrent === "page") + by];
  return next && (() => next.click());
}

/** To the message after or before the one that has the focus, or to one that is in sight. */
function step(by) {
  const all = [...document.querySelectorAll("#messages article")];
  const from = all.indexOf(document.activeElement.closest("article"));
  const next = from >= 0 ? all[Math.max(0, Math.min(from + by, all.length - 1))] : inSight(all, by);
  next?.setAttribute("tabindex", "-1");
  next?.focus();
  next?.scrollIntoView({ block: "start" });
  walking = true;
}

/** Where the page was opened at one, that one; else the first, or going up the last. */
function inSight(all, by) {
  const named = document.querySelector("article:target");
  if (named) return named;
  if (by > 0) return all.find((one) => one.getBoundingClientRect().bottom > BAR) ?? all.at(-1);
  return all.findLast((one) => one.getBoundingClientRect().top < innerHeight) ?? all[0];
}
