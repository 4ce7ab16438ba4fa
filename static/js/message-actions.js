// What the buttons under a message do: ask again, in other words or of another model, let a reply
// go on, take a waiting one back. What was there stays; the way back in the browser leads to it.

import { getSelectedModel, setLeaf, getParentId } from "./composer.js";
import { readDraft, deleteDraft, saveDraft } from "./drafts.js";
import { openModelPicker } from "./model-picker.js";
import { scrollToBottom } from "./scroll.js";
import { fetchFragment, parseFragment, postForm, createRequestId } from "./http.js";

const requestIds = new Map(); // request ids by what is asked for, kept until it was answered
let messageList;

export function startMessageActions() {
  messageList = document.getElementById("messages");
  document.addEventListener("submit", onSubmit);
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", ({ key, isComposing, target }) => {
    if (key === "Escape" && !isComposing) target.closest?.(".edit")?.querySelector("[data-cancel-edit]").click();
  });
  document.addEventListener("input", ({ target }) => target.form?.matches(".edit") && saveDraft(target.form));
  for (const form of document.querySelectorAll(".edit")) restoreEdit(form);
}

function onSubmit(event) {
  const { target: form, submitter } = event;
  const editing = form.classList.contains("edit");
  const article = submitter?.closest("article");
  if (!article || (!editing && form.id !== "actions-form")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, submitter));
  if (editing) fields.set("model", getSelectedModel());
  runAction(article, new URL(editing ? form.action : submitter.formAction).pathname, fields, submitter);
}

/** Have a reply written once more, by another model. */
function regenerateWith(article, model) {
  const action = `/m/${article.id.slice(2)}/versions/`;
  const what = `${action} ${model}`;
  if (!requestIds.has(what)) requestIds.set(what, createRequestId());
  runAction(article, action, new URLSearchParams({ request_id: requestIds.get(what), model }), null, what);
}

async function runAction(article, action, fields, button, what = "") {
  const within = article.contains(document.activeElement); // a button that is switched off loses it
  if (button) button.disabled = true;
  const response = await postForm(action, fields);
  if (button) button.disabled = false;
  const elsewhere = response?.headers.get("HX-Redirect");
  const made = parseArticles(response);
  if (elsewhere) location.assign(elsewhere);
  else if (response?.status === 204) return;
  else if (made.length) {
    requestIds.delete(what);
    deleteEditDraft(article);
    showBranch(article, made, response.headers.get("HX-Push-Url"));
    if (within) focusArticle(made.at(-1));
  } else showProblem(article, response);
}

/** None where the answer is no answer: a portal's own page may come, too. */
function parseArticles(response) {
  return response?.ok ? [...parseFragment(response).querySelectorAll("article")] : [];
}

/** Put what was made in its place; what stood there is a link away, and a step back. */
function showBranch(article, made, page) {
  if (made[0].id === article.id) {
    article.replaceWith(made[0]);
    return;
  }
  if (article.parentElement !== messageList) {
    location.assign(page); // more pages of messages follow than its own
    return;
  }
  const before = getParentId();
  const id = `#${article.id}`; // what was not sent has none, and stays
  for (const later of messageList.querySelectorAll(`${id} ~ [id], ${id} ~ .messages-page-link`)) later.remove();
  article.replaceWith(...made);
  history.replaceState(null, "", `${page}?leaf=${before}`);
  history.pushState(null, "", page);
  document.dispatchEvent(new CustomEvent("url-changed", { detail: page }));
  setLeaf(made.at(-1).id.slice(2));
  scrollToBottom();
}

/** Who was at a message by the keyboard is at what came of it. */
function focusArticle(article) {
  article.tabIndex = -1;
  article.focus({ preventScroll: true });
}

async function showProblem(article, response) {
  article.querySelector(".message-problem")?.remove();
  const problem = document.createElement("div");
  problem.className = "message-problem";
  if (response?.status === 422) {
    problem.append(parseFragment(response));
  } else {
    const words = response?.status === 404 ? "This message was deleted." : "Not sent. Try again.";
    problem.append(Object.assign(document.createElement("p"), { className: "rejection", textContent: words }));
    problem.firstChild.setAttribute("role", "alert");
  }
  article.append(problem);
}

// A question as a form, in its place

function onClick(event) {
  const { target } = event;
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const other = target.closest("[data-other-model]");
  if (other) openModelPicker((model) => regenerateWith(other.closest("article"), model), other);
  const link = target.closest("[data-edit], [data-cancel-edit]");
  if (!link || !link.closest("article")) return;
  event.preventDefault();
  const giveUp = link.dataset.cancelEdit;
  swapArticle(link.closest("article"), giveUp ? `/m/${giveUp}/` : new URL(link.href).pathname, giveUp);
}

async function swapArticle(article, address, back) {
  const response = await fetchFragment(address);
  const [made] = parseArticles(response);
  if (!made) return showProblem(article, response);
  deleteEditDraft(article);
  article.replaceWith(made);
  const box = made.querySelector("textarea");
  if (box) restoreEdit(box.form);
  (back ? made.querySelector("[data-edit]") : box)?.focus();
  box?.setSelectionRange(box.value.length, box.value.length);
  return undefined;
}

/** Other words that were not sent, as after a reload. */
function restoreEdit(form) {
  const { text } = readDraft(form);
  if (text) form.elements.text.value = text;
}

/** They were sent, or given up. */
function deleteEditDraft(article) {
  const form = article.querySelector(".edit");
  if (form) deleteDraft(form);
}
