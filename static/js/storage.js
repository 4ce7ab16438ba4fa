// Keeps values in this browser for the next page. A browser may refuse to keep anything, or be full;
// then a value is null.

/** @param {"localStorage" | "sessionStorage"} [storage] */
export function readText(key, storage = "localStorage") {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

/** @param {string | null} text null deletes the key */
export function writeText(key, text, storage = "localStorage") {
  try {
    if (text === null) window[storage].removeItem(key);
    else window[storage].setItem(key, text);
  } catch {}
}

/** The same for any value that JSON can hold. */
export function readValue(key, storage) {
  try {
    return JSON.parse(readText(key, storage));
  } catch {
    return null;
  }
}

export function writeValue(key, value, storage) {
  writeText(key, value === null ? null : JSON.stringify(value), storage);
}

/** @returns {string[]} of what lasts longer than a tab */
export function listKeys() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}
