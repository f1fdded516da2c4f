"""One fine-tuning benchmark of TRL's SFTTrainer: a pass over the conversations of a folder that bench/sft-data.ts wrote, packed; prints one line of JSON.

    python sft.py FOLDER --layout rows --threads 2

Loss on the assistant's tokens only, no token attends to another conversation. Three layouts of a batch of packed rows, all of the same loss:

    flat        SFTTrainer's own: padding-free, the rows of a batch one after another in one sequence of batch · max_length tokens
    accumulate  SFTTrainer's own, one row at a time with gradient accumulation: attention is then over one row, not over the batch
    rows        a collator that keeps one row a line and gives no attention mask; transformers finds the conversations by their positions
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
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer
from trl.data_utils import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from train import busy_seconds, cpu_seconds

BATCH, LENGTH = 8, 512
# Conversations of the batch whose loss is compared; ../ours-sft.ts has the same.
FIRST = 8
LAYOUTS = ("flat", "accumulate", "rows")


class RowCollator(DataCollatorForLanguageModeling):
    """Packed rows as lines of a batch: input_ids, labels and position_ids [B, T], a shorter row filled up with labels of -100."""

    def torch_call(self, examples):
        positions = self.get_position_ids_from_packed_seq_lengths([example["seq_lengths"] for example in examples])
        longest = LENGTH if self.pad_to_multiple_of else max(len(row) for row in positions)
        lines = {name: torch.full((len(examples), longest), fill) for name, fill in (("input_ids", self.pad_token_id), ("labels", -100), ("position_ids", 0))}
        for i, (example, position) in enumerate(zip(examples, positions)):
            n = len(position)
            lines["input_ids"][i, :n] = torch.tensor(example["input_ids"])
            lines["labels"][i, :n] = torch.tensor(example["labels"]).masked_fill(position == 0, -100)
            lines["position_ids"][i, :n] = position
            # Padding is one more conversation, of which nothing is asked.
            lines["position_ids"][i, n:] = torch.arange(longest - n)
        return lines


class Counting(SFTTrainer):
    """SFTTrainer that counts what it is asked to predict."""

    supervised = tokens = 0

    def compute_loss(self, model, inputs, *args, **kwargs):
        self.supervised += int((inputs["labels"][:, 1:] != -100).sum())
        self.tokens += int((inputs["input_ids"] != self.processing_class.pad_token_id).sum())
        return super().compute_loss(model, inputs, *args, **kwargs)


class Clock(TrainerCallback):
    """Starts when the last warm-up step ends."""

    def __init__(self, warm_up: int):
        self.warm_up, self.trainer, self.started = warm_up, None, None

    def now(self) -> dict:
        return dict(wall=time.perf_counter(), cpu=cpu_seconds(), busy=busy_seconds(), supervised=self.trainer.supervised, tokens=self.trainer.tokens)

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.warm_up:
            self.started = self.now()


def first_batch(trainer: SFTTrainer, conversations: list) -> dict:
    """Loss and norm of the gradient over the first conversations, with the trainer's own packing, collator and loss."""
    dataset = trainer._prepare_dataset(Dataset.from_list(conversations[:FIRST]), trainer.processing_class, trainer.args, True, None, "first")
    rows = [dataset[i] for i in range(len(dataset))]
    groups = [[row] for row in rows] if trainer.args.gradient_accumulation_steps > 1 else [rows]
    batches = [trainer.data_collator(group) for group in groups]
    supervised = sum(int((batch["labels"][:, 1:] != -100).sum()) for batch in batches)
    trainer.model.train()
    loss = 0.0
    for batch in batches:
        part = trainer.compute_loss(trainer.model, batch, num_items_in_batch=torch.tensor(supervised))
        part.backward()
        loss += part.item()
    norm = torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), float("inf")).item()
    trainer.model.zero_grad(set_to_none=True)
    trainer._metrics["train"].clear()
    return dict(loss=loss, gradNorm=norm, supervised=supervised)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--layout", choices=LAYOUTS, default="rows")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--attention", default="sdpa", help="attn_implementation of transformers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=4, help="steps before the clock starts")
    parser.add_argument("--max-steps", type=int, default=-1, help="stop after so many steps, warm-up included")
    parser.add_argument("--profile", action="store_true", help="print a table of operators of one step instead")
    args = parser.parse_args()

    disable_progress_bars()
    torch.set_num_threads(args.threads)
    conversations = json.load(open(f"{args.folder}/data.json"))
    model = AutoModelForCausalLM.from_pretrained(f"{args.folder}/model", dtype=torch.float32, attn_implementation=args.attention)
    tokenizer = AutoTokenizer.from_pretrained(f"{args.folder}/model")
    single = args.layout == "accumulate"
    with tempfile.TemporaryDirectory() as output:
        config = SFTConfig(
            output_dir=output,
            packing=True,
            packing_strategy="bfd",
            max_length=LENGTH,
            per_device_train_batch_size=1 if single else BATCH,
            gradient_accumulation_steps=BATCH if single else 1,
            num_train_epochs=1,
            max_steps=args.max_steps,
            learning_rate=1e-4,
            lr_scheduler_type="constant",
            adam_beta2=0.999,
            weight_decay=0.0,
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            # Lengths that do not change need no second compilation.
            pad_to_multiple_of=LENGTH if args.compile else None,
            torch_compile=args.compile,
            dataloader_num_workers=0,
            dataloader_pin_memory=False,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=1337,
        )
        clock = Clock(args.warm_up)
        trainer = Counting(model=model, args=config, train_dataset=Dataset.from_list(conversations), processing_class=tokenizer, callbacks=[clock])
        clock.trainer = trainer
        if args.layout == "rows":
            trainer.data_collator = RowCollator(pad_token_id=tokenizer.pad_token_id, pad_to_multiple_of=config.pad_to_multiple_of)
        first = first_batch(trainer, conversations)
        if args.profile:
            profile(trainer)
            return
        result = trainer.train()
        end = clock.now()
    spent = {key: end[key] - clock.started[key] for key in end}
    steps = trainer.state.global_step - args.warm_up
    print(
        json.dumps(
            {
                "engine": f"TRL {__import__('trl').__version__} on PyTorch {torch.__version__.split('+')[0]}",
                "threads": torch.get_num_threads(),
                "layout": args.layout,
                "compile": args.compile,
                "attention": args.attention,
                "rows": len(trainer.train_dataset),
                "steps": steps,
                "msPerStep": 1e3 * spent["wall"] / steps,
                "cpuMsPerStep": 1e3 * spent["cpu"] / steps,
                "supervisedPerSecond": spent["supervised"] / spent["wall"],
                "tokensPerSecond": spent["tokens"] / spent["wall"],
                "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "otherLoad": max(0.0, (spent["busy"] - spent["cpu"]) / spent["wall"]),
                "first": first,
                "loss": result.training_loss,
            }
        )
    )


def profile(trainer) -> None:
    """Prints where three steps spend their time, by operator, in ms a step."""
    from torch.profiler import ProfilerActivity, profile as profiler

    trainer.args.max_steps = 3
    with profiler(activities=[ProfilerActivity.CPU]) as trace:
        trainer.train()
    rows = sorted(trace.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in rows)
    print(f"total {total / 3e3:.2f} ms a step")
    for e in rows[:28]:
        print(f"{e.self_cpu_time_total / 3e3:9.3f} ms {100 * e.self_cpu_time_total / total:5.1f} %  {e.count / 3:6.0f} calls  {e.key}")


if __name__ == "__main__":
    main()
