// Elements for a page, and words in the reader's language. Without Django's JavaScript catalogue the
// words stay as they are: in English, and in tests of single modules.

export function createElement(tag, className = "", textContent = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = textContent;
  return element;
}

/** Whether a click with these keys opens a new tab or window. A script leaves it to the browser. */
export function opensElsewhere({ metaKey, ctrlKey, shiftKey }) {
  return metaKey || ctrlKey || shiftKey;
}

const IME_KEY_CODE = 229;

/**
 * Whether an input method handles this key. WebKit ends the composition before it sends the key, so
 * only the code tells.
 */
export function isComposing(event) {
  return event.isComposing || event.keyCode === IME_KEY_CODE;
}

// Words

export function gettext(text) {
  return window.django?.gettext?.(text) ?? text;
}

export function ngettext(singular, plural, count) {
  return window.django?.ngettext?.(singular, plural, count) ?? (count === 1 ? singular : plural);
}

/** Put values into a text: interpolate("%(count)s tokens", { count: 3 }). */
export function interpolate(text, values) {
  return text.replace(/%\((\w+)\)s/g, (placeholder, name) => String(values[name] ?? placeholder));
}
