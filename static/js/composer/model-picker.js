// The model picker: a list to filter by typing, with recent models first. The form still sends its
// own list, which phones show, and pages without scripts.

import { createElement, gettext, isComposing } from "../elements.js";

const TOUCH_POINTER = matchMedia("(pointer: coarse)");
const OPENING_KEYS = ["Enter", " ", "ArrowDown", "ArrowUp"];

let modelSelect, dialog, filterInput, optionList;
let onPick = null; // called with the model

export function startModelPicker() {
  modelSelect = document.getElementById("model");
  dialog = document.getElementById("model-picker");
  [filterInput, optionList] = [
    dialog.querySelector("input"),
    dialog.querySelector("[role='listbox']"),
  ];
  modelSelect.addEventListener("mousedown", (event) => onOpen(event));
  modelSelect.addEventListener(
    "keydown",
    (event) => OPENING_KEYS.includes(event.key) && !isComposing(event) && onOpen(event),
  );
  filterInput.addEventListener("input", () => renderOptions());
  dialog.addEventListener("keydown", onKeyDown);
  optionList.addEventListener("click", ({ target }) =>
    pickOption(target.closest("[role='option']")),
  );
  optionList.addEventListener("mousemove", ({ target }) =>
    highlightOption(target.closest("[role='option']:not([aria-disabled])")),
  );
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
}

/**
 * @param {(model: string) => void} [then] called with the model; by default, the composer selects
 *   it
 */
export function openModelPicker(then = setComposerModel, beside = modelSelect) {
  onPick = then;
  filterInput.value = "";
  dialog.showModal();
  renderOptions();
  positionDialog(beside.getBoundingClientRect());
}

function setComposerModel(model) {
  modelSelect.value = model;
  modelSelect.dispatchEvent(new Event("input", { bubbles: true }));
  document.getElementById("text").focus();
}

function onOpen(event) {
  if (TOUCH_POINTER.matches || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  openModelPicker();
}

function positionDialog({ left, top, bottom }) {
  const { offsetWidth: width, offsetHeight: height } = dialog;
  const above = top - height - 8;
  const where = {
    left: Math.max(8, Math.min(left, innerWidth - width - 8)),
    top: above > 8 ? above : Math.min(bottom + 8, innerHeight - height - 8),
  };
  Object.assign(dialog.style, { left: `${where.left}px`, top: `${Math.max(8, where.top)}px` });
}

function renderOptions() {
  const words = filterInput.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (text) => words.every((word) => text.toLowerCase().includes(word));
  const all = [...modelSelect.options].filter(
    ({ textContent, value, dataset }) =>
      value && matches(`${textContent} ${value} ${dataset.provider}`),
  );
  const recent = (modelSelect.dataset.recent ?? "")
    .split(" ")
    .map(decodeURIComponent)
    .map((id) => all.find(({ value, disabled }) => value === id && !disabled))
    .filter(Boolean);
  const groups = [[gettext("Recent"), recent, ""]];
  for (const group of modelSelect.querySelectorAll("optgroup")) {
    groups.push([
      group.label,
      all.filter((option) => option.parentNode === group && !recent.includes(option)),
      matches(group.label) || all.some((option) => option.parentNode === group)
        ? (group.dataset.note ?? "")
        : "",
    ]);
  }
  optionList.replaceChildren(
    ...groups
      .filter(([, options, note]) => options.length || note)
      .map(([name, options, note]) => renderGroup(name, options, note)),
  );
  dialog.querySelector(".no-results").hidden = all.length > 0;
  highlightOption(
    optionList.querySelector("[role='option'][aria-selected='true']:not([aria-disabled])") ??
      optionList.querySelector("[role='option']:not([aria-disabled])"),
  );
}

/** @param {string} note why the group has no models, why they may be old, or how many are left out */
function renderGroup(name, options, note) {
  const group = createElement("div");
  const heading = createElement("p", "group-heading", name);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", name);
  if (note) heading.append(` · ${note}`);
  else if (options.every(({ disabled }) => disabled)) {
    // The link is an option, because a listbox may contain only options, and arrow keys reach them.
    const link = Object.assign(createElement("a", "", gettext("Add one")), {
      href: modelSelect.dataset.keysUrl,
      id: `key-${name}`,
    });
    link.setAttribute("role", "option");
    heading.append(` · ${gettext("No API key.")} `, link);
  }
  group.append(heading, ...options.map(renderOption));
  return group;
}

function renderOption({ value, textContent, disabled }) {
  const label = disabled ? textContent.replace(/ \([^()]*\)$/, "") : textContent; // the heading says that the key is missing
  const option = createElement("div", "", label);
  option.id = `pick-${encodeURIComponent(value)}`; // an id has no spaces
  option.dataset.model = value;
  option.setAttribute("role", "option");
  option.setAttribute("aria-selected", String(value === modelSelect.value));
  if (disabled) option.setAttribute("aria-disabled", "true");
  return option;
}

function highlightOption(option) {
  if (!option) return filterInput.removeAttribute("aria-activedescendant");
  optionList.querySelector("[data-active]")?.removeAttribute("data-active");
  option.dataset.active = "";
  option.scrollIntoView({ block: "nearest" });
  return filterInput.setAttribute("aria-activedescendant", option.id);
}

function onKeyDown(event) {
  if (isComposing(event)) return;
  const options = [...optionList.querySelectorAll("[role='option']:not([aria-disabled])")];
  const at = options.findIndex(({ dataset }) => "active" in dataset);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && options.length)
    highlightOption(options[(at + step + options.length) % options.length]);
  else if (event.key === "Enter") pickOption(options[at]);
  else return;
  event.preventDefault();
}

function pickOption(option) {
  if (!option || option.ariaDisabled === "true") return undefined;
  if (option.href) return location.assign(option.href);
  dialog.close();
  return onPick(option.dataset.model);
}
