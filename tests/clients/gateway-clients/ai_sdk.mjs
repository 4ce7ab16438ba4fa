// The AI SDK's model of OpenAI: streams a response and reports what it gets.

import { readFileSync } from "node:fs";
import { createOpenAI } from "@ai-sdk/openai";
import { jsonSchema, stepCountIs, streamText, tool } from "ai";

const task = JSON.parse(readFileSync(0, "utf-8"));
const report = (facts) => console.log(JSON.stringify(facts));
const openai = createOpenAI({ baseURL: `${task.url}/v1`, apiKey: task.token });
const state = { text: "" };
const describe = (error) => `${error?.name}: ${error?.message ?? JSON.stringify(error)}`;

const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const get_weather = tool({
  description: "Get the weather of a city.",
  inputSchema: jsonSchema(schema),
  execute: ({ city }) => {
    report({ city });
    return task.tool_output;
  },
});

const result = streamText({
  model: openai.responses(task.model),
  prompt: task.question,
  ...(task.tool_output && { tools: { get_weather }, stopWhen: stepCountIs(3) }),
  includeRawChunks: true,
  maxRetries: 0, // it would ask again, for another response, after each that failed
  onError: () => {}, // the error is a part of the stream
});

function take(part) {
  if (part.type === "raw" && part.rawValue?.type === "response.created") {
    report({ id: part.rawValue.response.id });
  } else if (part.type === "raw" && part.rawValue?.sequence_number) {
    state.after = part.rawValue.sequence_number;
  } else if (part.type === "text-delta") {
    state.text += part.text;
    report({ text: state.text, after: state.after });
  } else if (part.type === "error") {
    state.error = describe(part.error);
  } else if (part.type === "finish") {
    state.end = part.finishReason;
  }
}

try {
  for await (const part of result.fullStream) take(part);
  const values = state.error ? undefined : await result.text;
  report({ text: state.text, values, end: state.end, error: state.error });
} catch (error) {
  report({ text: state.text, error: describe(error) });
}
