"""One decoding benchmark of Python transformers' generate with its KV cache: prints one line of JSON.

    python generate.py CHECKPOINT --precision fp32 --batch 32 --tokens 128 --threads 2
"""

import argparse
import json
import resource
import statistics
import time

import torch
from transformers import LlamaForCausalLM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sample", action="store_true", help="sample at temperature 1 instead of greedy")
    parser.add_argument("--prompt", default="5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20", help="ids; row i starts with the first one plus i")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1337)
    dtype = torch.float32 if args.precision == "fp32" else torch.bfloat16
    model = LlamaForCausalLM.from_pretrained(args.checkpoint, dtype=dtype).eval()
    prompt = torch.tensor([int(x) for x in args.prompt.split(",")]).repeat(args.batch, 1)  # [B, T]
    prompt[:, 0] += torch.arange(args.batch)

    def generate(tokens: int) -> tuple:
        start = time.perf_counter()
        ids = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            eos_token_id=None,
            pad_token_id=2,
            do_sample=args.sample,
            temperature=1.0 if args.sample else None,
            top_k=0 if args.sample else None,
        )
        return time.perf_counter() - start, ids[:, prompt.shape[1] :]

    generate(4)
    rates = []
    for _ in range(args.repeats):
        first, _ids = generate(1)  # reading the prompt is not counted
        whole, ids = generate(args.tokens)
        rates.append(args.batch * (args.tokens - 1) / (whole - first))
    print(
        json.dumps(
            {
                "engine": "transformers",
                "precision": args.precision,
                "batch": args.batch,
                "threads": args.threads,
                "tokensPerSecond": statistics.median(rates),
                "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "ids": ids[0, :32].tolist(),
            }
        )
    )


if __name__ == "__main__":
    main()
