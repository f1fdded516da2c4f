"""Loads a checkpoint of ours with Python transformers and prints the logits that it computes.

python test/oracles/load_checkpoint.py CHECKPOINT '[[5, 6, 7], [8]]' ['text to encode']
prints {architecture, logits: [[[…]]], tokens?: ids of the text, special?: ids of bos, eos, pad}; fails when transformers does not load all weights.
Needs torch, transformers.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

if __name__ == "__main__":
    path, rows = sys.argv[1], json.loads(sys.argv[2])
    torch.set_num_threads(1)
    model, info = AutoModelForCausalLM.from_pretrained(path, output_loading_info=True)
    wrong = {kind: sorted(map(str, info[kind])) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[kind]}
    assert not wrong, wrong
    model.eval()
    with torch.no_grad():
        result = dict(architecture=type(model).__name__, logits=[model(torch.tensor([row])).logits[0].tolist() for row in rows])
    if len(sys.argv) > 3:
        tokenizer = AutoTokenizer.from_pretrained(path)
        result["tokens"] = tokenizer(sys.argv[3], add_special_tokens=False)["input_ids"]
        result["special"] = [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id]
    print(json.dumps(result))
