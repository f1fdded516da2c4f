"""nanoGPT's train_shakespeare_char on a CPU, in PyTorch: 4 layers, 4 heads, 128 wide, context 64, batch 12, 2,000 steps.

Differs from nanoGPT in what it reports: the loss over the whole last tenth (rows of 64 that do not overlap; a shorter last row is
left out) instead of an estimate from 20 random batches.

    python shakespeare_char.py tinyshakespeare.txt --seeds 1 2 3
"""

import argparse
import json
import math
import statistics
import time

import torch

from models import Shape, build, optimizer

STEPS, WARMUP, LR, MIN_LR = 2000, 100, 1e-3, 1e-4


def learning_rate(step: int) -> float:
    """nanoGPT's schedule: linear warm-up, then half a cosine from LR to MIN_LR."""
    if step < WARMUP:
        return LR * (step + 1) / (WARMUP + 1)
    return MIN_LR + 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))) * (LR - MIN_LR)


@torch.no_grad()
def whole_loss(model, ids: torch.Tensor, context: int) -> float:
    """Mean loss in nats over every target of `ids`, in rows of `context` that do not overlap."""
    rows = (len(ids) - 1) // context
    inputs = ids[: rows * context].view(rows, context)  # [rows, T]
    targets = ids[1 : rows * context + 1].view(rows, context)  # [rows, T]
    total = sum(model(x, y).item() * len(x) for x, y in zip(inputs.split(128), targets.split(128)))
    return total / rows


def train(ids: torch.Tensor, vocabulary: int, seed: int) -> dict:
    """One run; returns the loss on both parts and the minutes it took."""
    torch.manual_seed(seed)
    shape = Shape("gpt2", layers=4, heads=4, width=128, vocabulary=vocabulary, context=64, batch=12)
    cut = int(0.9 * len(ids))
    training, held_out = ids[:cut], ids[cut:]
    model = build(shape)
    optimiser = optimizer(model, lr=LR, betas=(0.9, 0.99), weight_decay=0.1)
    start = time.perf_counter()
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step)
        at = torch.randint(len(training) - shape.context, (shape.batch,))
        x = torch.stack([training[i : i + shape.context] for i in at])  # [B, T]
        y = torch.stack([training[i + 1 : i + 1 + shape.context] for i in at])  # [B, T]
        loss = model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    minutes = (time.perf_counter() - start) / 60
    return {"seed": seed, "lastTrainLoss": loss.item(), "evalLoss": whole_loss(model, held_out, shape.context), "minutes": minutes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", help="path of tinyshakespeare.txt")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with open(args.text, encoding="utf-8") as file:
        text = file.read()
    characters = sorted(set(text))
    index = {c: i for i, c in enumerate(characters)}
    ids = torch.tensor([index[c] for c in text])
    runs = []
    for seed in args.seeds:
        runs.append(train(ids, len(characters), seed))
        print(json.dumps(runs[-1]), flush=True)
    losses = [run["evalLoss"] for run in runs]
    print(json.dumps({"mean": statistics.mean(losses), "spread": max(losses) - min(losses), "vocabulary": len(characters)}))


if __name__ == "__main__":
    main()
