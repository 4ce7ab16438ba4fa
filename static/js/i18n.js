// The strings of scripts in the reader's language. Without Django's JavaScript catalogue they stay
// as they are: in English, and in tests of single modules.

export function gettext(text) {
  return window.django?.gettext?.(text) ?? text;
}

export function ngettext(singular, plural, count) {
  return window.django?.ngettext?.(singular, plural, count) ?? (count === 1 ? singular : plural);
}

/** Put values into a text: interpolate("%(count)s tokens", { count: 3 }). */
export function interpolate(text, values) {
  return text.replace(/%\((\w+)\)s/g, (placeholder, name) => String(values[name] ?? placeholder));
}
