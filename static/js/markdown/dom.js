// Trees of elements, and the DOM that shows them. A patch touches only the nodes that differ.

/** @typedef {{tag: string, attrs: Record<string, string>, kids: Tree[], raw?: string, mark?: string}} Branch */
/** @typedef {Branch | string} Tree */

/** @returns {Branch} */
export function h(tag, attrs = {}, kids = []) {
  return { tag, attrs, kids };
}

/** @param {Tree} tree */
export function createNode(tree) {
  if (typeof tree === "string") return document.createTextNode(tree);
  const element = document.createElement(tree.tag);
  for (const [name, value] of Object.entries(tree.attrs)) element.setAttribute(name, value);
  for (const kid of tree.kids) element.append(createNode(kid));
  return element;
}

/**
 * The children of `parent` from `node` on show `before`: make them show `after`.
 * @param {Node[]} newNodes nodes for the trees that `before` does not have
 */
export function patchChildren(
  parent,
  before,
  after,
  node = parent.firstChild,
  newNodes = after.slice(before.length).map(createNode),
) {
  const both = Math.min(before.length, after.length);
  for (let i = 0; i < both; i++) {
    const next = node.nextSibling;
    if (before[i] !== after[i]) updateNode(node, before[i], after[i]);
    node = next;
  }
  for (let extra = before.length - both; extra > 0; extra--) {
    const next = node.nextSibling;
    node.remove();
    node = next;
  }
  for (const element of newNodes) parent.insertBefore(element, node);
}

function updateNode(node, old, now) {
  if (typeof old === "string" && typeof now === "string") {
    if (now.startsWith(old)) node.appendData(now.slice(old.length));
    else if (old.startsWith(now)) node.deleteData(now.length, old.length);
    else node.data = now;
  } else if (isSameElement(old, now)) patchChildren(node, old.kids, now.kids);
  else node.replaceWith(createNode(now));
}

function isSameElement(old, now) {
  if (typeof old === "string" || old.tag !== now.tag) return false;
  if (now.attrs.class === "math" && old.kids[0] !== now.kids[0]) return false; // a typeset formula no longer contains its text
  const names = Object.keys(now.attrs);
  return (
    names.length === Object.keys(old.attrs).length &&
    names.every((name) => old.attrs[name] === now.attrs[name])
  );
}
