// Links and entities: which addresses a link may have, where text has a bare link, and the
// characters that an entity stands for.

import { h } from "./dom.js";

const SAFE_URL = /^(?:https?:\/\/|mailto:|tel:)/i;
const BARE_URL = /(?<![A-Za-z0-9_])https?:\/\/[\w!#$%&'()*+,\-./:;=?@~\u00c0-\u1fff]+/gi;
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

/** Remove the punctuation of the surrounding sentence from a bare URL. */
function trimUrl(url) {
  let end = url.length;
  let unopened = url.split(")").length - url.split("(").length;
  for (;;) {
    const last = url[end - 1];
    const unbalanced = last === ")" && unopened > 0;
    if (!unbalanced && !"?!.,:;*_~'".includes(last)) return url.slice(0, end);
    if (last === ")") unopened--;
    end--;
  }
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
  const text = new DOMParser().parseFromString(`x&${name};`, "text/html").body.textContent.slice(1);
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
