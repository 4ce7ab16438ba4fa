// Keeps values in this browser for the next page. A browser may refuse to keep anything, or be full;
// then a value is null.

export function readText(key, storage = "localStorage") {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

/** Null deletes the key. */
export function writeText(key, text, storage = "localStorage") {
  try {
    if (text === null) window[storage].removeItem(key);
    else window[storage].setItem(key, text);
  } catch {}
}

/** The same for any JSON. */
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

export function listKeys() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}
