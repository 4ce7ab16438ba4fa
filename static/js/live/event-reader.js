// Reads server-sent events, see docs/protocol.md. EventSource would hide the comments that show that
// a response is alive, and the status of a refusal.

/** Collects the frames of a body whose pieces may end anywhere. */
export class EventParser {
  #rest = "";

  /** @returns {object[]} the frames that are complete now */
  parse(text) {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop();
    return blocks.flatMap(parseBlock);
  }
}

function parseBlock(block) {
  const line = block.split("\n").find((field) => field.startsWith("data: "));
  return line ? [JSON.parse(line.slice("data: ".length))] : [];
}

/**
 * Read a response until it ends or `signal` aborts it.
 * @param {(count: number) => void} onText called with the length of each piece, also of comments
 * @param {(frame: object) => void} onFrame
 * @returns {Promise<number>} the status; 0 if no whole response with events came
 */
export async function readEvents(address, { signal, onText, onFrame }) {
  try {
    const response = await fetch(address, { cache: "no-store", signal });
    const type = response.headers.get("content-type") ?? "";
    if (!response.ok) return response.status;
    if (!type.startsWith("text/event-stream")) return 0; // as the page of a captive portal
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return response.status;
      onText(value.length);
      for (const frame of parser.parse(value)) if (!signal.aborted) onFrame(frame);
    }
  } catch {
    return 0;
  }
}
