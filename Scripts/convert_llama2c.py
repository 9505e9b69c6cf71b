#!/usr/bin/env python3
"""Convert a llama2.c checkpoint (version 0, float32) into a Hugging Face folder.

    Scripts/convert_llama2c.py stories260K.bin Tests/Fixtures/models/stories260K

Writes config.json, generation_config.json and model.safetensors (float32, same bits).
Needs numpy and safetensors.

The format: seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len; a
negative vocab_size means that the output matrix is stored as well), then the weights, tensor kind
by tensor kind, all layers of one kind together.

llama2.c rotates neighbouring pairs (2i, 2i+1) of a head; Hugging Face rotates (i, i + hd/2). So the
rows of the query and key matrices of each head are reordered: even rows first, then odd rows.
"""
import argparse
import json
import pathlib
import struct

import numpy as np
from safetensors.numpy import save_file


def half_split(weight, heads):
    """Rows of each head from interleaved pairs to halves: [0 2 4 … 1 3 5 …]."""
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.transpose(0, 2, 1, 3).reshape(rows, columns)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("checkpoint", type=pathlib.Path)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--bos", type=int, default=1)
    arguments.add_argument("--eos", type=int, default=2)
    options = arguments.parse_args()

    data = options.checkpoint.read_bytes()
    header = struct.unpack("<7i", data[:28])
    dim, hidden, layers, heads, kv_heads, signed_vocabulary, context = header
    vocabulary, tied = abs(signed_vocabulary), signed_vocabulary > 0
    head = dim // heads
    floats, at = np.frombuffer(data, "<f4", offset=28), 0

    def take(*shape):
        nonlocal at
        count = int(np.prod(shape))
        if at + count > len(floats):
            raise SystemExit(f"{options.checkpoint}: expected {at + count} floats or more, "
                             f"found {len(floats)}")
        at += count
        return floats[at - count:at].reshape(shape)

    embedding = take(vocabulary, dim)
    attention_norm = take(layers, dim)
    query, key = take(layers, heads * head, dim), take(layers, kv_heads * head, dim)
    value, output = take(layers, kv_heads * head, dim), take(layers, dim, heads * head)
    mlp_norm = take(layers, dim)
    gate, down, up = take(layers, hidden, dim), take(layers, dim, hidden), take(layers, hidden, dim)
    final_norm = take(dim)
    take(2, context, head // 2)  # the rotary table, computed again by every reader

    tensors = {"model.embed_tokens.weight": embedding, "model.norm.weight": final_norm}
    for i in range(layers):
        prefix = f"model.layers.{i}."
        tensors |= {
            prefix + "input_layernorm.weight": attention_norm[i],
            prefix + "self_attn.q_proj.weight": half_split(query[i], heads),
            prefix + "self_attn.k_proj.weight": half_split(key[i], kv_heads),
            prefix + "self_attn.v_proj.weight": value[i],
            prefix + "self_attn.o_proj.weight": output[i],
            prefix + "post_attention_layernorm.weight": mlp_norm[i],
            prefix + "mlp.gate_proj.weight": gate[i],
            prefix + "mlp.up_proj.weight": up[i],
            prefix + "mlp.down_proj.weight": down[i],
        }
    if not tied:
        tensors["lm_head.weight"] = take(vocabulary, dim)
    if at != len(floats):
        raise SystemExit(f"{options.checkpoint}: expected {at} floats, found {len(floats)}")

    tokens = {"bos_token_id": options.bos, "eos_token_id": options.eos}
    config = tokens | {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32",
        "vocab_size": vocabulary, "hidden_size": dim, "intermediate_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "max_position_embeddings": context, "hidden_act": "silu",
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None,
        "tie_word_embeddings": tied, "attention_bias": False, "mlp_bias": False,
    }
    options.folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(x) for name, x in tensors.items()},
              options.folder / "model.safetensors", metadata={"format": "pt"})
    for name, values in (("config.json", config), ("generation_config.json", tokens)):
        (options.folder / name).write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
