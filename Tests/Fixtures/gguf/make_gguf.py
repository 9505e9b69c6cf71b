"""Reference numbers for GGUF import, by the package gguf, tokenizers, torch and transformers.

    pip install gguf==0.19.0 transformers==4.57.1 tokenizers==0.22.2 torch safetensors
    python make_gguf.py          # writes blocks.safetensors and one folder per model beside this file

The models are random. Every weight is quantised by the package, and the logits come from transformers with the
dequantised weights under their Hugging Face names: the row permutation of `llama` is done here only on the way into
the file, so a reader that does not undo it gets other logits.
"""
import json, os, struct
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type, GGUFWriter, TokenType, quants
from gguf.constants import GGML_QUANT_SIZES
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

HERE = os.path.dirname(os.path.abspath(__file__))
HALVES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
          Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}
# Largest, smallest, subnormal, zeros, and what is no number: infinities, a quiet and a signalling NaN.
SCALES = [0x7BFF, 0xFBFF, 0x0001, 0x8001, 0x03FF, 0x0400, 0x0000, 0x8000, 0x3C00, 0xBC00, 0x2E66, 0x1234,
          0x7C00, 0xFC00, 0x7E00, 0x7C01]


def write_halves(block, places, values):
    for place, value in zip(places, values):
        block[place:place + 2] = list(struct.pack("<H", value))


def blocks(type, rng):
    """Random bytes under ordinary scales, then every scale of SCALES; at least once all nibbles."""
    size = GGML_QUANT_SIZES[type][1]
    rows = []
    for scale in [rng.integers(0x0C00, 0x3000) for _ in range(4)] + SCALES:
        block = rng.integers(0, 256, size, dtype=np.uint8)
        if scale == 0x3C00:
            block[:] = [(i * 17 + i // 16 * 31) % 256 for i in range(size)]
        other = int(rng.integers(0x0C00, 0x3000)) if len(rows) % 2 else SCALES[(len(rows) * 5) % 12]
        write_halves(block, HALVES[type], [int(scale), other])
        rows.append(block)
    return np.stack(rows)


def write_blocks(path):
    rng = np.random.default_rng(17)
    tensors = {}
    for type in HALVES:
        raw = blocks(type, rng)
        with np.errstate(all="ignore"):
            tensors[f"{type.name}.values"] = quants.dequantize(raw, type).astype(np.float32)
        tensors[f"{type.name}.blocks"] = raw
    others = [0x7F80, 0xFF80, 0x7FC0, 0x7F81]  # What is no number in bfloat16.
    halves = np.array(SCALES + others + [int(x) for x in rng.integers(0, 65536, 236)], dtype=np.uint16)
    for type in [Type.F16, Type.BF16]:
        raw = halves.view(np.uint8).reshape(1, -1)
        with np.errstate(all="ignore"):
            tensors[f"{type.name}.values"] = quants.dequantize(raw, type).reshape(1, -1).astype(np.float32)
        tensors[f"{type.name}.blocks"] = raw
    save_file(tensors, path)


# --- Tiny models -------------------------------------------------------------------------------------------------

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
TEXTS = ["The capital of France is Paris.", "the the there then that this", "12 + 345 = 357", "Caf\u00e9 na\u00efve",
         "a  b\n\n c\td", "e\u0301 \u6771\u4eac 2024", "<|im_start|>user\nHi<|im_end|>\n", "it's don't WE'LL", "tool: <tool> x"]
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' "
          "+ '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def tokenizer(kind):
    result = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if kind == "smollm":
        result.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    elif kind == "qwen2":
        result.normalizer = normalizers.NFC()
        result.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        result.pre_tokenizer = byte_level
    result.decoder = decoders.ByteLevel()
    result.train_from_iterator(TEXTS * 4, trainers.BpeTrainer(
        vocab_size=290, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    from tokenizers import AddedToken
    result.add_tokens([AddedToken("<tool>", normalized=False)])
    return result


def permuted(weight, heads):
    """What convert_hf_to_gguf does to the query and key rows of `llama`: halves of a head become pairs."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def random_blocks(shape, type, rng):
    """K-quants cannot be made by the package: random bytes with small scales."""
    values, size = GGML_QUANT_SIZES[type]
    raw = rng.integers(0, 256, (shape[0], shape[1] // values, size), dtype=np.uint8)
    for row in raw.reshape(-1, size):
        write_halves(row, HALVES[type], [int(np.float16(3e-5 * (1 + rng.random())).view(np.uint16)) for _ in range(2)])
    return raw.reshape(shape[0], -1)


NAMES = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
         "lm_head.weight": "output.weight"}
PARTS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
         "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
         "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
    if name in NAMES:
        return NAMES[name]
    _, _, layer, part = name.split(".", 3)
    part, kind = part.rsplit(".", 1)
    return f"blk.{layer}.{PARTS[part]}.{kind}"


def write_model(arch, config, pre, types, template, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    folder = os.path.join(HERE, arch)
    os.makedirs(folder, exist_ok=True)
    vocabulary = tokenizer(pre)
    config.vocab_size = vocabulary.get_vocab_size() + 6   # rows without a token, as Qwen2's embedding has them
    model = AutoModelForCausalLM.from_config(config).float().eval()
    writer = GGUFWriter(os.path.join(folder, "model.gguf"), arch)
    writer.add_name(f"a random {arch}")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if arch == "llama":
        writer.add_vocab_size(config.vocab_size)
        writer.add_rope_dimension_count(head)
    if arch == "qwen3":
        writer.add_key_length(head)
        writer.add_value_length(head)
    write_tokenizer(writer, vocabulary, config, pre, template)

    state = model.state_dict()
    for name, tensor in state.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if name.endswith("norm.weight") or name.endswith("bias"):
            tensor = 1 + 0.1 * torch.randn(tensor.shape) if "norm" in name else 0.1 * torch.randn(tensor.shape)
            kind = Type.F32
        else:
            tensor = 0.2 * torch.randn(tensor.shape)
            kind = types(gguf_name(name))
        values = tensor.numpy()
        if kind in (Type.Q4_K, Type.Q5_K, Type.Q6_K):
            raw = random_blocks(values.shape, kind, rng)
        else:
            raw = quants.quantize(values, kind)
        state[name].copy_(torch.from_numpy(quants.dequantize(raw, kind).reshape(values.shape).copy()))
        if arch == "llama" and name.endswith("q_proj.weight"):
            raw = permuted(raw, config.num_attention_heads)
        if arch == "llama" and name.endswith("k_proj.weight"):
            raw = permuted(raw, config.num_key_value_heads)
        writer.add_tensor(gguf_name(name), raw, raw_dtype=None if kind in (Type.F32, Type.F16) else kind)
    if config.tie_word_embeddings:
        model.tie_weights()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    ids = torch.from_numpy(rng.integers(0, config.vocab_size, (1, 12)))
    with torch.no_grad():
        logits = model(ids).logits[0]
    save_file({"input_ids": ids[0].numpy(), "logits": logits.numpy()}, os.path.join(folder, "expected.safetensors"))
    cases = [{"text": text, "ids": vocabulary.encode(text, add_special_tokens=False).ids} for text in TEXTS + ["\u00bd 7"]]
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump({"cases": cases}, file, indent=1)


def write_tokenizer(writer, vocabulary, config, pre, template):
    spellings = {id: token for token, id in vocabulary.get_vocab().items()}
    tokens, types = [], []
    for id in range(config.vocab_size):
        token = spellings.get(id, f"[PAD{id}]")
        kind = (TokenType.UNUSED if id not in spellings else TokenType.CONTROL if token in SPECIAL
                else TokenType.USER_DEFINED if token == "<tool>" else TokenType.NORMAL)
        tokens.append(token)
        types.append(kind)
    merges = json.loads(vocabulary.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2 if template else 0)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    if template:
        writer.add_chat_template(template)


def main():
    write_blocks(os.path.join(HERE, "blocks.safetensors"))
    sizes = dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=2,
                 max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    llama = {"token_embd.weight": Type.Q8_0, "output.weight": Type.Q5_1, "blk.0.attn_q.weight": Type.Q4_1,
             "blk.1.attn_q.weight": Type.F16, "blk.0.ffn_down.weight": Type.Q5_0}
    write_model("llama", LlamaConfig(**sizes, intermediate_size=64, rope_theta=100000.0, rms_norm_eps=1e-5,
                                     tie_word_embeddings=False), "smollm", lambda n: llama.get(n, Type.Q4_0), CHATML, 1)
    down = {"blk.0.ffn_down.weight": Type.Q4_K, "blk.1.ffn_down.weight": Type.Q6_K, "blk.1.ffn_up.weight": Type.BF16}
    write_model("qwen2", Qwen2Config(**sizes, intermediate_size=256, rope_theta=1e6, rms_norm_eps=1e-6,
                                     tie_word_embeddings=True), "qwen2", lambda n: down.get(n, Type.Q4_0), CHATML, 2)
    qwen3 = {"blk.0.ffn_down.weight": Type.Q5_K, "token_embd.weight": Type.Q8_0}
    sizes.update(num_hidden_layers=1, head_dim=16)
    write_model("qwen3", Qwen3Config(**sizes, intermediate_size=256, rope_theta=1e6, rms_norm_eps=1e-6,
                                     tie_word_embeddings=True), "gpt-2", lambda n: qwen3.get(n, Type.Q4_1), None, 3)


main()
