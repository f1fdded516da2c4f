"""One training benchmark of PyTorch: whole steps (forward, backward, clip, AdamW) of a shape; prints one line of JSON.

    python train.py S2 --precision bf16 --mode compile --threads 2 --steps 20
"""

import argparse
import json
import resource
import statistics
import time

import torch

from models import SHAPES, build, optimizer


def cpu_seconds() -> float:
    """Processor time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def busy_seconds() -> float:
    """Processor time that anybody used, from /proc/stat; 0 where there is none."""
    try:
        with open("/proc/stat") as file:
            fields = [int(x) for x in file.readline().split()[1:]]
        return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / 100
    except OSError:
        return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--adamw", choices=("fused", "foreach", "loop"), default="fused")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20, help="timed steps; at least --seconds are run")
    parser.add_argument("--seconds", type=float, default=3.0, help="time at least this long")
    parser.add_argument("--profile", action="store_true", help="print a table of operators instead")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(1337)
    shape = SHAPES[args.shape]
    model = build(shape).to(args.device)
    optimiser = optimizer(model, lr=1e-3, betas=(0.9, 0.95), kind=args.adamw)
    run = torch.compile(model) if args.mode == "compile" else model
    data = torch.randint(shape.vocabulary, (8, shape.batch, shape.context + 1)).to(args.device)

    def step(i: int) -> torch.Tensor:
        ids = data[i % len(data)]
        with torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16"):
            loss = run(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    for i in range(4):
        loss = step(i)
    loss.item()  # a GPU's queue is empty when the clock starts
    if args.profile:
        profile(step)
        return
    times, busy, own, start = [], busy_seconds(), cpu_seconds(), time.perf_counter()
    while len(times) < args.steps or time.perf_counter() - start < args.seconds:
        t = time.perf_counter()
        loss = step(len(times))
        loss.item()
        times.append(time.perf_counter() - t)
    wall = time.perf_counter() - start
    median = statistics.median(times)
    print(
        json.dumps(
            {
                "engine": f"PyTorch {torch.__version__.split('+')[0]}",
                "shape": args.shape,
                "precision": args.precision,
                "mode": args.mode,
                "threads": args.threads,
                "steps": len(times),
                "parameters": sum(p.numel() for p in model.parameters()),
                "msPerStep": median * 1e3,
                "tokensPerSecond": shape.batch * shape.context / median,
                "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "otherLoad": max(0.0, (busy_seconds() - busy - (cpu_seconds() - own)) / wall),
                "loss": loss.item(),
            }
        )
    )


def profile(step) -> None:
    """Prints where five steps spend their time, by operator, in ms a step."""
    from torch.profiler import ProfilerActivity, profile as profiler

    with profiler(activities=[ProfilerActivity.CPU]) as trace:
        for i in range(5):
            step(i)
    rows = sorted(trace.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in rows)
    print(f"total {total / 5e3:.2f} ms a step")
    for e in rows[:28]:
        print(f"{e.self_cpu_time_total / 5e3:9.3f} ms {100 * e.self_cpu_time_total / total:5.1f} %  {e.count / 5:6.0f} calls  {e.key}")


if __name__ == "__main__":
    main()
