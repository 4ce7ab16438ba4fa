// Messages on their way, and stopping their replies. A message and an empty reply appear at once,
// under a request id made here. Whatever fails, the text stays: in the box, the page, or the browser.

import { scrollToBottom } from "../conversation/scroll.js";
import { createElement, gettext } from "../elements.js";
import {
  createRequestId,
  isAccountMismatch,
  parseArticles,
  parseFragment,
  postForm,
} from "../http.js";
import { runningReplies } from "../live/running-replies.js";
import { discardTakenDraft, moveDraft, resumeDraft, takeDraft } from "./draft-box.js";
import { deleteUnsent, readUnsent, saveUnsent } from "./drafts.js";
import {
  form,
  getAction,
  getKnownLeaf,
  getMessageName,
  getParentId,
  messageList,
  setDefaultModel,
  setLeaf,
  showRejection,
  textBox,
  updateForm,
} from "./form.js";
import { hold, release, waitToHold } from "./holds.js";

/** @typedef {{fields: URLSearchParams, action: string, question: Element, answer: Element}} Message */

let queue = Promise.resolve(); // each message follows the one before, so they go one by one
let pendingCount = 0;
let isStopRequested = false; // of a reply that has no stream yet

export function hasPendingMessages() {
  return pendingCount > 0;
}

/** Send the text of the box, and empty the box. */
export function sendText() {
  const fields = new URLSearchParams(new FormData(form));
  fields.set("request_id", createRequestId());
  for (const [name, value] of Object.entries(takeDraft() ?? {})) fields.set(name, value);
  const message = buildMessage(fields);
  hold(fields.get("request_id"));
  saveUnsent(message.action, fields);
  textBox.value = "";
  showRejection();
  showMessage(message);
  textBox.focus();
  enqueueMessage(message);
}

/** Show the messages that the server never confirmed before this page was loaded. Those of another
 *  open tab are shown here if that tab is closed. */
export function restoreUnsent() {
  const action = getAction();
  for (const { id } of readUnsent(action).map((fields) => ({ id: fields.get("request_id") })))
    waitToHold(id).then(() => restoreMessage(action, id));
}

function restoreMessage(action, id) {
  const fields = readUnsent(action).find((one) => one.get("request_id") === id);
  const isStored = messageList.querySelector(`[data-request="${id}"]`);
  if (!fields || isStored || action !== getAction()) {
    release(id);
    if (isStored) deleteUnsent(action, fields ?? new URLSearchParams({ request_id: id }));
    return;
  }
  const message = buildMessage(fields);
  messageList.append(message.question);
  showNotSent(message);
  updateForm();
}

/** @returns {Message} */
function buildMessage(fields) {
  const [question, answer] = ["message-template", "reply-template"].map(cloneTemplate);
  question.querySelector(".user-text").textContent = fields.get("text");
  const name = getMessageName(fields.get("model"));
  answer.setAttribute("aria-label", name);
  answer.querySelector("header").textContent = name;
  return { fields, question, answer, action: getAction() };
}

function cloneTemplate(id) {
  const article = document.importNode(
    document.getElementById(id).content.querySelector("article"),
    true,
  );
  article.removeAttribute("id");
  return article;
}

function showMessage({ question, answer }) {
  if (!question.isConnected) messageList.append(question);
  const isFirst = !runningReplies().length;
  question.after(answer);
  if (isFirst) answer.querySelector(".state").textContent = gettext("Connecting");
  updateForm();
  scrollToBottom();
}

function enqueueMessage(message) {
  pendingCount += 1;
  queue = queue
    .then(() => sendMessage(message))
    .finally(() => {
      pendingCount -= 1;
      document.dispatchEvent(new CustomEvent("send-finished"));
    });
}

async function sendMessage(message) {
  retargetMessage(message);
  message.fields.set("parent", getParentId());
  message.fields.set("seen", getKnownLeaf());
  const response = await postForm(message.action, message.fields);
  if (!response) return showNotSent(message);
  const redirect =
    response.headers.get("HX-Redirect") ?? (response.redirected ? response.url : null);
  if (redirect) return redirectToSignIn(message, redirect);
  if (isAccountMismatch(response)) return rollbackMessage(message);
  if (response.status === 422 || response.status === 409)
    return rejectMessage(message, parseFragment(response));
  const articles = parseArticles(response);
  return articles.length === 2
    ? acceptMessage(message, articles, response.headers.get("HX-Push-Url"))
    : showNotSent(message);
}

/** A message written before the conversation had a URL goes into that conversation. */
function retargetMessage(message) {
  const action = getAction();
  if (message.action === action) return;
  deleteUnsent(message.action, message.fields);
  message.action = action;
  saveUnsent(action, message.fields);
}

function acceptMessage(message, [question, answer], page) {
  setDefaultModel(message.fields.get("model"));
  forgetUnsent(message);
  if (page) setConversationUrl(page);
  const isShown = document.getElementById(question.id); // sent before, and the page was loaded since
  if (!isShown) setLeaf(answer.id.slice(2));
  message.question.replaceWith(...(isShown ? [] : [question]));
  message.answer.replaceWith(...(isShown ? [] : [answer]));
  stopIfRequested();
  updateForm();
}

/** A new conversation has a URL of its own now. Text typed meanwhile belongs to it. */
function setConversationUrl(page) {
  history.pushState(null, "", page);
  moveDraft(`${page}messages/`);
  textBox.placeholder = gettext("Reply");
  document.dispatchEvent(new CustomEvent("url-changed", { detail: page }));
}

function redirectToSignIn(message, url) {
  rollbackMessage(message);
  location.assign(url);
}

function rejectMessage(message, rejection) {
  rollbackMessage(message);
  showRejection(rejection);
}

/** The server stored nothing: remove the message, and put its text back into the box. */
function rollbackMessage(message) {
  const { fields } = message;
  removeMessage(message);
  textBox.value = [fields.get("text"), textBox.value].filter(Boolean).join("\n\n");
  resumeDraft(fields);
}

function removeMessage(message) {
  message.question.remove();
  message.answer.remove();
  forgetUnsent(message);
  forgetStopRequest();
  emitReplyRemoved();
}

function forgetUnsent({ action, fields }) {
  deleteUnsent(action, fields);
  release(fields.get("request_id"));
}

/**
 * The server may have the message or not. Sent again under the same id, it makes no second reply.
 */
function showNotSent(message) {
  const footer = createElement("footer", "message-footer");
  const row = createElement("div", "message-footer-row");
  const state = createElement("span", "state", gettext("Not sent."));
  state.dataset.severity = "failed";
  state.setAttribute("role", "alert");
  const retryButton = createButton(gettext("Retry"), () => {
    footer.remove();
    showMessage(message);
    enqueueMessage(message);
  });
  const editButton = createButton(gettext("Edit"), () => {
    rollbackMessage(message);
    textBox.focus();
  });
  const removeButton = createButton(gettext("Remove"), () => {
    removeMessage(message);
    discardTakenDraft(message.fields);
    updateForm();
    textBox.focus();
  });
  row.append(state, retryButton, editButton, removeButton);
  footer.append(row);
  message.answer.remove();
  message.question.append(footer);
  forgetStopRequest();
  emitReplyRemoved();
}

function createButton(label, onClick) {
  const button = Object.assign(createElement("button", "quiet", label), { type: "button" });
  button.addEventListener("click", onClick);
  return button;
}

function emitReplyRemoved() {
  document.dispatchEvent(new CustomEvent("reply-changed"));
}

// Stopping a reply, also one that the server does not know yet

/** Stop the running reply that began first. */
export async function stopFirstReply() {
  const [first] = runningReplies();
  if (!first) return;
  first.setStatusText(gettext("Stopping…"));
  isStopRequested = !first.stream;
  if (isStopRequested) return;
  const response = await postForm(`/s/${first.stream}/stop/`);
  if (!response?.ok && first.isRunning)
    first.setStatusText(gettext("Couldn’t stop. Try again."), "failed");
}

/** The server has started the reply. */
function stopIfRequested() {
  if (isStopRequested) stopFirstReply();
  forgetStopRequest();
}

function forgetStopRequest() {
  isStopRequested = false;
}
