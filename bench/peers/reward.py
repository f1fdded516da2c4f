"""One reward-model benchmark of TRL's RewardTrainer: a pass over the pairs of a folder that bench/reward-data.ts wrote, after some steps of warm-up;
prints one line of JSON.

    python reward.py FOLDER --layout 4+grouped+causal --threads 2

A layout is the number of pairs that are computed at a time, with gradient accumulation up to an update's, and any of

    grouped   pairs of about the same length come together, so that less is padded
    causal    no attention mask is given: behind right padding a causal model needs none, and PyTorch has a faster kernel without
    compile   torch.compile
"""

import argparse
import json
import os
import resource
import tempfile
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from datasets import Dataset, disable_progress_bars
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
from trl import RewardConfig, RewardTrainer

from train import busy_seconds, cpu_seconds

# Pairs of an update; ../shapes.ts has the same.
BATCH = 16
# Pairs of the batch whose loss is compared; ../ours-reward.ts has the same.
FIRST = 8
OPTIONS = {"grouped", "causal", "compile"}


class Counting(RewardTrainer):
    """RewardTrainer that counts what it computes."""

    pairs = tokens = computed = 0

    def compute_loss(self, model, inputs, *args, **kwargs):
        self.pairs += len(inputs["input_ids"]) // 2
        self.tokens += int(inputs["attention_mask"].sum())
        self.computed += inputs["input_ids"].numel()
        return super().compute_loss(model, inputs, *args, **kwargs)


class Clock(TrainerCallback):
    """Starts when the last warm-up step ends."""

    def __init__(self, warm_up: int):
        self.warm_up, self.trainer, self.started = warm_up, None, None

    def now(self) -> dict:
        counted = {name: getattr(self.trainer, name) for name in ("pairs", "tokens", "computed")}
        return dict(wall=time.perf_counter(), cpu=cpu_seconds(), busy=busy_seconds(), **counted)

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.warm_up:
            self.started = self.now()


def without_mask(module, args, kwargs):
    """What a model is called with, less the attention mask."""
    return args, {**kwargs, "attention_mask": None}


def first_batch(trainer: RewardTrainer, pairs: list, at_a_time: int) -> dict:
    """Loss and norm of the gradient over the first pairs, with the trainer's own collator and loss."""
    trainer.model.train()
    loss = 0.0
    for i in range(0, FIRST, at_a_time):
        group = pairs[i : min(i + at_a_time, FIRST)]
        part = trainer.compute_loss(trainer.model, trainer.data_collator(group)) * (len(group) / FIRST)
        part.backward()
        loss += part.item()
    norm = torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), float("inf")).item()
    trainer.model.zero_grad(set_to_none=True)
    trainer._metrics["train"].clear()
    return dict(loss=loss, gradNorm=norm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--layout", default="4+grouped+causal")
    parser.add_argument("--attention", default="sdpa", help="attn_implementation of transformers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=1, help="steps before the clock starts")
    args = parser.parse_args()
    at_a_time, *chosen = args.layout.split("+")
    if set(chosen) - OPTIONS or BATCH % int(at_a_time):
        parser.error(f"--layout: a divisor of {BATCH} and any of {', '.join(sorted(OPTIONS))} belong there, not {args.layout}")
    options, at_a_time = set(chosen), int(at_a_time)

    disable_progress_bars()
    torch.set_num_threads(args.threads)
    pairs = json.load(open(f"{args.folder}/data.json"))["pairs"]
    for pair in pairs:
        pair["length"] = max(len(pair["chosen_ids"]), len(pair["rejected_ids"]))
    model = AutoModelForSequenceClassification.from_pretrained(f"{args.folder}/model", dtype=torch.float32, attn_implementation=args.attention)
    if "causal" in options:
        model.register_forward_pre_hook(without_mask, with_kwargs=True)
    tokenizer = AutoTokenizer.from_pretrained(f"{args.folder}/model")
    steps = len(pairs) // BATCH
    with tempfile.TemporaryDirectory() as output:
        config = RewardConfig(
            output_dir=output,
            max_length=None,
            per_device_train_batch_size=at_a_time,
            gradient_accumulation_steps=BATCH // at_a_time,
            # The steps of the warm-up begin the pass, and as many of the next one end it.
            max_steps=args.warm_up + steps,
            train_sampling_strategy="group_by_length" if "grouped" in options else "random",
            # `length` must reach the sampler; the collator takes what it knows.
            remove_unused_columns=False,
            learning_rate=1e-4,
            lr_scheduler_type="constant",
            adam_beta2=0.999,
            weight_decay=0.0,
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            # Few different lengths need few compilations.
            pad_to_multiple_of=128 if "compile" in options else None,
            torch_compile="compile" in options,
            dataloader_num_workers=0,
            dataloader_pin_memory=False,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=1337,
        )
        clock = Clock(args.warm_up)
        trainer = Counting(model=model, args=config, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer, callbacks=[clock])
        clock.trainer = trainer
        first = first_batch(trainer, pairs, at_a_time)
        result = trainer.train()
        end = clock.now()
    spent = {key: end[key] - clock.started[key] for key in end}
    print(
        json.dumps(
            {
                "engine": f"TRL {__import__('trl').__version__} on PyTorch {torch.__version__.split('+')[0]} ({model.config._attn_implementation})",
                "threads": torch.get_num_threads(),
                "layout": args.layout,
                "steps": steps,
                "msPerStep": 1e3 * spent["wall"] / steps,
                "cpuMsPerStep": 1e3 * spent["cpu"] / steps,
                "pairsPerSecond": spent["pairs"] / spent["wall"],
                "tokensPerSecond": spent["tokens"] / spent["wall"],
                "padding": 1 - spent["tokens"] / spent["computed"],
                "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "otherLoad": max(0.0, (spent["busy"] - spent["cpu"]) / spent["wall"]),
                "first": first,
                "loss": result.training_loss,
            }
        )
    )


if __name__ == "__main__":
    main()
