"""Writes a decoding benchmark's model with random weights, the same for every engine: Hugging Face checkpoint and GGUF in fp32 and bf16.

    python decode_model.py 12M OUT      → OUT/12M/{config.json, model.safetensors, fp32.gguf, bf16.gguf}

The weights are rounded to bf16 first, so that each precision holds the same numbers and greedy decoding can be compared across engines.
"""

import argparse
import json
import pathlib

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from gguf import write_gguf

SHAPES = {
    "12M": dict(num_hidden_layers=6, hidden_size=384, num_attention_heads=6, intermediate_size=1024, vocab_size=2048),
    "97M": dict(num_hidden_layers=12, hidden_size=768, num_attention_heads=12, intermediate_size=2048, vocab_size=8192),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    torch.manual_seed(1337)
    config = LlamaConfig(**SHAPES[args.shape], max_position_embeddings=512, rms_norm_eps=1e-5, tie_word_embeddings=False)
    config.bos_token_id, config.eos_token_id, config.pad_token_id = 0, 1, 2
    # Wider than for training, so that a token's best successor stands out from the rounding.
    config.initializer_range = 0.06
    model = LlamaForCausalLM(config)
    for p in model.parameters():
        p.data = p.data.bfloat16().float()
    folder = args.out / args.shape
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    state = model.state_dict()
    write_gguf(folder / "fp32.gguf", config, state, torch.float32)
    write_gguf(folder / "bf16.gguf", config, state, torch.bfloat16)
    print(json.dumps({"folder": str(folder), "parameters": sum(p.numel() for p in model.parameters())}))


if __name__ == "__main__":
    main()
