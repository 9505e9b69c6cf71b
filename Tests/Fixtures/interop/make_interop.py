#!/usr/bin/env python3
"""Two tiny reward model folders as other programs write them, and the scores that PyTorch gives conversations.

Usage: make_interop.py FOLDER_WITH_qwen2_style.json OUTPUT     (torch, transformers 4.57.1, safetensors)

worldpm/     Qwen2ForRewardModel, the layout of WorldPM-72B's folder: trunk under `model.`, `score.0` and `score.2`, no pad_token_id.
classifier/  LlamaForSequenceClassification as TRL's reward trainer saves it: one row `score.weight`, read at the last token that is not padding.
scores.json  conversations, the ids that transformers makes of them, and their scores; the classifier's in one padded batch.
"""
import json, pathlib, sys
import torch
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast, Qwen2Config, Qwen2Model)

source, out = map(pathlib.Path, sys.argv[1:3])
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
# The first is the form of WorldPM's README: an empty system turn that stays.
CONVERSATIONS = [
    {"prompt": [{"role": "system", "content": ""}, {"role": "user", "content": "I cannot sleep. What helps?"}],
     "response": "Keep the same hours every day, and put the screens away an hour before bed."},
    {"prompt": [{"role": "system", "content": ""}, {"role": "user", "content": "I cannot sleep. What helps?"}], "response": "Coffee."},
    {"prompt": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}, {"role": "user", "content": "and 3 + 3?"}],
     "response": "6, by the same rule.\n\n- three\n- and three"},
    {"prompt": [{"role": "user", "content": "Größe in °C? 漢字"}], "response": ""},
]
torch.manual_seed(4)


def tokenizer(folder, pad):
    fast = PreTrainedTokenizerFast(tokenizer_file=str(source / "qwen2_style.json"), eos_token="<|im_end|>", pad_token=pad, clean_up_tokenization_spaces=False)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    # The template in the file that all versions read; the jinja file of newer versions is the same text.
    config = json.loads((folder / "tokenizer_config.json").read_text()); config["chat_template"] = TEMPLATE
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1)); (folder / "chat_template.jinja").unlink(missing_ok=True)
    (folder / "special_tokens_map.json").unlink(missing_ok=True)
    (folder / "tokenizer.json").unlink()  # tests put golden/tokenizers/qwen2_style.json in its place
    return fast


def text(row): return fast.apply_chat_template(row["prompt"] + [{"role": "assistant", "content": row["response"]}], tokenize=False)


def randomised(module):
    for p in module.parameters(): torch.nn.init.normal_(p, std=0.3)
    return module.eval()


expected = {"conversations": CONVERSATIONS}
folder = out / "worldpm"; folder.mkdir(parents=True, exist_ok=True)
fast = tokenizer(folder, None)
trunk = randomised(Qwen2Model(Qwen2Config(vocab_size=1200, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
    max_position_embeddings=256, tie_word_embeddings=False, bos_token_id=0, eos_token_id=0)))
score = randomised(torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)))
state = {f"model.{k}": v for k, v in trunk.state_dict().items()} | {f"score.{k}": v for k, v in score.state_dict().items()}
save_file({k: v.to(torch.bfloat16).contiguous() for k, v in state.items()}, folder / "model.safetensors", metadata={"format": "pt"})
trunk.load_state_dict({k: v.to(torch.bfloat16).float() for k, v in trunk.state_dict().items()}); score.load_state_dict({k: v.to(torch.bfloat16).float() for k, v in score.state_dict().items()})
trunk.config.architectures = ["Qwen2ForRewardModel"]; trunk.config.save_pretrained(folder)
config = json.loads((folder / "config.json").read_text()); config["auto_map"] = {"AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig", "AutoModel": "modeling_qwen2_rm.Qwen2ForRewardModel"}
config.pop("pad_token_id", None); (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
rows = []
for row in CONVERSATIONS:
    ids = fast(text(row).removesuffix("\n") + "<|endoftext|>", add_special_tokens=False, return_tensors="pt").input_ids
    rows.append({"tokens": ids[0].tolist(), "score": score(trunk(input_ids=ids).last_hidden_state[0, -1]).item()})
expected["worldpm"] = rows

folder = out / "classifier"; folder.mkdir(parents=True, exist_ok=True)
fast = tokenizer(folder, "<|endoftext|>")
model = randomised(LlamaForSequenceClassification(LlamaConfig(vocab_size=1200, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=256, num_labels=1, bos_token_id=1, eos_token_id=2, pad_token_id=0)))
model.to(torch.bfloat16).save_pretrained(folder)
model = LlamaForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()  # rounding the model rounds its rotary frequencies too
fast.padding_side = "right"
batch = fast([text(row) for row in CONVERSATIONS], add_special_tokens=False, return_tensors="pt", padding=True)
scores = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits[:, 0].tolist()
expected["classifier"] = [{"tokens": ids[mask.bool()].tolist(), "score": s} for ids, mask, s in zip(batch.input_ids, batch.attention_mask, scores)]
(out / "scores.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")
