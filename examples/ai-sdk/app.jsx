// A chat that survives a reload, a lost network and a restart of the server.

import { Chat, useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { useState } from "react";
import { createRoot } from "react-dom/client";

const name = location.hash.slice(1) || crypto.randomUUID();
location.hash = name;
const path = `/api/chat/${name}`;

async function openChat() {
  const { messages } = await (await fetch(`${path}/messages`)).json();
  return new Chat({ id: name, messages, transport: new DefaultChatTransport() });
}

function describeError(error) {
  try {
    return JSON.parse(error.message).error; // a refusal of Holdfast
  } catch {
    return error.message;
  }
}

function Part({ type, text, providerMetadata }) {
  const isReasoning = type === "reasoning" || providerMetadata?.holdfast?.isReasoning;
  return text ? <p style={{ whiteSpace: "pre-wrap", opacity: isReasoning ? 0.6 : 1 }}>{text}</p> : null;
}

function ChatView({ chat }) {
  const { messages, sendMessage, resumeStream, status, error } = useChat({ chat, resume: true });
  const [text, setText] = useState("");
  const isBusy = status === "submitted" || status === "streaming";

  function send(event) {
    event.preventDefault();
    sendMessage({ text });
    setText("");
  }

  return (
    <main>
      {messages.map(({ id, role, parts }) => (
        <article key={id} data-role={role}>
          <b>{role}</b>
          {parts.map((part, number) => (
            <Part key={number} {...part} />
          ))}
        </article>
      ))}
      {error && <p role="alert">{describeError(error)}</p>}
      {error && <button onClick={() => resumeStream()}>Resume</button>}
      {isBusy && <button onClick={() => fetch(`${path}/stop`, { method: "POST" })}>Stop</button>}
      <form onSubmit={send}>
        <input value={text} onChange={({ target }) => setText(target.value)} aria-label="Message" />
        <button disabled={isBusy || !text.trim()}>Send</button>
      </form>
      <output>{status}</output>
    </main>
  );
}

const chat = await openChat();
createRoot(document.getElementById("chat")).render(<ChatView chat={chat} />);
