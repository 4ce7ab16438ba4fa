// The buttons beside new recovery codes or a new token: copy, save as a file, print.

document.addEventListener("click", async ({ target }) => {
  if (target.matches("[data-copies]")) {
    await copyCodes(target.dataset.copies);
    target.textContent = target.dataset.done;
  } else if (target.matches("[data-saves]")) {
    saveFile(target.dataset.filename, readCodes(target.dataset.saves));
  } else if (target.matches("[data-prints]")) {
    print();
  }
});

function readCodes(id) {
  const codes = document.getElementById(id).querySelectorAll("code");
  return [...codes].map((code) => `${code.textContent}\n`).join("");
}

/** Without the clipboard API (plain http) the selected codes are copied, with their numbers. */
async function copyCodes(id) {
  if (navigator.clipboard) return navigator.clipboard.writeText(readCodes(id));
  getSelection().selectAllChildren(document.getElementById(id));
  document.execCommand("copy");
}

function saveFile(name, text) {
  const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = Object.assign(document.createElement("a"), { href, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(href)); // after the browser has begun
}
