// OpenAI's stock SDK: asks for a background response or follows one, and reports what it gets. After
// a broken body it asks for the rest, with its raw stream or with its helper.

import { readFileSync } from "node:fs";
import OpenAI, { APIConnectionError } from "openai";

const ENDS = ["response.completed", "response.incomplete", "response.failed"];
const task = JSON.parse(readFileSync(0, "utf-8"));
const report = (facts) => console.log(JSON.stringify(facts));
const client = new OpenAI({ baseURL: `${task.url}/v1`, apiKey: task.token });
// A repeated question with the same key has the same response.
const options = { headers: { "Idempotency-Key": crypto.randomUUID() } };
const state = { id: task.id, after: task.after, text: task.text ?? "" };
let calls = [];

const weather = {
  type: "function",
  name: "get_weather",
  strict: true,
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};
const question = {
  model: task.model,
  input: task.question,
  background: true,
  ...(task.tool_output && { tools: [weather] }),
};

function open() {
  const { id, after } = state;
  if (task.kind === "openai-js") {
    return id
      ? client.responses.retrieve(id, { stream: true, starting_after: after })
      : client.responses.create({ ...question, stream: true }, options);
  }
  return id
    ? client.responses.stream({ response_id: id, starting_after: after })
    : client.responses.stream(question, options);
}

function take(event) {
  state.after = event.sequence_number;
  if (event.type === "response.created") {
    state.id = event.response.id;
    report({ id: state.id });
  } else if (event.type === "response.output_text.delta") {
    state.text += event.delta;
    report({ text: state.text, after: state.after });
  } else if (ENDS.includes(event.type)) {
    const { output_text, status, error } = event.response;
    calls = event.response.output.filter(({ type }) => type === "function_call");
    if (calls.length) return true;
    const values = output_text ?? readText(event.response);
    report({ text: state.text, values, end: status, error: error?.message });
    return true;
  }
  return false;
}

// The raw stream has the server's object, without the SDK's `output_text`.
function readText({ output }) {
  const parts = output.flatMap(({ content }) => content ?? []);
  return parts.map(({ text }) => text ?? "").join("");
}

async function followToEnd() {
  for await (const event of await open()) {
    if (take(event)) return true;
  }
  return false;
}

// Node rejects a broken body with an error of its own. If the head announced the end of the connection,
// it takes the body for complete, and the SDK refuses half of an event.
const isBroken = (error) =>
  error instanceof APIConnectionError || /terminated|malformed server-sent/.test(error.message);

async function isOver() {
  try {
    return await followToEnd();
  } catch (error) {
    if (!isBroken(error)) throw error;
    return false;
  }
}

if (task.stop) {
  report({ text: "", end: (await client.responses.cancel(task.id)).status });
} else {
  let isDone = false;
  while (!isDone) isDone = await isOver();
  if (calls.length) await answerCalls();
}

async function answerCalls() {
  for (const { arguments: given } of calls) report({ city: JSON.parse(given).city });
  question.input = calls.map(({ call_id }) => ({
    type: "function_call_output",
    call_id,
    output: task.tool_output,
  }));
  question.previous_response_id = state.id;
  options.headers["Idempotency-Key"] = crypto.randomUUID();
  state.id = state.after = undefined;
  while (!(await isOver()));
}
