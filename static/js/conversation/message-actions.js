// The buttons under messages: edit, regenerate, also with another model, continue, cancel. The old
// version stays, and the browser's Back leads to it.

import { deleteEdit, restoreEdit, saveEdit } from "../composer/edits.js";
import { getParentId, getSelectedModel, moveToLeaf } from "../composer/form.js";
import { openModelPicker } from "../composer/model-picker.js";
import { createElement, gettext, isComposing, opensElsewhere } from "../elements.js";
import {
  createRequestId,
  fetchFragment,
  parseArticle,
  parseArticles,
  parseFragment,
  postForm,
} from "../http.js";
import { scrollToBottom } from "./scroll.js";

const requestIds = new Map(); // URL and model → request id, until the server has answered
let messageList;

export function startMessageActions() {
  messageList = document.getElementById("messages");
  document.addEventListener("submit", onSubmit);
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !isComposing(event))
      event.target.closest?.(".edit")?.querySelector("[data-cancel-edit]").click();
  });
  document.addEventListener(
    "input",
    ({ target }) => target.form?.matches(".edit") && saveEdit(target.form),
  );
  for (const form of document.querySelectorAll(".edit")) restoreEdit(form);
}

function onSubmit(event) {
  const { target: form, submitter } = event;
  const isEdit = form.classList.contains("edit");
  const article = submitter?.closest("article");
  if (!article || (!isEdit && form.id !== "acts")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, submitter));
  if (isEdit) fields.set("model", getSelectedModel());
  runAction(
    article,
    new URL(isEdit ? form.action : submitter.formAction).pathname,
    fields,
    submitter,
  );
}

/** Make another version of a reply, with another model. */
function regenerateWith(article, model) {
  const action = `/m/${article.id.slice(2)}/versions/`;
  const key = `${action} ${model}`;
  if (!requestIds.has(key)) requestIds.set(key, createRequestId());
  runAction(
    article,
    action,
    new URLSearchParams({ request_id: requestIds.get(key), model }),
    null,
    key,
  );
}

async function runAction(article, action, fields, button, key = "") {
  const hadFocus = article.contains(document.activeElement); // a disabled button loses the focus
  if (button) button.disabled = true;
  const response = await postForm(action, fields);
  if (button) button.disabled = false;
  const redirect = response?.headers.get("HX-Redirect");
  const articles = parseArticles(response);
  if (redirect) location.assign(redirect);
  else if (response?.status === 204) return;
  else if (articles.length) {
    requestIds.delete(key);
    deleteEditDraft(article);
    showBranch(article, articles, response.headers.get("HX-Push-Url"));
    if (hadFocus) focusArticle(articles.at(-1));
  } else showProblem(article, response);
}

/** Show new messages instead of an article and those after it. */
function showBranch(article, articles, page) {
  if (articles[0].id === article.id) {
    article.replaceWith(articles[0]);
    return;
  }
  if (article.parentElement !== messageList) {
    location.assign(page); // the article is among earlier messages, so too much follows it
    return;
  }
  const before = getParentId();
  const id = `#${article.id}`; // messages that were not sent have no id, and stay
  for (const later of messageList.querySelectorAll(`${id} ~ [id], ${id} ~ .messages-page-link`))
    later.remove();
  article.replaceWith(...articles);
  history.replaceState(null, "", `${page}?leaf=${before}`);
  history.pushState(null, "", page);
  document.dispatchEvent(new CustomEvent("url-changed", { detail: page }));
  moveToLeaf(articles.at(-1).id.slice(2));
  scrollToBottom();
}

/** Keyboard focus moves from the old message to the new one. */
function focusArticle(article) {
  article.tabIndex = -1;
  article.focus({ preventScroll: true });
}

async function showProblem(article, response) {
  article.querySelector(".message-problem")?.remove();
  const problem = createElement("div", "message-problem");
  if (response?.status === 422) {
    problem.append(parseFragment(response));
  } else {
    const words =
      response?.status === 404
        ? gettext("This message was deleted.")
        : gettext("Not sent. Try again.");
    problem.append(createElement("p", "rejection", words));
    problem.firstChild.setAttribute("role", "alert");
  }
  article.append(problem);
}

// A message as a form, in its place

function onClick(event) {
  const { target } = event;
  if (event.defaultPrevented || opensElsewhere(event)) return;
  const modelButton = target.closest("[data-other-model]");
  if (modelButton)
    openModelPicker((model) => regenerateWith(modelButton.closest("article"), model), modelButton);
  const link = target.closest("[data-edit], [data-cancel-edit]");
  if (!link?.closest("article")) return;
  event.preventDefault();
  const canceledId = link.dataset.cancelEdit;
  swapArticle(
    link.closest("article"),
    canceledId ? `/m/${canceledId}/` : new URL(link.href).pathname,
  );
}

async function swapArticle(article, url) {
  const response = await fetchFragment(url);
  const swapped = parseArticle(response);
  if (!swapped) return showProblem(article, response);
  deleteEditDraft(article);
  article.replaceWith(swapped);
  const box = swapped.querySelector("textarea");
  if (!box) return swapped.querySelector("[data-edit]")?.focus();
  await restoreEdit(box.form);
  box.focus();
  return box.setSelectionRange(box.value.length, box.value.length);
}

/** The text was sent, or its person canceled. */
function deleteEditDraft(article) {
  const form = article.querySelector(".edit");
  if (form) deleteEdit(form);
}
