#!/usr/bin/env python3
"""Scores conversations in PyTorch with a reward model that Plumb wrote, to check that both programs agree.

Usage: score_in_pytorch.py MODEL_FOLDER < rows.jsonl      (needs torch and transformers; nothing in Plumb needs this)

A row is {"prompt": TEXT or [{"role", "content"}...], "response": TEXT}; the answer is {"score": NUMBER}, as `plumb score` prints it.
`<Family>ForSequenceClassification` folders go through transformers' own class, in one right-padded batch. `<Family>ForRewardModel` folders
have WorldPM's head (arXiv 2505.10527: Linear, ReLU, Linear on the final hidden state of the first <|endoftext|> after the response).
"""
import json, pathlib, sys
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer


def text_of(row, tokenizer, ending):
    prompt = row["prompt"]
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    text = tokenizer.apply_chat_template(messages + [{"role": "assistant", "content": row["response"]}], tokenize=False)
    return text if ending == "turn" else text.removesuffix("\n") + "<|endoftext|>"


def classifier_scores(folder, texts, tokenizer):
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False, padding_side="right")
    return model(**batch).logits[:, 0]


def worldpm_scores(folder, texts, tokenizer):
    config = AutoConfig.from_pretrained(folder)
    trunk = AutoModel.from_config(config).eval().to(torch.float32)
    weights = load_file(folder / "model.safetensors")
    trunk.load_state_dict({k.removeprefix("model."): v.float() for k, v in weights.items() if not k.startswith(("score.", "lm_head."))})
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    scores = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        hidden = trunk(input_ids=ids).last_hidden_state[0, (ids[0] == end).nonzero()[0, 0]]
        hidden = torch.relu(hidden @ weights["score.0.weight"].float().T + weights["score.0.bias"].float())
        scores.append(hidden @ weights["score.2.weight"].float()[0] + weights["score.2.bias"].float()[0])
    return torch.stack(scores)


def main():
    folder = pathlib.Path(sys.argv[1])
    architecture = json.loads((folder / "config.json").read_text())["architectures"][0]
    notes = json.loads((folder / "tokenizer_config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    is_classifier = architecture.endswith("ForSequenceClassification")
    ending = notes.get("plumb_scored_ending", "turn" if is_classifier else "end-of-text")
    texts = [text_of(json.loads(line), tokenizer, ending) for line in sys.stdin if line.strip()]
    with torch.no_grad():
        scores = (classifier_scores if is_classifier else worldpm_scores)(folder, texts, tokenizer)
    for score in scores.tolist():
        print(json.dumps({"score": score}))


if __name__ == "__main__":
    main()
