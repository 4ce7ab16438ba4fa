// The drafts of this place that are not in the box: of closed tabs, of other devices, and what was
// written on two devices at once. Each can be inserted into the box or discarded.

const MAX_SHOWN = 3;

let panel, template;

export function startOtherDrafts() {
  panel = document.getElementById("other-drafts");
  template = document.getElementById("other-draft-template");
}

/**
 * Keeps the elements of drafts that stay, because one of their buttons may have the focus.
 * @param {{id: string, fields: {text: string}}[]} others newest first
 * @param {{insert: (draft: object) => void, discard: (draft: object) => void}} actions
 */
export function renderOtherDrafts(others, actions) {
  const shown = others.slice(0, MAX_SHOWN);
  for (const element of [...panel.children])
    if (!shown.some(({ id }) => id === element.dataset.draft)) element.remove();
  for (const draft of shown) {
    const element =
      panel.querySelector(`[data-draft="${draft.id}"]`) ?? panel.appendChild(createElement(draft));
    element.querySelector(".other-draft-text").textContent = draft.fields.text;
    for (const [name, act] of Object.entries(actions))
      element.querySelector(`[data-${name}]`).onclick = () => {
        element.remove();
        act(draft);
      };
  }
}

function createElement({ id }) {
  const element = document.importNode(template.content.firstElementChild, true);
  element.dataset.draft = id;
  return element;
}
