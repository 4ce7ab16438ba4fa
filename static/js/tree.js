// What the buttons under a message do: ask again, in other words or of another model, let a reply
// go on, take a waiting one back. What was there stays; the way back in the browser leads to it.

import { composerModel, standAt, standing } from "./composer.js";
import { draft, dropDraft, keepDraft } from "./drafts.js";
import { openPicker } from "./picker.js";
import { toTheEnd } from "./follow.js";
import { ask, fragmentOf, post, requestId } from "./server.js";

const asked = new Map(); // request ids by what is asked for, kept until it was answered
let messages;

export function startTree() {
  messages = document.getElementById("messages");
  document.addEventListener("submit", submitted);
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", ({ key, isComposing, target }) => {
    if (key === "Escape" && !isComposing) target.closest?.(".edit")?.querySelector("[data-give-up]").click();
  });
  document.addEventListener("input", ({ target }) => target.form?.matches(".edit") && keepDraft(target.form));
  for (const form of document.querySelectorAll(".edit")) restore(form);
}

function submitted(event) {
  const { target: form, submitter } = event;
  const editing = form.classList.contains("edit");
  const article = submitter?.closest("article");
  if (!article || (!editing && form.id !== "acts")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, submitter));
  if (editing) fields.set("model", composerModel());
  act(article, new URL(editing ? form.action : submitter.formAction).pathname, fields, submitter);
}

/** Have a reply written once more, by another model. */
function askAnother(article, model) {
  const action = `/m/${article.id.slice(2)}/versions/`;
  const what = `${action} ${model}`;
  if (!asked.has(what)) asked.set(what, requestId());
  act(article, action, new URLSearchParams({ request_id: asked.get(what), model }), null, what);
}

async function act(article, action, fields, button, what = "") {
  const within = article.contains(document.activeElement); // a button that is switched off loses it
  if (button) button.disabled = true;
  const response = await post(action, fields);
  if (button) button.disabled = false;
  const elsewhere = response?.headers.get("HX-Redirect");
  const made = articlesOf(response);
  if (elsewhere) location.assign(elsewhere);
  else if (response?.status === 204) return;
  else if (made.length) {
    asked.delete(what);
    forgetWords(article);
    take(article, made, response.headers.get("HX-Push-Url"));
    if (within) standOn(made.at(-1));
  } else complain(article, response);
}

/** None where the answer is no answer: a portal's own page may come, too. */
function articlesOf(response) {
  return response?.ok ? [...fragmentOf(response).querySelectorAll("article")] : [];
}

/** Put what was made in its place; what stood there is a link away, and a step back. */
function take(article, made, page) {
  if (made[0].id === article.id) {
    article.replaceWith(made[0]);
    return;
  }
  if (article.parentElement !== messages) {
    location.assign(page); // more pages of messages follow than its own
    return;
  }
  const before = standing();
  const id = `#${article.id}`; // what was not sent has none, and stays
  for (const later of messages.querySelectorAll(`${id} ~ [id], ${id} ~ .older-link`)) later.remove();
  article.replaceWith(...made);
  history.replaceState(null, "", `${page}?leaf=${before}`);
  history.pushState(null, "", page);
  document.dispatchEvent(new CustomEvent("moved", { detail: page }));
  standAt(made.at(-1).id.slice(2));
  toTheEnd();
}

/** Who was at a message by the keyboard is at what came of it. */
function standOn(article) {
  article.tabIndex = -1;
  article.focus({ preventScroll: true });
}

async function complain(article, response) {
  article.querySelector(".foot-problem")?.remove();
  const problem = document.createElement("div");
  problem.className = "foot-problem";
  if (response?.status === 422) {
    problem.append(fragmentOf(response));
  } else {
    const words = response?.status === 404 ? "This message was deleted." : "Not sent. Try again.";
    problem.append(Object.assign(document.createElement("p"), { className: "refusal", textContent: words }));
    problem.firstChild.setAttribute("role", "alert");
  }
  article.append(problem);
}

// A question as a form, in its place

function clicked(event) {
  const { target } = event;
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const other = target.closest("[data-other-model]");
  if (other) openPicker((model) => askAnother(other.closest("article"), model), other);
  const link = target.closest("[data-edit], [data-give-up]");
  if (!link || !link.closest("article")) return;
  event.preventDefault();
  const giveUp = link.dataset.giveUp;
  swap(link.closest("article"), giveUp ? `/m/${giveUp}/` : new URL(link.href).pathname, giveUp);
}

async function swap(article, address, back) {
  const response = await ask(address);
  const [made] = articlesOf(response);
  if (!made) return complain(article, response);
  forgetWords(article);
  article.replaceWith(made);
  const box = made.querySelector("textarea");
  if (box) restore(box.form);
  (back ? made.querySelector("[data-edit]") : box)?.focus();
  box?.setSelectionRange(box.value.length, box.value.length);
  return undefined;
}

/** Other words that were not sent, as after a reload. */
function restore(form) {
  const { text } = draft(form);
  if (text) form.elements.text.value = text;
}

/** They were sent, or given up. */
function forgetWords(article) {
  const form = article.querySelector(".edit");
  if (form) dropDraft(form);
}
