// The suite has no option for headers, and both it and its client call the global fetch.
import { runConformanceTests } from "@durable-streams/server-conformance-tests";

const { SUITE_URL, SUITE_TOKEN } = process.env;
const send = globalThis.fetch;

globalThis.fetch = (address, options = {}) => {
  const headers = new Headers(options.headers);
  headers.set("Authorization", `Bearer ${SUITE_TOKEN}`);
  return send(address, { ...options, headers });
};

runConformanceTests({ baseUrl: SUITE_URL });
