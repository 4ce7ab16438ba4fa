// Small helpers for elements and their events.

export function createElement(tag, className = "", textContent = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = textContent;
  return element;
}

/**
 * Would a click with these keys open a new tab or window? Then a script leaves it to the browser.
 */
export function opensElsewhere({ metaKey, ctrlKey, shiftKey }) {
  return metaKey || ctrlKey || shiftKey;
}
