// The composer's form: its elements and values, the message that the next one follows, whether it can
// be sent, and the settings that the selected model supports.

import { gettext, interpolate } from "../elements.js";
import { runningReplies } from "../live/running-replies.js";
import { connection } from "../live/socket.js";

export let form, textBox, modelSelect, messageList, sendButton, stopButton;
export let defaultModel = ""; // the model that the form selects by itself
export let isTextFilled = false; // by the server

let hintLine, rejectionBox, parentField, knownLeafField;
let noKeyHint = []; // the content of the hint for a model that can't be used

export function initializeForm() {
  form = document.getElementById("composer");
  ({ text: textBox, model: modelSelect } = form.elements);
  [sendButton, stopButton] = [".send", ".stop"].map((name) => form.querySelector(name));
  [hintLine, rejectionBox, messageList] = ["hint", "rejection", "messages"].map((id) =>
    document.getElementById(id),
  );
  [parentField, knownLeafField] = ["parent", "seen"].map((id) => document.getElementById(id));
  noKeyHint = [...hintLine.childNodes];
  isTextFilled = textBox.value !== "";
  setDefaultModel(
    [...modelSelect.options].find(({ defaultSelected }) => defaultSelected)?.value ?? "",
  );
}

export function setDefaultModel(model) {
  defaultModel = model;
}

export function getSelectedModel() {
  return modelSelect.value;
}

/** The label of the model whose name stands over a reply; that name if the list has no such model. */
export function getModelLabel(messageName) {
  const option = [...modelSelect.options].find(
    ({ dataset, disabled }) => dataset.messageName === messageName && !disabled,
  );
  return option?.label ?? messageName;
}

/** The name over the replies of a model, by its form value. */
export function getMessageName(model) {
  const option = [...modelSelect.options].find(({ value }) => value === model);
  return option?.dataset.messageName ?? model;
}

/** @returns {string} the last message of this page, which the next one follows */
export function getParentId() {
  return parentField.value;
}

/** @returns {string} the last message of the conversation, as far as this page knows */
export function getKnownLeaf() {
  return knownLeafField.value;
}

/** The page and the conversation end with this message now. */
export function setLeaf(leaf) {
  parentField.value = knownLeafField.value = leaf;
}

/** The same, after a change by anything but a message of this form. */
export function moveToLeaf(leaf) {
  setLeaf(leaf);
  showRejection();
  updateForm();
}

/** The next message goes where the page ends, although the conversation went on elsewhere. */
export function branchFrom({ value, dataset }) {
  parentField.value = value;
  knownLeafField.value = dataset.knownLeaf;
}

export function getAction() {
  return form.getAttribute("action");
}

/** @returns {string} the conversation's id, "" for a new one. The page's URL may be another one, as
 *    after a rejected form. */
export function getConversationId() {
  return /^\/c\/([^/]+)\//.exec(getAction())?.[1] ?? "";
}

export function showRejection(...nodes) {
  rejectionBox.replaceChildren(...nodes);
}

/** Say that the conversation went on without this page. A notice that stands there stays, because a
 *  new button would lose the click that has begun on the old one. */
export function showMoved(leaf) {
  const isShown = rejectionBox.querySelector("[data-moved-link]");
  const notice = isShown
    ? rejectionBox
    : document.importNode(document.getElementById("moved-template").content, true);
  const branchButton = notice.querySelector("[name='parent']");
  [branchButton.value, branchButton.dataset.knownLeaf] = [getParentId(), leaf];
  notice.querySelector("[data-moved-link]").href = `/c/${getConversationId()}/`;
  if (!isShown) showRejection(notice);
}

/** @param {Object<string, string>} fields of a draft */
export function fillForm(fields) {
  draftEffort = fields.reasoning_effort ?? "";
  for (const [name, value] of Object.entries(fields)) {
    const field = form.elements[name];
    const isOffered =
      !field?.options ||
      [...field.options].some((option) => option.value === value && !option.disabled);
    if (field && isOffered && (field !== modelSelect || isChosenModel(fields))) field.value = value;
  }
}

/** Whether the person chose the draft's model. They did not if the URL names a model, or if the
 *  draft has a demo that was the default, and the default is better now. */
function isChosenModel({ model, usual: before = model }) {
  const isDemo = (id) =>
    [...modelSelect.options].some(({ value, dataset }) => value === id && "demo" in dataset);
  const hasBetter = isDemo(model) && isDemo(before) && !isDemo(defaultModel);
  return !hasBetter && !new URLSearchParams(location.search).has("model");
}

export function updateForm() {
  document.getElementById("main").classList.toggle("new", !messageList.querySelector(".message"));
  const [first] = runningReplies();
  const isUsable = modelSelect.selectedOptions[0]?.disabled === false;
  const isOffline = connection.status === "offline";
  sendButton.disabled = !isUsable || isOffline || !textBox.value.trim();
  sendButton.title = describeObstacle(isUsable, isOffline);
  hintLine.replaceChildren(...(isUsable ? [] : noKeyHint));
  form.toggleAttribute("data-running", Boolean(first));
  stopButton.setAttribute("formaction", first?.stream ? `/s/${first.stream}/stop/` : "");
  updateSettings(form);
}

function describeObstacle(isUsable, isOffline) {
  if (isOffline) return gettext("You’re offline. Your draft is saved.");
  if (!isUsable) return gettext("Choose a model you have a key for");
  return sendButton.disabled ? gettext("Write a message first") : "";
}

// The settings of a reply: those that the model supports, and a summary of what differs

let draftEffort = ""; // the effort of a draft whose model is not selected yet

function updateSettings(form) {
  const {
    settings = "",
    efforts = "",
    maxOutput,
  } = form.elements.model.selectedOptions[0]?.dataset ?? {};
  const { max_tokens: tokens, reasoning_effort: effort } = form.elements;
  const supported = settings.split(" ");
  const rows = [...form.querySelectorAll("[data-setting]")];
  for (const row of rows)
    row.hidden = "dependsOnModel" in row.dataset && !supported.includes(row.dataset.setting);
  updateEfforts(effort, efforts.split(" ").filter(Boolean));
  if (maxOutput) tokens.max = maxOutput;
  else tokens.removeAttribute("max");
  const summary = document.getElementById("settings-summary");
  summary.textContent = rows
    .filter((row) => !row.hidden)
    .map((row) => summarize(row.dataset, form.elements))
    .filter(Boolean)
    .join(" · ");
  summary.parentElement.classList.toggle("changed", summary.textContent !== "");
}

function summarize({ setting, summary }, elements) {
  const { value } = elements[setting];
  return value && interpolate(summary, { value });
}

/** Each model has its own names for efforts. */
function updateEfforts(effort, names) {
  const offered = [...effort.options].slice(1).map(({ value }) => value);
  if (offered.join() === names.join()) return;
  const chosen = effort.value || draftEffort;
  effort.replaceChildren(
    effort.options[0],
    ...names.map((name) => new Option(name[0].toUpperCase() + name.slice(1), name)),
  );
  effort.value = names.includes(chosen) ? chosen : "";
}
