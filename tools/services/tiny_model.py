"""Write a language model of random weights for llama.cpp: `python tiny_model.py FILE`.

It runs in an environment that has `gguf` and NumPy. The tokens are single bytes. The weights of all
tokens but letters and spaces are zero, so that the text is readable.
"""

import string
import sys

import numpy as np
from gguf import GGUFWriter, TokenType

WIDTH, HEADS, LAYERS, HIDDEN = 64, 4, 2, 128
TRAINED_TOKENS = 4_096
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"


def main(path: str) -> None:
    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(TRAINED_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens = _add_vocabulary(writer)
    _add_weights(writer, tokens)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: GGUFWriter) -> list[str]:
    special = {"<unk>": TokenType.UNKNOWN, "<s>": TokenType.CONTROL, "</s>": TokenType.CONTROL}
    tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([*special.values(), *[TokenType.BYTE] * 256])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    return tokens


def _add_weights(writer: GGUFWriter, tokens: list[str]) -> None:
    random = np.random.default_rng(1)

    def add(name: str, *shape: int, scale: float = 0.2) -> None:
        weights = random.normal(0, scale, shape).astype(np.float32)
        writer.add_tensor(f"{name}.weight", weights)

    def add_ones(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))

    readable = [f"<0x{ord(letter):02X}>" for letter in string.ascii_lowercase + " "]
    output = np.zeros((len(tokens), WIDTH), np.float32)
    for token in readable:
        output[tokens.index(token)] = random.normal(0, 2, WIDTH)
    add("token_embd", len(tokens), WIDTH)
    writer.add_tensor("output.weight", output)
    add_ones("output_norm")
    for layer in range(LAYERS):
        add_ones(f"blk.{layer}.attn_norm")
        add_ones(f"blk.{layer}.ffn_norm")
        for part in ("q", "k", "v", "output"):
            add(f"blk.{layer}.attn_{part}", WIDTH, WIDTH)
        add(f"blk.{layer}.ffn_gate", HIDDEN, WIDTH)
        add(f"blk.{layer}.ffn_up", HIDDEN, WIDTH)
        add(f"blk.{layer}.ffn_down", WIDTH, HIDDEN)


if __name__ == "__main__":
    main(sys.argv[1])
