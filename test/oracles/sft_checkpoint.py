"""Loads a fine-tuned checkpoint of ours with Python transformers, puts a question to it, and compares everything with what we make of the same.

python test/oracles/sft_checkpoint.py CHECKPOINT PROMPT [--system TEXT] [--max-tokens N]      from the repository root
Compares the text and the ids of the chat template with the question, then the greedy answer, ids and text; prints both answers and exits with 1
when something differs. An answer that differs where the two likeliest tokens are within 1e-3 of each other is a tie, and said to be one.
Needs torch, transformers, and node with the project's packages.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).parent.parent.parent
TIE = 1e-3


def ours(checkpoint, messages, max_tokens):
    program = ROOT / "test" / "oracles" / "chat-answer.ts"
    command = ["node", "--import", "tsx", str(program), str(pathlib.Path(checkpoint).resolve()), json.dumps(messages), str(max_tokens)]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output.decode().strip().splitlines()[-1])


def theirs(checkpoint, messages, max_tokens):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model, info = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, output_loading_info=True)
    wrong = {kind: sorted(map(str, info[kind])) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[kind]}
    assert not wrong, wrong
    model.eval()
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    row = torch.tensor([ids])
    # The checkpoint's own generation_config.json says where an answer ends.
    made = model.generate(row, attention_mask=torch.ones_like(row), do_sample=False, max_new_tokens=max_tokens)
    tokens = made[0, len(ids):].tolist()
    return dict(text=text, ids=ids, tokens=tokens, answer=tokenizer.decode(tokens, skip_special_tokens=True)), model


def margin(model, ids):
    """By how much the likeliest next token's logit is above the second's."""
    with torch.no_grad():
        best = model(torch.tensor([ids])).logits[0, -1].topk(2).values
    return (best[0] - best[1]).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("prompt")
    parser.add_argument("--system")
    parser.add_argument("--max-tokens", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    messages = [{"role": "system", "content": args.system}] if args.system else []
    messages.append({"role": "user", "content": args.prompt})

    us = ours(args.checkpoint, messages, args.max_tokens)
    them, model = theirs(args.checkpoint, messages, args.max_tokens)
    print(f"prompt        {them['text']!r}, {len(them['ids'])} tokens")
    print(f"transformers  {them['answer']!r}, {len(them['tokens'])} tokens")
    print(f"fourfold      {us['answer']!r}, {len(us['tokens'])} tokens")
    different = [name for name in ("text", "ids", "tokens", "answer") if us[name] != them[name]]
    if not different:
        print("equal: text and ids of the prompt, ids and text of the answer")
        return
    if different[0] == "tokens":
        pairs = zip(us["tokens"], them["tokens"])
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(us["tokens"]), len(them["tokens"])))
        gap = margin(model, them["ids"] + them["tokens"][:at])
        print(f"the answers part at token {at}, where the best token is {gap:.2g} above the second{': a tie' if gap < TIE else ''}")
    print(f"different: {', '.join(different)}")
    sys.exit(1)


if __name__ == "__main__":
    main()
