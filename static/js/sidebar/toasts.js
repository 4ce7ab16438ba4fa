// Short notices above the composer, some with a button to undo what was done.

import { createElement } from "../elements.js";
import { gettext } from "../i18n.js";

const TOAST_MS = 10_000;

let toastArea;

export function startToasts() {
  toastArea = document.getElementById("toasts");
  for (const toast of toastArea.children) removeToastLater(toast);
}

/** @param {DocumentFragment | Element} content with one toast in it */
export function showToast(content) {
  toastArea.replaceChildren(content);
  removeToastLater(toastArea.firstElementChild);
}

export function showFailureToast() {
  showToast(createElement("p", "toast", gettext("That didn’t work. Try again.")));
}

/** Wait while someone is about to press its button. */
function removeToastLater(toast) {
  setTimeout(
    () => (toast.matches(":hover, :focus-within") ? removeToastLater(toast) : toast.remove()),
    TOAST_MS,
  );
}
