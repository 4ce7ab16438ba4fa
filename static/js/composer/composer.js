// The composer: keys, buttons and drafts. outbox.js sends what is written.

import { isComposing } from "../elements.js";
import { connection } from "../live/socket.js";
import { onInput, startDrafts } from "./draft-box.js";
import {
  branchFrom,
  form,
  initializeForm,
  sendButton,
  stopButton,
  textBox,
  updateForm,
} from "./form.js";
import { restoreUnsent, sendText, stopFirstReply } from "./outbox.js";

const TOUCH_POINTER = matchMedia("(pointer: coarse)");

export function startComposer() {
  initializeForm();
  startDrafts();
  restoreUnsent();
  form.addEventListener("submit", onSubmit);
  form.addEventListener("input", onInput);
  textBox.addEventListener("keydown", onKeyDown);
  document.addEventListener("reply-changed", updateForm);
  connection.addEventListener("status", updateForm);
  // Stop replaces Send under the pointer. The second click of a double click must not stop the
  // reply.
  stopButton.addEventListener("click", (event) => event.detail > 1 && event.preventDefault());
  updateForm();
  focusTextBox();
}

/** Typing goes into the box from the start, except on a phone, whose keyboard would cover the page. */
function focusTextBox() {
  const isTaken = document.activeElement !== document.body || document.querySelector(".edit");
  if (TOUCH_POINTER.matches || isTaken) return;
  textBox.setSelectionRange(textBox.value.length, textBox.value.length);
  textBox.focus({ preventScroll: true });
}

/**
 * Enter sends, Shift+Enter makes a new line. Enter does not send from an input method or a phone's
 * keyboard.
 */
function onKeyDown(event) {
  if (event.key !== "Enter" || event.shiftKey || isComposing(event) || TOUCH_POINTER.matches)
    return;
  event.preventDefault();
  if (!sendButton.disabled) form.requestSubmit(sendButton);
}

function onSubmit(event) {
  event.preventDefault();
  if (event.submitter === stopButton) stopFirstReply();
  else if (!sendButton.disabled) {
    if (event.submitter?.name === "parent") branchFrom(event.submitter);
    sendText();
  }
}
