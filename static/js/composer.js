// Writing and sending. The message and an empty reply appear at once, under a request id made
// here; whatever goes wrong, the text stays: in the box, in the page, or in this browser.

import { connection } from "./socket.js";
import { draft, dropDraft, dropUnsent, keepDraft, keepUnsent, unsent } from "./drafts.js";
import { toTheEnd } from "./follow.js";
import { fragmentOf, isSomeoneElse, post, requestId } from "./server.js";

/** @typedef {{fields: URLSearchParams, action: string, question: Element, answer: Element}} Message */

const TOUCH = matchMedia("(pointer: coarse)");

let form, box, select, send, stop, hint, refusal, messages, parent, seen;
let noKey = []; // the hint's own words, for a model that can't be used
let stopWhenKnown = false;
let line = Promise.resolve(); // messages go one after the other: each follows the one before
let underway = 0;
let usual = ""; // the model that the form has by itself
let wanted = ""; // the effort of a draft, whose model is not picked yet

export function startComposer() {
  form = document.getElementById("composer");
  ({ text: box, model: select } = form.elements);
  [send, stop] = [".send", ".stop"].map((name) => form.querySelector(name));
  [hint, refusal, messages] = ["hint", "refusal", "messages"].map((id) => document.getElementById(id));
  [parent, seen] = ["parent", "seen"].map((id) => document.getElementById(id));
  noKey = [...hint.childNodes];
  usual = [...select.options].find(({ defaultSelected }) => defaultSelected)?.value ?? "";
  restore();
  form.addEventListener("submit", submitted);
  form.addEventListener("input", changed);
  box.addEventListener("keydown", pressed);
  document.addEventListener("reply", update);
  connection.addEventListener("status", update);
  // Stop takes the place of Send under the pointer: the second of a double click is not for it.
  stop.addEventListener("click", (event) => event.detail > 1 && event.preventDefault());
  update();
  takeFocus();
}

/** What is typed is for the box, from the first letter on; a phone's keyboard would cover the page. */
function takeFocus() {
  const taken = document.activeElement !== document.body || document.querySelector(".edit");
  if (TOUCH.matches || taken) return;
  box.setSelectionRange(box.value.length, box.value.length);
  box.focus({ preventScroll: true });
}

/** The replies that are still being written, in the order they run. */
export function running() {
  return [...messages.querySelectorAll("live-reply")].filter((reply) => reply.running);
}

/** The message this page ends with. */
export function standing() {
  return parent.value;
}

/** What this page has seen as the end of the chat; null while a message of its own is on its way. */
export function seenEnd() {
  return underway ? null : seen.value;
}

/** The page ends here from now on, and so does the chat. */
export function standAt(leaf) {
  parent.value = seen.value = leaf;
  refusal.replaceChildren();
  update();
}

export function composerModel() {
  return select.value;
}

/** The id of the chat that is open, "" for a new one. Where a form was refused, or is a page of its own, the address has another. */
export function openChat() {
  return /^\/c\/([^/]+)\//.exec(form.getAttribute("action"))?.[1] ?? "";
}

/** Say that the chat has gone on without this page. */
export function movedTo(leaf) {
  const made = document.importNode(document.getElementById("moved-template").content, true);
  const stay = made.querySelector("[name='parent']");
  [stay.value, stay.dataset.seen] = [parent.value, leaf];
  made.querySelector("[data-show]").href = `/c/${openChat()}/`;
  refusal.replaceChildren(made);
}

/** Send from where the page stands, although the chat went on elsewhere. */
function stayAt({ value, dataset }) {
  parent.value = value;
  seen.value = dataset.seen;
}

function changed() {
  keepDraft(form, usual);
  update();
}

function update() {
  document.getElementById("main").classList.toggle("new", !messages.querySelector(".message"));
  const [first] = running();
  const usable = select.selectedOptions[0]?.disabled === false;
  const offline = connection.status === "offline";
  send.disabled = !usable || offline || !box.value.trim();
  send.title = offline ? "Offline. What you write is kept." : !usable ? "Pick a model that has a key" : send.disabled ? "Write a message first" : "";
  hint.replaceChildren(...(usable ? [] : noKey));
  form.toggleAttribute("data-running", Boolean(first));
  stop.setAttribute("formaction", first?.stream ? `/s/${first.stream}/stop/` : "");
  showSettings();
}

/** Settings only where the model takes them, and in a line what differs from the usual. */
function showSettings() {
  const { takesTemperature, takesMaxTokens, efforts = "", maxOutput } = select.selectedOptions[0]?.dataset ?? {};
  const { max_tokens: tokens, temperature, reasoning_effort: effort, system_prompt: prompt } = form.elements;
  const taken = { max_tokens: takesMaxTokens === "true", temperature: takesTemperature === "true", reasoning_effort: efforts !== "" };
  for (const [name, takes] of Object.entries(taken)) form.querySelector(`[data-setting='${name}']`).hidden = !takes;
  offerEfforts(effort, efforts.split(" ").filter(Boolean));
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
function offerEfforts(effort, names) {
  const offered = [...effort.options].slice(1).map(({ value }) => value);
  if (offered.join() === names.join()) return;
  const chosen = effort.value || wanted;
  effort.replaceChildren(effort.options[0], ...names.map((name) => new Option(name[0].toUpperCase() + name.slice(1), name)));
  effort.value = names.includes(chosen) ? chosen : "";
}

/** Enter sends, Shift+Enter does not; neither while an input method composes, nor under a thumb. */
function pressed(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || TOUCH.matches) return;
  event.preventDefault();
  if (!send.disabled) form.requestSubmit(send);
}

function submitted(event) {
  event.preventDefault();
  if (event.submitter === stop) stopRunning();
  else if (!send.disabled) {
    if (event.submitter?.name === "parent") stayAt(event.submitter);
    deliver(compose());
  }
}

/** Of those that run, the one that began first. */
export async function stopRunning() {
  const [first] = running();
  if (!first) return;
  first.say("Stopping…");
  stopWhenKnown = !first.stream;
  if (stopWhenKnown) return;
  const response = await post(`/s/${first.stream}/stop/`);
  if (!response?.ok && first.running) first.say("Not stopped. Try again", "failed");
}

// A message on its way

/** @returns {Message} shown, and the box made ready for the next one */
function compose() {
  const fields = new URLSearchParams(new FormData(form));
  fields.set("request_id", requestId());
  const message = messageOf(fields);
  keepUnsent(message.action, fields);
  box.value = "";
  dropDraft(form);
  refusal.replaceChildren();
  show(message);
  box.focus();
  return message;
}

function messageOf(fields) {
  const [question, answer] = ["message-template", "reply-template"].map(fromTemplate);
  question.querySelector(".words").textContent = fields.get("text");
  const model = fields.get("model");
  answer.setAttribute("aria-label", model);
  answer.querySelector("header").textContent = model;
  return { fields, question, answer, action: form.getAttribute("action") };
}

function fromTemplate(id) {
  const article = document.importNode(document.getElementById(id).content.querySelector("article"), true);
  article.removeAttribute("id");
  return article;
}

function show({ question, answer }) {
  if (!question.isConnected) messages.append(question);
  const first = !running().length;
  question.after(answer);
  if (first) answer.querySelector("live-reply").say("Connecting");
  update();
  toTheEnd();
}

function deliver(message) {
  underway += 1;
  line = line.then(() => hand(message)).finally(() => {
    underway -= 1;
    document.dispatchEvent(new CustomEvent("delivered"));
  });
}

async function hand(message) {
  follow(message);
  message.fields.set("parent", parent.value);
  message.fields.set("seen", seen.value);
  const response = await post(message.action, message.fields);
  if (!response) return notSent(message);
  const elsewhere = response.headers.get("HX-Redirect") ?? (response.redirected ? response.url : null);
  if (elsewhere) return signIn(message, elsewhere);
  if (isSomeoneElse(response)) return withdraw(message);
  if (response.status === 422 || response.status === 409) return refused(message, fragmentOf(response));
  const made = fragmentOf(response).querySelectorAll("article");
  if (!response.ok || made.length !== 2) return notSent(message); // a portal's own page may come, too
  return arrived(message, made, response.headers.get("HX-Push-Url"));
}

/** A message written before the chat had its address goes into that chat. */
function follow(message) {
  const action = form.getAttribute("action");
  if (message.action === action) return;
  dropUnsent(message.action, message.fields);
  message.action = action;
  keepUnsent(action, message.fields);
}

function arrived(message, [question, answer], page) {
  usual = message.fields.get("model");
  dropUnsent(message.action, message.fields);
  if (page) moveTo(page);
  const there = document.getElementById(question.id); // sent before, and the page was loaded since
  if (!there) parent.value = seen.value = answer.id.slice(2);
  message.question.replaceWith(...(there ? [] : [question]));
  message.answer.replaceWith(...(there ? [] : [answer]));
  if (stopWhenKnown) stopRunning();
  stopWhenKnown = false;
  update();
}

/** A new chat has got an address of its own, and what was typed meanwhile belongs to it. */
function moveTo(page) {
  history.pushState(null, "", page);
  dropDraft(form);
  form.setAttribute("action", `${page}messages/`);
  if (box.value) keepDraft(form, usual);
  box.placeholder = "Reply";
  document.dispatchEvent(new CustomEvent("moved", { detail: page }));
}

function signIn(message, where) {
  withdraw(message);
  location.assign(where);
}

function refused(message, why) {
  withdraw(message);
  refusal.replaceChildren(why);
}

/** Nothing was written on the server: take the message back, and give its text back. */
function withdraw({ question, answer, fields, action }) {
  question.remove();
  answer.remove();
  dropUnsent(action, fields);
  box.value = [fields.get("text"), box.value].filter(Boolean).join("\n\n");
  stopWhenKnown = false;
  changed();
  tellOfFewer();
}

/** A reply left the page before it began. */
function tellOfFewer() {
  document.dispatchEvent(new CustomEvent("reply"));
}

/** It may have arrived or not: sent again under the same id it makes no second reply. */
function notSent(message) {
  const foot = element("footer", "foot");
  const line = element("div", "foot-line");
  const words = element("span", "state", "Not sent.");
  const retry = element("button", "quiet", "Retry");
  words.dataset.tone = "failed";
  words.setAttribute("role", "alert");
  retry.type = "button";
  retry.addEventListener("click", () => {
    foot.remove();
    show(message);
    deliver(message);
  });
  const edit = Object.assign(element("button", "quiet", "Edit"), { type: "button" });
  edit.addEventListener("click", () => {
    withdraw(message);
    box.focus();
  });
  line.append(words, retry, edit);
  foot.append(line);
  message.answer.remove();
  message.question.append(foot);
  stopWhenKnown = false;
  tellOfFewer();
}

function element(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/** Is the model of a draft what somebody chose? Not where the address names one, nor where it is one
 *  for trying and there was nothing better then. */
function isChoice({ model, usual: before = model }) {
  const isTrial = (id) => [...select.options].some(({ value, dataset }) => value === id && "trial" in dataset);
  const isBetter = isTrial(model) && isTrial(before) && !isTrial(usual);
  return !isBetter && !new URLSearchParams(location.search).has("model");
}

/** What a reload found here: the draft, unless the server gave one, and what was never answered. */
function restore() {
  wanted = draft(form).reasoning_effort ?? "";
  for (const [name, value] of Object.entries(draft(form))) {
    const field = form.elements[name];
    const given = !field || (name === "text" && field.value);
    const offered = !field?.options || [...field.options].some((one) => one.value === value && !one.disabled);
    if (!given && offered && (field !== select || isChoice(draft(form)))) field.value = value;
  }
  const action = form.getAttribute("action");
  for (const fields of unsent(action)) {
    if (messages.querySelector(`[data-request="${fields.get("request_id")}"]`)) dropUnsent(action, fields);
    else {
      const message = messageOf(fields);
      messages.append(message.question);
      notSent(message);
    }
  }
}
