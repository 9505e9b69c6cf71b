#!/usr/bin/env python3
"""What users would pick instead: transformers, plain PyTorch and TRL on the workloads of workloads.json.

One process loads one workload of one peer and then runs one repetition for each line `go` on standard input. It answers in
lines of JSON, as `plumb-bench serve` does, so that `plumb-bench peers` can run both sides in turn.

    V/bin/python peers.py pytorch sft --folder Benchmarks --model bench-5m --threads 2
"""
import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import sys
import time
import warnings

os.environ.update(HF_HUB_OFFLINE="1", WANDB_DISABLED="true", TOKENIZERS_PARALLELISM="false", TQDM_DISABLE="1")
warnings.filterwarnings("ignore")

# Libraries print as they like: what they say goes to standard error, our answers to the real standard output.
ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def answer(**message):
    ANSWERS.write(json.dumps(message) + "\n")
    ANSWERS.flush()


def peak_megabytes():
    """The most memory this process has held, in MiB (ru_maxrss would count the parent's before exec)."""
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def versions():
    found = {"python": sys.version.split()[0]}
    for name in ("torch", "transformers", "trl", "tokenizers", "datasets", "accelerate"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


class Context:
    """The checkpoint that both sides load, and the sizes of one workload."""

    def __init__(self, options):
        folder = pathlib.Path(options.folder)
        specification = json.loads((folder / "workloads.json").read_text())
        self.sizes = specification["workloads"][options.workload]
        self.vocabulary = specification["models"][options.model]["vocab_size"]
        self.checkpoint = folder / ".models" / options.model
        self.scratch = folder / ".models" / (options.model + "-trl")
        if not (self.checkpoint / "config.json").exists():
            raise SystemExit(f"{self.checkpoint} is missing: plumb-bench writes it")

    def language_model(self):
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(self.checkpoint, dtype=torch.float32)

    def scalar_model(self):
        import torch
        from transformers import AutoModelForSequenceClassification

        model = AutoModelForSequenceClassification.from_pretrained(self.checkpoint, num_labels=1, dtype=torch.float32)
        model.config.pad_token_id = 0
        return model

    def tokens(self, rows, length):
        import torch

        return torch.randint(3, self.vocabulary, (rows, length))

    def pair_tokens(self):
        """Chosen rows above, rejected rows below, with equal prompts."""
        pairs, prompt = self.sizes["pairs"], self.sizes["prompt"]
        rows = self.tokens(2 * pairs, self.sizes["length"])
        rows[pairs:, :prompt] = rows[:pairs, :prompt]
        return rows

    def tokenizer(self, **options):
        """One word per token, so that a text has exactly as many tokens as it has words. Only TRL asks for texts."""
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        words = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
        words |= {f"w{number}": number for number in range(3, min(self.vocabulary, 4096))}
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="<|endoftext|>"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>", **options
        )

    def text(self, stream, count):
        return " ".join(f"w{stream.randrange(3, min(self.vocabulary, 4096))}" for _ in range(count))


def token_logprobs(model, rows):
    return model(rows).logits[:, :-1].log_softmax(-1).gather(2, rows[:, 1:, None]).squeeze(-1)


class Training:
    """A plain loop: backward, clip at 1, AdamW."""

    def __init__(self, *modules):
        import torch

        self.parameters = [p for module in modules for p in module.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-5)

    def step(self, loss):
        import torch

        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()


# Each loader returns a function that runs one repetition and returns the units that it got done.


def load_generate(context):
    import torch

    model = context.language_model().eval()
    batch, count = context.sizes["batch"], context.sizes["new_tokens"]
    prompts = context.tokens(batch, context.sizes["prompt"])

    def repeat():
        rows = model.generate(
            prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=count, min_new_tokens=count,
            do_sample=True, top_k=0, top_p=1.0, pad_token_id=0,
        )
        assert rows.shape[1] == prompts.shape[1] + count
        return batch * count

    return repeat


def load_logprobs(context):
    import torch

    model = context.language_model().eval()
    rows = context.tokens(context.sizes["sequences"], context.sizes["length"])

    @torch.no_grad()
    def repeat():
        token_logprobs(model, rows)
        return rows.numel()

    return repeat


def load_sft(context):
    model = context.language_model()
    training = Training(model)
    rows = context.tokens(context.sizes["sequences"], context.sizes["length"])

    def repeat():
        training.step(-token_logprobs(model, rows).mean())
        return rows.numel()

    return repeat


def load_reward(context):
    import torch

    model = context.language_model().model
    head = torch.nn.Linear(model.config.hidden_size, 1)
    training = Training(model, head)
    rows, pairs = context.pair_tokens(), context.sizes["pairs"]

    def repeat():
        scores = head(model(rows).last_hidden_state[:, -1]).squeeze(-1)
        training.step(-torch.nn.functional.logsigmoid(scores[:pairs] - scores[pairs:]).mean())
        return rows.numel()

    return repeat


def load_dpo(context):
    import torch

    model, reference = context.language_model(), context.language_model().eval()
    training = Training(model)
    rows, pairs, prompt = context.pair_tokens(), context.sizes["pairs"], context.sizes["prompt"]

    def response_sums(of):
        return token_logprobs(of, rows)[:, prompt - 1 :].sum(1)

    def repeat():
        with torch.no_grad():
            base = response_sums(reference)
        gain = response_sums(model) - base
        training.step(-torch.nn.functional.logsigmoid(0.1 * (gain[:pairs] - gain[pairs:])).mean())
        return rows.numel()

    return repeat


def load_gpo(context):
    """GPO is in none of the peers: the loop that one would write, as arXiv 2410.02197 has it (eq. 5.3)."""
    import torch

    sizes = context.sizes
    count, each, prompt = sizes["prompts"], sizes["responses"], sizes["prompt"]
    model, reference = context.language_model(), context.language_model().eval()
    judge = context.language_model().model.eval()
    head = torch.nn.Linear(judge.config.hidden_size, 6, bias=False)
    training = Training(model)
    prompts = context.tokens(count, prompt).repeat_interleave(each, 0)

    def response_sums(of, rows):
        return token_logprobs(of, rows)[:, prompt - 1 :].sum(1)

    @torch.no_grad()
    def judged_rollout():
        rows = model.generate(
            prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=sizes["new_tokens"],
            min_new_tokens=sizes["new_tokens"], do_sample=True, top_k=0, top_p=1.0, pad_token_id=0,
        )
        previous = response_sums(model, rows)
        response_sums(reference, rows)  # for the divergence that a run reports
        planes = head(judge(rows).last_hidden_state[:, -1]).view(count, each, 3, 2)
        even, odd = planes[..., 0], planes[..., 1]
        table = torch.einsum("pid,pjd->pij", even, odd)
        table = (table - table.transpose(1, 2)) / 0.1
        return rows, previous, table.mean(2).view(-1)

    def repeat():
        rows, previous, targets = judged_rollout()
        for _ in range(sizes["epochs"]):
            for chosen in torch.randperm(count).chunk(sizes["minibatches"]):
                places = (chosen[:, None] * each + torch.arange(each)).view(-1)
                gain = response_sums(model, rows[places]) - previous[places]
                training.step((gain - targets[places]).square().mean())
        return 1

    return repeat


# TRL's trainers are measured as a whole: one repetition is one train() over a fixed number of batches, its own set-up
# included (a few milliseconds), for that is what a user waits for.

OFFLINE_BATCHES = 8


def offline_settings(context):
    return dict(
        output_dir=str(context.scratch), per_device_train_batch_size=context.sizes["pairs"], num_train_epochs=1,
        learning_rate=1e-5, save_strategy="no", report_to=[], gradient_checkpointing=False, bf16=False, use_cpu=True,
        disable_tqdm=True, logging_strategy="no",
    )


def offline_rows(context):
    import random

    stream = random.Random(0)
    prompt, response = context.sizes["prompt"], context.sizes["length"] - context.sizes["prompt"]
    return [
        dict(
            prompt=context.text(stream, prompt) + " ", chosen=context.text(stream, response),
            rejected=context.text(stream, response),
        )
        for _ in range(context.sizes["pairs"] * OFFLINE_BATCHES)
    ]


def load_trl_reward(context):
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    rows = [{side: row["prompt"] + row[side] for side in ("chosen", "rejected")} for row in offline_rows(context)]
    trainer = RewardTrainer(
        context.scalar_model(), args=RewardConfig(**offline_settings(context), max_length=context.sizes["length"] + 8),
        train_dataset=Dataset.from_list(rows), processing_class=context.tokenizer(),
    )
    return whole_training(trainer, context)


def load_trl_dpo(context):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    settings = DPOConfig(
        **offline_settings(context), max_length=context.sizes["length"], max_prompt_length=context.sizes["prompt"]
    )
    trainer = DPOTrainer(
        context.language_model(), args=settings, train_dataset=Dataset.from_list(offline_rows(context)),
        processing_class=context.tokenizer(),
    )
    return whole_training(trainer, context)


def whole_training(trainer, context):
    def repeat():
        trainer.train()
        # Tokens as everybody's are counted here: the prompt of a pair twice.
        return OFFLINE_BATCHES * context.sizes["pairs"] * 2 * context.sizes["length"]

    return repeat


def load_trl_ppo(context):
    import random

    from datasets import Dataset
    from trl import PPOConfig, PPOTrainer

    stream, sizes = random.Random(0), context.sizes
    count, minibatches = sizes["prompts"], sizes["minibatches"]
    rows = Dataset.from_list(
        [
            {"input_ids": [stream.randrange(3, min(context.vocabulary, 4096)) for _ in range(sizes["prompt"])]}
            for _ in range(4 * count)
        ]
    )
    settings = PPOConfig(
        output_dir=str(context.scratch), per_device_train_batch_size=count // minibatches,
        gradient_accumulation_steps=minibatches, num_mini_batches=minibatches, local_rollout_forward_batch_size=count,
        response_length=sizes["new_tokens"], total_episodes=count, num_ppo_epochs=sizes["epochs"], learning_rate=1e-5,
        report_to=[], use_cpu=True, bf16=False, num_sample_generations=0, save_strategy="no", temperature=1.0,
        disable_tqdm=True, logging_strategy="no",
    )

    def repeat():
        """One update: train() with as many episodes as one update takes."""
        trainer.train()
        return 1

    trainer = PPOTrainer(
        args=settings, processing_class=context.tokenizer(padding_side="left"), model=context.language_model(),
        ref_model=context.language_model(), reward_model=context.scalar_model(), value_model=context.scalar_model(),
        train_dataset=rows, eval_dataset=rows.select(range(4)),
    )
    return repeat


LOADERS = {
    ("transformers", "generate_b1"): load_generate,
    ("transformers", "generate_b16"): load_generate,
    ("transformers", "generate_b64"): load_generate,
    ("pytorch", "logprobs"): load_logprobs,
    ("pytorch", "sft"): load_sft,
    ("pytorch", "reward"): load_reward,
    ("pytorch", "dpo"): load_dpo,
    ("pytorch", "gpo"): load_gpo,
    ("trl", "reward"): load_trl_reward,
    ("trl", "dpo"): load_trl_dpo,
    ("trl", "ppo"): load_trl_ppo,
}


def serve(options):
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    repeat = LOADERS[options.peer, options.workload](Context(options))
    answer(event="ready", versions=versions())
    for line in sys.stdin:
        if line.strip() == "quit":
            return
        start = time.perf_counter()
        units = repeat()
        seconds = time.perf_counter() - start
        answer(event="repetition", seconds=seconds, units=units, peak_mb=peak_megabytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=["transformers", "pytorch", "trl"])
    parser.add_argument("workload")
    parser.add_argument("--folder", default="Benchmarks")
    parser.add_argument("--model", default="bench-5m")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if (options.peer, options.workload) not in LOADERS:
        parser.error(f"{options.peer} has no workload {options.workload}")
    try:
        serve(options)
    except ImportError as error:
        answer(event="error", message=f"{error}. In the virtual environment: {INSTALL}")
        sys.exit(1)
    except Exception as error:
        answer(event="error", message=f"{type(error).__name__}: {error}")
        raise


INSTALL = "pip install torch transformers==4.57.1 trl==0.24.0 datasets safetensors"

if __name__ == "__main__":
    main()
