"""Reference numbers for LoRA, by peft on the tiny checkpoints ../qwen2 and ../gpt2.

    python make_lora.py OUT [--seed N]

Writes OUT/<name>/adapter_config.json and adapter_model.safetensors (as peft saves them, A and B both
random) and expected.safetensors: row 0 of the logits, token log-probs, the loss (token mean), its gradient
with respect to every A and B, the adapter after one step of torch.optim.AdamW, and one merged weight.
Stored here: seed 0, with peft 0.21.2, torch 2.13.0, transformers 4.57.1.
"""

import argparse
import pathlib
import shutil
import tempfile

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent
CASES = {
    # Neither k_proj nor gate_proj: the adapted parts of a fused product need not be adjacent.
    "qwen2": (["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"],
              "model.layers.0.self_attn.v_proj"),
    "gpt2": (["c_attn", "c_proj", "c_fc"], "transformer.h.0.attn.c_proj"),
}
STEP = dict(lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)


def tensors(model, what):
    """Every A and B, or its gradient, under the name that peft stores it by."""
    return {name.replace(".default", ""): what(p).detach().clone().contiguous()
            for name, p in model.named_parameters() if "lora_" in name}


def case(name, out, seed):
    torch.manual_seed(seed)
    targets, merged = CASES[name]
    base = AutoModelForCausalLM.from_pretrained(HERE.parent / name, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(
        r=2, lora_alpha=3, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM",
        fan_in_fan_out=name == "gpt2"))
    for parameter_name, parameter in model.named_parameters():
        if "lora_" in parameter_name:
            torch.nn.init.normal_(parameter, std=0.2)
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # The base by its path relative to the adapter's folder, whatever machine this runs on.
        model.peft_config["default"].base_model_name_or_path = f"../../{name}"
        model.save_pretrained(scratch)
        for file in ["adapter_config.json", "adapter_model.safetensors"]:
            shutil.copy(pathlib.Path(scratch) / file, folder / file)

    inputs = load_file(HERE.parent / name / "expected.safetensors")
    ids, mask = inputs["input_ids"].long(), inputs["attention_mask"].long()
    model.train()
    logits = model(input_ids=ids, attention_mask=mask).logits
    logprobs = torch.log_softmax(logits[:, :-1], dim=-1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    keep = mask[:, 1:].bool()
    loss = -logprobs[keep].mean()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], **STEP)
    loss.backward()
    expected = {"logits.row0": logits[0, : int(mask[0].sum())].detach().contiguous(),
                "token_logprobs": logprobs.detach().contiguous(), "loss": loss.detach().reshape(1)}
    expected |= {f"grad.{k}": v for k, v in tensors(model, lambda p: p.grad).items()}
    before = tensors(model, lambda p: p)
    optimizer.step()
    expected |= {f"after.{k}": v for k, v in tensors(model, lambda p: p).items()}
    for parameter_name, parameter in model.named_parameters():
        if "lora_" in parameter_name:
            parameter.data.copy_(before[parameter_name.replace(".default", "")])
    whole = model.merge_and_unload()
    expected[f"merged.{merged}.weight"] = whole.get_parameter(f"{merged}.weight").detach().contiguous()
    save_file(expected, folder / "expected.safetensors")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in CASES:
        case(name, arguments.out, arguments.seed)
