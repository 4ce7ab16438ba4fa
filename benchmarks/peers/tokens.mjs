// The tokens of a benchmark, the same as those of benchmarks/tokens.py.

const DIGITS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const PAIRS = [...DIGITS].flatMap((a) => [...DIGITS].map((b) => a + b));
const ROUND = DIGITS.length ** 3;

/** Seconds of the monotonic clock, which is the same in every process. */
export function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds + nanoseconds / 1e9;
}

/** The token with this index, made now. */
export function token(index) {
  const ticks = Math.floor(now() * 10_000) % ROUND;
  return PAIRS[index % PAIRS.length] + PAIRS[ticks >> 6] + DIGITS[ticks & 63];
}

/** So many tokens, each at its own moment and stamped when it is made; a promise of the end.
 * `take` is called with each, and the next one waits for it if it returns a promise. */
export function steady({ start, rate, count }, take) {
  return new Promise((over) => {
    let index = 0;
    const wait = () => {
      if (index === count) over();
      else setTimeout(make, Math.max(0, 1000 * (start + index / rate - now())));
    };
    const make = () => {
      const taken = take(token(index++));
      taken ? taken.then(wait) : wait();
    };
    wait();
  });
}

/** One JSON object for each line that comes in. */
export async function* orders() {
  let rest = "";
  for await (const piece of process.stdin) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

export function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
