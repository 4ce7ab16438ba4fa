// Passkeys: a form's button asks the browser to create or use one, then the form carries the answer
// to the server. The options are in the page or, where `data-options-url` is set, at that address.

import { fetchFragment } from "./http.js";

const STATES = { NotAllowedError: "failed", AbortError: "failed", InvalidStateError: "known" };

for (const form of document.querySelectorAll("form[data-passkey]")) startForm(form);

function startForm(form) {
  if (!window.PublicKeyCredential) return showState(form, "unsupported");
  form.querySelector("button[type=submit]").disabled = false;
  // In the bubbling phase, after forms.js has added the current token.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onSubmit(form);
  });
}

async function onSubmit(form) {
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  showState(form, "");
  try {
    const { publicKey } = await readOptions(form);
    const credential =
      form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: decodeOptions(publicKey) })
        : await navigator.credentials.get({ publicKey: decodeOptions(publicKey) });
    form.elements.credential.value = JSON.stringify(encodeCredential(credential));
    HTMLFormElement.prototype.submit.call(form);
  } catch (error) {
    showState(form, STATES[error.name] ?? "failed");
  }
  button.disabled = false;
}

async function readOptions({ dataset }) {
  if (!dataset.optionsUrl) return JSON.parse(document.getElementById(dataset.options).textContent);
  const response = await fetchFragment(dataset.optionsUrl, { Accept: "application/json" });
  if (!response?.ok) throw new Error(String(response?.status));
  return JSON.parse(response.html);
}

/** Show one of the sentences that the page has for the script. */
function showState(form, name) {
  const place = form.querySelector("[data-passkey-state]");
  place.textContent = name ? place.dataset[name] : "";
  place.hidden = !name;
}

// Browsers want bytes where JSON has text in base64url. Their own conversion is missing in older
// ones.

export function decodeOptions(options) {
  const decodeId = (described) => ({ ...described, id: decodeBytes(described.id) });
  const decoded = { ...options, challenge: decodeBytes(options.challenge) };
  if (options.user) decoded.user = decodeId(options.user);
  for (const list of ["allowCredentials", "excludeCredentials"])
    if (options[list]) decoded[list] = options[list].map(decodeId);
  return decoded;
}

export function encodeCredential(credential) {
  const { response } = credential;
  const encoded = { clientDataJSON: encodeBytes(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"])
    if (response[name]) encoded[name] = encodeBytes(response[name]);
  return {
    id: credential.id,
    rawId: encodeBytes(credential.rawId),
    type: credential.type,
    response: encoded,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function decodeBytes(text) {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function encodeBytes(buffer) {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
