// The only way in which a text becomes HTML of a page, or the text of a script element. The content
// security policy makes browsers refuse any other (“Trusted Types”). htmx uses it too.

const EXECUTABLE_SCRIPT = /<script(?! (?:id="[^"]*" )?type="application\/json"(?: id="[^"]*")?>)/i;

const rules = {
  /** For answers of this server. Their scripts hold data only, and a person's text has no “<”. */
  createHTML: (html) => (EXECUTABLE_SCRIPT.test(html) ? "" : html),
  /** For the data in an answer. JSON does nothing if a browser runs it. */
  createScript: (text) => JSON.stringify(JSON.parse(text)),
};
const policy = window.trustedTypes?.createPolicy("holdfast", rules) ?? rules;

/** @returns {TrustedHTML | string} nothing of an answer with a script, such as a whole page */
export function trustHtml(html) {
  return policy.createHTML(html);
}

export function secureHtmx() {
  window.htmx.registerExtension("trusted-types", { init: (api) => api.initSecurity(policy) });
}
