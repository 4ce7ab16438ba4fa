// Trees of elements, those of links among them, and the DOM that shows them. A patch touches only the
// nodes that differ.

import { trustHtml } from "../trusted-html.js";

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

// Links and entities: which addresses a link may have, where text has a bare link, and the
// characters that an entity stands for

const SAFE_URL = /^(?:https?:\/\/|mailto:|tel:)/i;
// chat/rendering/links.py explains the ranges.
const HOST_CHARACTERS = String.raw`\ufe00-\ufe0f\ufe20-\ufe2fA-Za-z0-9_!$%&'()*+,\-.:;=@~\u00c0-\u167f\u1681-\u1fff\u200c-\u200d\u2070-\u218f\u2600-\u2dff\u2e80-\u2fff\u3005-\u3007\u3021-\u302f\u3031-\ud7ff\uf900-\ufdcf\ufdf0-\ufdff\ufe70-\ufefe\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uffdc\u{10000}-\u{e01ef}`;
// A host ends before another address, which may follow without a blank in Chinese.
const BARE_URL = new RegExp(
  `(?<![A-Za-z0-9_])https?://(?:(?!https?://)[${HOST_CHARACTERS}])*(?:[/?#][/?#${HOST_CHARACTERS}]*)?`,
  "giu",
);
const HOST = /^[^:]+:\/\/[^/?#]*/;
const ASCII_LABEL = /[!-~]+(?=[^!-~])/y;
const SENTENCE_END = /[?!.,:;*_~']|(?![!-~])\p{P}/u;
const ENTITY = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z][a-z\d]{1,31}));/gi;

export function decodeLink({ href, title }) {
  return { href: decodeEntities(href), title: title && decodeEntities(title) };
}

/** A link where the address is allowed and valid; otherwise only its text. */
export function buildLink({ href, title }, kids) {
  const url = encodeUrl(href);
  if (!SAFE_URL.test(url) || !URL.canParse(url)) return kids;
  const attrs = { href: url, ...(title && { title }) };
  return [h("a", { ...attrs, target: "_blank", rel: "noopener noreferrer nofollow" }, kids)];
}

export function encodeUrl(url) {
  try {
    return encodeURI(url).replaceAll("%25", "%");
  } catch {
    return "";
  }
}

export function linkify(text) {
  const kids = [];
  let end = 0;
  for (const match of text.matchAll(BARE_URL)) {
    const url = trimUrl(match[0]);
    const [link] = buildLink({ href: url }, [url]);
    if (link === url) continue; // not a valid address
    if (match.index > end) kids.push(text.slice(end, match.index));
    kids.push(link);
    end = match.index + url.length;
  }
  if (end < text.length) kids.push(text.slice(end));
  return kids;
}

/** Remove what belongs to the surrounding sentence from a bare URL. Empty if it is none. */
function trimUrl(found) {
  const url = trimHost(found);
  let end = url.length;
  let unopened = url.split(")").length - url.split("(").length;
  while (end) {
    const last = String.fromCodePoint(
      url.codePointAt(end - (isLowSurrogate(url[end - 1]) ? 2 : 1)),
    );
    const isUnbalanced = last === ")" && unopened > 0;
    if (!isUnbalanced && !SENTENCE_END.test(last)) break;
    if (last === ")") unopened--;
    end -= last.length;
  }
  return url.slice(0, end);
}

function isLowSurrogate(unit) {
  return (unit.charCodeAt(0) & 0xfc00) === 0xdc00;
}

/**
 * The last label of a host is ASCII, or nothing of it is: “https://example.com查看” ends with a verb,
 * and “https://开头” is no address.
 */
function trimHost(url) {
  const host = HOST.exec(url)?.[0] ?? "";
  if (!/[^!-~]/.test(host)) return url;
  ASCII_LABEL.lastIndex = Math.max(host.lastIndexOf("."), host.lastIndexOf("/")) + 1;
  const label = ASCII_LABEL.exec(host);
  if (label) return url.slice(0, label.index + label[0].length);
  return host.includes(".") ? url : "";
}

export function flattenText(tokens) {
  return tokens
    .map((token) => {
      if (token.type === "br") return "\n";
      if (token.type === "text") return decodeEntities(token.raw);
      return token.tokens && !token.autolink ? flattenText(token.tokens) : token.text;
    })
    .join("");
}

const entityCache = new Map();

export function decodeEntities(text) {
  if (!text.includes("&")) return text;
  return text.replace(ENTITY, (entity, decimal, hex, name) => {
    if (!name) return characterOf(decimal ? parseInt(decimal, 10) : parseInt(hex, 16));
    if (!entityCache.has(name)) entityCache.set(name, lookUpEntity(name) ?? entity);
    return entityCache.get(name);
  });
}

/** The browser's parser has the table of names. ENTITY passes only letters and digits to it. */
function lookUpEntity(name) {
  const html = trustHtml(`x&${name};`);
  const text = new DOMParser().parseFromString(html, "text/html").body.textContent.slice(1);
  return text.endsWith(";") && name !== "semi" ? undefined : text;
}

function characterOf(code) {
  const valid =
    code <= 0x10ffff &&
    !(code >= 0xd800 && code <= 0xdfff) &&
    !(code >= 0xfdd0 && code <= 0xfdef) &&
    (code & 0xfffe) !== 0xfffe &&
    !(code <= 8 || code === 0xb || (code >= 0xe && code <= 0x1f) || (code >= 0x7f && code <= 0x9f));
  return valid ? String.fromCodePoint(code) : "\ufffd";
}
