// The model picker: type to filter, the recent ones first. The form's own list stays what is sent,
// what a phone shows, and what there is without a script.

const TOUCH = matchMedia("(pointer: coarse)");
const OPENING = ["Enter", " ", "ArrowDown", "ArrowUp"];

let select, dialog, filter, list;
let choose = null; // what is done with the model that is picked

export function startPicker() {
  select = document.getElementById("model");
  dialog = document.getElementById("picker");
  [filter, list] = [dialog.querySelector("input"), dialog.querySelector("[role='listbox']")];
  select.addEventListener("mousedown", (event) => opened(event));
  select.addEventListener("keydown", (event) => OPENING.includes(event.key) && opened(event));
  filter.addEventListener("input", () => show());
  dialog.addEventListener("keydown", pressed);
  list.addEventListener("click", ({ target }) => pick(target.closest("[role='option']")));
  list.addEventListener("mousemove", ({ target }) => mark(target.closest("[role='option']:not([aria-disabled])")));
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
}

/** @param {(model: string) => void} then is called with what was picked; by itself the composer's */
export function openPicker(then = chooseForComposer, beside = select) {
  choose = then;
  filter.value = "";
  dialog.showModal();
  show();
  place(beside.getBoundingClientRect());
}

function chooseForComposer(model) {
  select.value = model;
  select.dispatchEvent(new Event("input", { bubbles: true }));
  document.getElementById("text").focus();
}

function opened(event) {
  if (TOUCH.matches || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  openPicker();
}

function place({ left, top, bottom }) {
  const { offsetWidth: width, offsetHeight: height } = dialog;
  const above = top - height - 8;
  const where = { left: Math.max(8, Math.min(left, innerWidth - width - 8)), top: above > 8 ? above : Math.min(bottom + 8, innerHeight - height - 8) };
  Object.assign(dialog.style, { left: `${where.left}px`, top: `${Math.max(8, where.top)}px` });
}

function show() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (option) => words.every((word) => `${option.textContent} ${option.value} ${option.dataset.provider}`.toLowerCase().includes(word));
  const all = [...select.options].filter((option) => option.value && matches(option));
  const recent = (select.dataset.recent ?? "").split(" ").map((id) => all.find(({ value, disabled }) => value === id && !disabled)).filter(Boolean);
  const groups = [["Recent", recent]];
  for (const group of select.querySelectorAll("optgroup")) {
    groups.push([group.label, all.filter((option) => option.parentNode === group && !recent.includes(option))]);
  }
  list.replaceChildren(...groups.filter(([, options]) => options.length).flatMap(([name, options]) => rows(name, options)));
  dialog.querySelector(".nothing").hidden = all.length > 0;
  mark(list.querySelector("[role='option'][aria-selected='true']:not([aria-disabled])") ?? list.querySelector("[role='option']:not([aria-disabled])"));
}

function rows(name, options) {
  const group = element("div", "", "");
  const heading = element("p", "group", name);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", name);
  if (options.every(({ disabled }) => disabled)) {
    // An option too: a list of them may hold nothing else, and the arrows lead to it.
    const link = Object.assign(element("a", "", "Add one"), { href: select.dataset.keys, id: `key-${name}` });
    link.setAttribute("role", "option");
    heading.append(" · No API key. ", link);
  }
  group.append(heading, ...options.map(row));
  return [group];
}

function row({ value, textContent, disabled }) {
  const made = element("div", "", textContent.replace(" (No API key)", ""));
  made.id = `pick-${value}`;
  made.dataset.model = value;
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", String(value === select.value));
  if (disabled) made.setAttribute("aria-disabled", "true");
  return made;
}

function mark(option) {
  if (!option) return filter.removeAttribute("aria-activedescendant");
  list.querySelector("[data-active]")?.removeAttribute("data-active");
  option.dataset.active = "";
  option.scrollIntoView({ block: "nearest" });
  return filter.setAttribute("aria-activedescendant", option.id);
}

function pressed(event) {
  if (event.isComposing) return; // the keys are an input method's
  const options = [...list.querySelectorAll("[role='option']:not([aria-disabled])")];
  const at = options.findIndex(({ dataset }) => "active" in dataset);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && options.length) mark(options[(at + step + options.length) % options.length]);
  else if (event.key === "Enter") pick(options[at]);
  else return;
  event.preventDefault();
}

function pick(option) {
  if (!option || option.ariaDisabled === "true") return undefined;
  if (option.href) return location.assign(option.href);
  dialog.close();
  return choose(option.dataset.model);
}

function element(tag, className, textContent) {
  return Object.assign(document.createElement(tag), { className, textContent });
}
