// How long a reply has reasoned, and which of its text is reasoning.

import { gettext, interpolate } from "../elements.js";

// Some servers send their reasoning as text, and say so only at its end. The mark tells it: the text
// from the last seam to the mark is reasoning. Text that was first taken for reasoning follows once
// more, with another mark. The same as streaming/providers/reasoning_mark.py.
export const MARKS = /[\ufdd0\ufdd1]/u;
const [REASONING_MARK, TEXT_MARK] = ["\ufdd0", "\ufdd1"];
const SEPARATOR = "\n\n";

/** The same words as chat/presentation/durations.py has. */
export function formatReasoningTime(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 1) return gettext("Thought for a moment");
  if (seconds < 60) return interpolate(gettext("Thought for %(seconds)s s"), { seconds });
  return interpolate(gettext("Thought for %(minutes)s min %(seconds)s s"), {
    minutes: Math.floor(seconds / 60),
    seconds: seconds % 60,
  });
}

/** The pieces of a text between its seams, which are positions in code points. */
export function cutAtSeams(text, seams) {
  const pieces = [];
  let [end, points] = [0, 0];
  for (const seam of seams) {
    const start = end;
    for (; points < seam && end < text.length; points++)
      end += text.codePointAt(end) > 0xffff ? 2 : 1;
    pieces.push(text.slice(start, end));
  }
  return [...pieces, text.slice(end)];
}

/** @returns {{pieces: string[], reasoning: string}} the pieces without what is reasoning */
export function separateReasoning(pieces, reasoning) {
  const parts = [];
  let own = reasoning;
  const kept = pieces.map((piece) => {
    const marked = piece.split(REASONING_MARK);
    const last = marked.pop();
    parts.push(marked.join(SEPARATOR).trim());
    const text = last.replace(TEXT_MARK, "");
    if (text !== last && own.endsWith(text.trim()))
      own = own.slice(0, own.length - text.trim().length).trimEnd();
    return text;
  });
  return { pieces: kept, reasoning: [own, ...parts].filter(Boolean).join(SEPARATOR) };
}
