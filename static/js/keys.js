// The keyboard: a sheet of all there is (?), and what it says. Letters by themselves can be
// switched off, and never count while somebody types.

import { stopRunning } from "./composer.js";
import { openPicker } from "./picker.js";

const LETTERS = "letters"; // where this browser keeps that they are off

let sheet, box;

const withModifier = {
  O: () => document.querySelector(".new-chat").click(),
  M: () => openPicker(),
  C: () => [...document.querySelectorAll("article [data-copy]")].at(-1)?.click(),
};

const anywhere = {
  "?": () => sheet.showModal(),
  "/": () => box.focus(),
  j: () => step(1),
  k: () => step(-1),
};

const onMessage = {
  e: "[data-edit]",
  r: ".actions [formaction$='/versions/']",
  c: "[formaction$='/continuations/']",
  y: "[data-copy]",
  m: "[data-other-model]",
  "[": "[aria-label='Previous version']",
  "]": "[aria-label='Next version']",
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
}

function pressed(event) {
  const { key, ctrlKey, metaKey, shiftKey, altKey, target } = event;
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  const act = ctrlKey || metaKey ? held(key, shiftKey) : altKey ? beside(key) : alone(event, target);
  if (!act) return;
  event.preventDefault();
  act();
}

function held(key, shift) {
  if (shift) return withModifier[key.toUpperCase()];
  if (key === "/") return anywhere["?"];
  return key === "." ? () => document.querySelector(".tune").click() : null;
}

function alone({ key, shiftKey }, target) {
  const typing = target.closest?.("input, textarea, select, [contenteditable]");
  if (key === "Escape" && shiftKey) return () => box.focus();
  if (key === "Escape") return (typing && target !== box) || document.querySelector(":popover-open") ? null : stopRunning;
  if (key === "ArrowUp" && target === box && !box.value) return editLast();
  if (typing || localStorage.getItem(LETTERS) === "off") return null;
  const found = onMessage[key] && at()?.querySelector(onMessage[key]);
  return found ? () => found.click() : anywhere[key];
}

/** The message that has the focus; on a page that was opened at one, that one. */
function at() {
  const { activeElement } = document;
  return activeElement === document.body ? document.querySelector("article:target") : activeElement.closest("article");
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

/** The message after or before the one that has the focus, or that is at the top. */
function step(by) {
  const all = [...document.querySelectorAll("#messages article")];
  const from = all.indexOf(at());
  const to = from >= 0 ? from + by : all.findIndex((article) => article.getBoundingClientRect().bottom > 80);
  const next = all[Math.max(0, Math.min(to, all.length - 1))];
  next?.setAttribute("tabindex", "-1");
  next?.focus();
  next?.scrollIntoView({ block: "start" });
}
