// Copies text.

/**
 * Copy a text exactly, including its line ends. Without the clipboard API (plain http) a copy event
 * does it.
 */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const give = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", give, { once: true });
  document.execCommand("copy");
  return document.removeEventListener("copy", give);
}
