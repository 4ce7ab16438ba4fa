// The keyboard: a sheet of all there is, and what it says. What is typed while nothing that takes
// text has the focus goes into the box. A letter by itself acts only in a message that Alt+J or
// Alt+K has led to, costs nothing, and can be switched off.

import { stopRunning } from "./composer.js";
import { openPicker } from "./picker.js";

const LETTERS = "letters"; // where this browser keeps that they are off
const TYPING = "input, textarea, select, [contenteditable]";
const BAR = 80; // pixels that the bar covers
const COMPOSED = 229; // the key code of what an input method takes
const LINE = 40; // pixels that an arrow scrolls
const MOST = 0.9; // of what is seen, that a page key scrolls

// There Option writes letters, and Ctrl with a letter writes nothing.
const MAC = /mac/i.test(navigator.userAgentData?.platform ?? navigator.platform);

let sheet, box;
let used = false; // has the box been clicked or typed in since the page opened?
let walking = false; // from message to message, by the keyboard

const withModifier = {
  O: () => document.querySelector(".new-chat").click(),
  M: () => openPicker(),
  C: () => [...document.querySelectorAll("article [data-copy]")].at(-1)?.click(),
};

/** With Alt; on a Mac with Ctrl. */
const withAlt = { j: () => step(1), k: () => step(-1) };

const onMessage = {
  e: "[data-edit]",
  y: "[data-copy]",
  m: "[data-other-model]",
  "[": "[aria-label='Previous version']",
  "]": "[aria-label='Next version']",
};

const scrolling = {
  ArrowUp: () => scrollBy(0, -LINE),
  ArrowDown: () => scrollBy(0, LINE),
  PageUp: () => scrollBy(0, -MOST * innerHeight),
  PageDown: () => scrollBy(0, MOST * innerHeight),
  Home: () => scrollTo(0, 0),
  End: () => scrollTo(0, document.scrollingElement.scrollHeight),
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
  if (MAC) for (const key of sheet.querySelectorAll("[data-mac]")) key.textContent = key.dataset.mac;
  for (const event of ["pointerdown", "input"]) box.addEventListener(event, () => (used = true));
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
  if (keyCode === COMPOSED) return null;
  if (event.getModifierState("AltGraph")) return "[]".includes(key) ? alone(event) : null; // it writes, too
  if (MAC && ctrlKey && !metaKey && !shiftKey) return altKey ? costly(event) : toMessage(event) ?? held(event);
  if (ctrlKey || metaKey) return held(event);
  if (!altKey) return alone(event);
  return beside(key) ?? (MAC ? null : toMessage(event) ?? costly(event));
}

/** The box takes it from here, the first letter included. The space bar scrolls. */
function isTyped(event) {
  const { key, keyCode, ctrlKey, metaKey, altKey } = event;
  const commands = (ctrlKey || metaKey || (altKey && !MAC)) && !event.getModifierState("AltGraph");
  return !commands && ((key.length === 1 && key !== " ") || key === "Dead" || keyCode === COMPOSED);
}

/** On many keyboards "/" or "." is written with Shift: what the key writes counts, not how. */
function held(event) {
  if (event.altKey) return null; // on some systems the two together write
  if (event.key === "/") return () => sheet.showModal();
  if (event.key === ".") return () => document.querySelector(".tune").click();
  return event.shiftKey ? withModifier[letter(event).toUpperCase()] : null;
}

/** On a Mac Ctrl+K empties the rest of a line, where there is one. */
function toMessage(event) {
  const { target } = event;
  if (MAC && target.closest?.(TYPING) && target.value) return null;
  return withAlt[letter(event)];
}

/** On a Mac Ctrl+Alt: Ctrl+C and Ctrl+R are what people who come from elsewhere press there. */
function costly(event) {
  return onReached(onMessageWithAlt[letter(event)]);
}

/** Of this key, also where the layout writes another one than a Latin letter. */
function letter({ key, code }) {
  return /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace("Key", "").toLowerCase();
}

function alone({ key, shiftKey, target }) {
  const typing = target.closest?.(TYPING);
  if (key === "Escape" && shiftKey) return goToBox;
  if (key === "Escape") return (typing && target !== box) || document.querySelector(":popover-open") ? null : stopRunning;
  if (target === box && !box.value && !used && !shiftKey && scrolling[key]) return scrolling[key];
  if (key === "ArrowUp" && target === box && !box.value) return editLast();
  if (typing || localStorage.getItem(LETTERS) === "off") return null;
  return onReached(onMessage[key]);
}

function goToBox() {
  used = true;
  box.focus();
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
