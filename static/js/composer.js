// Writing and sending. The message and an empty reply appear at once, under a request id made
// here; whatever goes wrong, the text stays: in the box, in the page, or in this browser.

import { connection } from "./socket.js";
import { readDraft, deleteDraft, deleteUnsent, saveDraft, saveUnsent, readUnsent } from "./drafts.js";
import { scrollToBottom } from "./scroll.js";
import { parseFragment, isAccountMismatch, postForm, createRequestId } from "./http.js";

/** @typedef {{fields: URLSearchParams, action: string, question: Element, answer: Element}} Message */

const TOUCH_POINTER = matchMedia("(pointer: coarse)");

let composerForm, textBox, modelSelect, sendButton, stopButton, hintLine, rejectionBox, messageList, parentField, knownLeafField;
let noKeyHint = []; // the hint's own words, for a model that can't be used
let stopOnceStarted = false;
let sendQueue = Promise.resolve(); // messages go one after the other: each follows the one before
let pendingCount = 0;
let defaultModel = ""; // the model that the form has by itself
let draftEffort = ""; // the effort of a draft, whose model is not picked yet

export function startComposer() {
  composerForm = document.getElementById("composer");
  ({ text: textBox, model: modelSelect } = composerForm.elements);
  [sendButton, stopButton] = [".send", ".stop"].map((name) => composerForm.querySelector(name));
  [hintLine, rejectionBox, messageList] = ["hint", "rejection", "messages"].map((id) => document.getElementById(id));
  [parentField, knownLeafField] = ["parent", "seen"].map((id) => document.getElementById(id));
  noKeyHint = [...hintLine.childNodes];
  defaultModel = [...modelSelect.options].find(({ defaultSelected }) => defaultSelected)?.value ?? "";
  restoreDrafts();
  composerForm.addEventListener("submit", onSubmit);
  composerForm.addEventListener("input", onInput);
  textBox.addEventListener("keydown", onKeyDown);
  document.addEventListener("reply-changed", updateForm);
  connection.addEventListener("status", updateForm);
  // Stop takes the place of Send under the pointer: the second of a double click is not for it.
  stopButton.addEventListener("click", (event) => event.detail > 1 && event.preventDefault());
  updateForm();
  focusTextBox();
}

/** What is typed is for the box, from the first letter on; a phone's keyboard would cover the page. */
function focusTextBox() {
  const taken = document.activeElement !== document.body || document.querySelector(".edit");
  if (TOUCH_POINTER.matches || taken) return;
  textBox.setSelectionRange(textBox.value.length, textBox.value.length);
  textBox.focus({ preventScroll: true });
}

/** The replies that are still being written, in the order they run. */
export function runningReplies() {
  return [...messageList.querySelectorAll("live-reply")].filter((reply) => reply.isRunning);
}

/** The message this page ends with. */
export function getParentId() {
  return parentField.value;
}

/** What this page has seen as the end of the chat; null while a message of its own is on its way. */
export function getKnownLeaf() {
  return pendingCount ? null : knownLeafField.value;
}

/** The page ends here from now on, and so does the chat. */
export function setLeaf(leaf) {
  parentField.value = knownLeafField.value = leaf;
  rejectionBox.replaceChildren();
  updateForm();
}

export function getSelectedModel() {
  return modelSelect.value;
}

/** The id of the chat that is open, "" for a new one. Where a form was refused, or is a page of its own, the address has another. */
export function getConversationId() {
  return /^\/c\/([^/]+)\//.exec(composerForm.getAttribute("action"))?.[1] ?? "";
}

/** Say that the chat has gone on without this page. */
export function showMoved(leaf) {
  const made = document.importNode(document.getElementById("moved-template").content, true);
  const stay = made.querySelector("[name='parent']");
  [stay.value, stay.dataset.knownLeaf] = [parentField.value, leaf];
  made.querySelector("[data-moved-link]").href = `/c/${getConversationId()}/`;
  rejectionBox.replaceChildren(made);
}

/** Send from where the page stands, although the chat went on elsewhere. */
function branchFrom({ value, dataset }) {
  parentField.value = value;
  knownLeafField.value = dataset.knownLeaf;
}

function onInput() {
  saveDraft(composerForm, defaultModel);
  updateForm();
}

function updateForm() {
  document.getElementById("main").classList.toggle("new", !messageList.querySelector(".message"));
  const [first] = runningReplies();
  const usable = modelSelect.selectedOptions[0]?.disabled === false;
  const offline = connection.status === "offline";
  sendButton.disabled = !usable || offline || !textBox.value.trim();
  sendButton.title = offline ? "Offline. What you write is kept." : !usable ? "Pick a model that has a key" : sendButton.disabled ? "Write a message first" : "";
  hintLine.replaceChildren(...(usable ? [] : noKeyHint));
  composerForm.toggleAttribute("data-running", Boolean(first));
  stopButton.setAttribute("formaction", first?.stream ? `/s/${first.stream}/stop/` : "");
  updateSettings();
}

/** Settings only where the model takes them, and in a line what differs from the usual. */
function updateSettings() {
  const { takesTemperature, takesMaxTokens, efforts = "", maxOutput } = modelSelect.selectedOptions[0]?.dataset ?? {};
  const { max_tokens: tokens, temperature, reasoning_effort: effort, system_prompt: prompt } = composerForm.elements;
  const taken = { max_tokens: takesMaxTokens === "true", temperature: takesTemperature === "true", reasoning_effort: efforts !== "" };
  for (const [name, takes] of Object.entries(taken)) composerForm.querySelector(`[data-setting='${name}']`).hidden = !takes;
  updateEfforts(effort, efforts.split(" ").filter(Boolean));
  if (maxOutput) tokens.max = maxOutput;
  else tokens.removeAttribute("max");
  const parts = [
    taken.temperature && temperature.value,
    taken.max_tokens && tokens.value && `${tokens.value} tokens`,
    effort.value && `${effort.value} effort`,
    prompt.value && "system prompt",
  ];
  const summary = document.getElementById("settings-summary");
  summary.textContent = parts.filter(Boolean).join(" · ");
  summary.parentElement.classList.toggle("changed", summary.textContent !== "");
}

/** Each model has words of its own for how hard it thinks. */
function updateEfforts(effort, names) {
  const offered = [...effort.options].slice(1).map(({ value }) => value);
  if (offered.join() === names.join()) return;
  const chosen = effort.value || draftEffort;
  effort.replaceChildren(effort.options[0], ...names.map((name) => new Option(name[0].toUpperCase() + name.slice(1), name)));
  effort.value = names.includes(chosen) ? chosen : "";
}

/** Enter sends, Shift+Enter does not; neither while an input method composes, nor under a thumb. */
function onKeyDown(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || TOUCH_POINTER.matches) return;
  event.preventDefault();
  if (!sendButton.disabled) composerForm.requestSubmit(sendButton);
}

function onSubmit(event) {
  event.preventDefault();
  if (event.submitter === stopButton) stopFirstReply();
  else if (!sendButton.disabled) {
    if (event.submitter?.name === "parent") branchFrom(event.submitter);
    enqueueMessage(createMessage());
  }
}

/** Of those that run, the one that began first. */
export async function stopFirstReply() {
  const [first] = runningReplies();
  if (!first) return;
  first.setStatusText("Stopping…");
  stopOnceStarted = !first.stream;
  if (stopOnceStarted) return;
  const response = await postForm(`/s/${first.stream}/stop/`);
  if (!response?.ok && first.isRunning) first.setStatusText("Not stopped. Try again", "failed");
}

// A message on its way

/** @returns {Message} shown, and the box made ready for the next one */
function createMessage() {
  const fields = new URLSearchParams(new FormData(composerForm));
  fields.set("request_id", createRequestId());
  const message = buildMessage(fields);
  saveUnsent(message.action, fields);
  textBox.value = "";
  deleteDraft(composerForm);
  rejectionBox.replaceChildren();
  showMessage(message);
  textBox.focus();
  return message;
}

function buildMessage(fields) {
  const [question, answer] = ["message-template", "reply-template"].map(cloneTemplate);
  question.querySelector(".user-text").textContent = fields.get("text");
  const model = fields.get("model");
  answer.setAttribute("aria-label", model);
  answer.querySelector("header").textContent = model;
  return { fields, question, answer, action: composerForm.getAttribute("action") };
}

function cloneTemplate(id) {
  const article = document.importNode(document.getElementById(id).content.querySelector("article"), true);
  article.removeAttribute("id");
  return article;
}

function showMessage({ question, answer }) {
  if (!question.isConnected) messageList.append(question);
  const first = !runningReplies().length;
  question.after(answer);
  if (first) answer.querySelector("live-reply").setStatusText("Connecting");
  updateForm();
  scrollToBottom();
}

function enqueueMessage(message) {
  pendingCount += 1;
  sendQueue = sendQueue.then(() => sendMessage(message)).finally(() => {
    pendingCount -= 1;
    document.dispatchEvent(new CustomEvent("send-finished"));
  });
}

async function sendMessage(message) {
  retargetMessage(message);
  message.fields.set("parent", parentField.value);
  message.fields.set("seen", knownLeafField.value);
  const response = await postForm(message.action, message.fields);
  if (!response) return showNotSent(message);
  const elsewhere = response.headers.get("HX-Redirect") ?? (response.redirected ? response.url : null);
  if (elsewhere) return redirectToSignIn(message, elsewhere);
  if (isAccountMismatch(response)) return rollbackMessage(message);
  if (response.status === 422 || response.status === 409) return rejectMessage(message, parseFragment(response));
  const made = parseFragment(response).querySelectorAll("article");
  if (!response.ok || made.length !== 2) return showNotSent(message); // a portal's own page may come, too
  return acceptMessage(message, made, response.headers.get("HX-Push-Url"));
}

/** A message written before the chat had its address goes into that chat. */
function retargetMessage(message) {
  const action = composerForm.getAttribute("action");
  if (message.action === action) return;
  deleteUnsent(message.action, message.fields);
  message.action = action;
  saveUnsent(action, message.fields);
}

function acceptMessage(message, [question, answer], page) {
  defaultModel = message.fields.get("model");
  deleteUnsent(message.action, message.fields);
  if (page) setConversationUrl(page);
  const there = document.getElementById(question.id); // sent before, and the page was loaded since
  if (!there) parentField.value = knownLeafField.value = answer.id.slice(2);
  message.question.replaceWith(...(there ? [] : [question]));
  message.answer.replaceWith(...(there ? [] : [answer]));
  if (stopOnceStarted) stopFirstReply();
  stopOnceStarted = false;
  updateForm();
}

/** A new chat has got an address of its own, and what was typed meanwhile belongs to it. */
function setConversationUrl(page) {
  history.pushState(null, "", page);
  deleteDraft(composerForm);
  composerForm.setAttribute("action", `${page}messages/`);
  if (textBox.value) saveDraft(composerForm, defaultModel);
  textBox.placeholder = "Reply";
  document.dispatchEvent(new CustomEvent("url-changed", { detail: page }));
}

function redirectToSignIn(message, where) {
  rollbackMessage(message);
  location.assign(where);
}

function rejectMessage(message, why) {
  rollbackMessage(message);
  rejectionBox.replaceChildren(why);
}

/** Nothing was written on the server: take the message back, and give its text back. */
function rollbackMessage({ question, answer, fields, action }) {
  question.remove();
  answer.remove();
  deleteUnsent(action, fields);
  textBox.value = [fields.get("text"), textBox.value].filter(Boolean).join("\n\n");
  stopOnceStarted = false;
  onInput();
  emitReplyRemoved();
}

/** A reply left the page before it began. */
function emitReplyRemoved() {
  document.dispatchEvent(new CustomEvent("reply-changed"));
}

/** It may have arrived or not: sent again under the same id it makes no second reply. */
function showNotSent(message) {
  const foot = createElement("footer", "message-footer");
  const line = createElement("div", "message-footer-row");
  const words = createElement("span", "state", "Not sent.");
  const retry = createElement("button", "quiet", "Retry");
  words.dataset.severity = "failed";
  words.setAttribute("role", "alert");
  retry.type = "button";
  retry.addEventListener("click", () => {
    foot.remove();
    showMessage(message);
    enqueueMessage(message);
  });
  const edit = Object.assign(createElement("button", "quiet", "Edit"), { type: "button" });
  edit.addEventListener("click", () => {
    rollbackMessage(message);
    textBox.focus();
  });
  line.append(words, retry, edit);
  foot.append(line);
  message.answer.remove();
  message.question.append(foot);
  stopOnceStarted = false;
  emitReplyRemoved();
}

function createElement(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/** Is the model of a draft what somebody chose? Not where the address names one, nor where it is one
 *  for trying and there was nothing better then. */
function isChosenModel({ model, usual: before = model }) {
  const isTrial = (id) => [...modelSelect.options].some(({ value, dataset }) => value === id && "demo" in dataset);
  const isBetter = isTrial(model) && isTrial(before) && !isTrial(defaultModel);
  return !isBetter && !new URLSearchParams(location.search).has("model");
}

/** What a reload found here: the draft, unless the server gave one, and what was never answered. */
function restoreDrafts() {
  draftEffort = readDraft(composerForm).reasoning_effort ?? "";
  for (const [name, value] of Object.entries(readDraft(composerForm))) {
    const field = composerForm.elements[name];
    const given = !field || (name === "text" && field.value);
    const offered = !field?.options || [...field.options].some((one) => one.value === value && !one.disabled);
    if (!given && offered && (field !== modelSelect || isChosenModel(readDraft(composerForm)))) field.value = value;
  }
  const action = composerForm.getAttribute("action");
  for (const fields of readUnsent(action)) {
    if (messageList.querySelector(`[data-request="${fields.get("request_id")}"]`)) deleteUnsent(action, fields);
    else {
      const message = buildMessage(fields);
      messageList.append(message.question);
      showNotSent(message);
    }
  }
}
