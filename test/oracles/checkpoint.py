"""Makes the tiny random checkpoints in test/model/fixtures with Python transformers, and what transformers computes with them.

Run from the repository root: python test/oracles/checkpoint.py
Needs torch, transformers, safetensors.

expected.json: {
  eos,                                                             the id that ends a sequence, chosen so that some beams end early
  ids: [[…]], logits: [[[…]]],                                    forward pass, one sequence at a time
  greedy: [{prompt, max_new_tokens, repetition_penalty, tokens}],  tokens are the new ones, eos included
  beam:   [{prompt, max_new_tokens, num_beams, length_penalty, early_stopping, sequences: [{tokens, score}]}]
}
"""

import collections
import json
import pathlib

import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

FIXTURES = pathlib.Path(__file__).parent.parent / "model" / "fixtures"
SPECIAL = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
LLAMA = dict(vocab_size=48, hidden_size=32, intermediate_size=48, num_attention_heads=4, max_position_embeddings=64, **SPECIAL)
GPT2 = dict(vocab_size=48, n_embd=32, n_head=4, n_positions=64, n_ctx=64, **SPECIAL)


def model(kind, seed, **options):
    torch.manual_seed(seed)
    if kind == "llama":
        made = LlamaForCausalLM(LlamaConfig(**LLAMA, **options))
    else:
        made = GPT2LMHeadModel(GPT2Config(**GPT2, **options))
    made = made.float().eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            # Nothing is at 0 or 1: an exchanged norm or a forgotten bias shows.
            if parameter.ndim == 1:
                parameter.copy_(torch.randn_like(parameter) * 0.2 + (1.0 if name.endswith("weight") else 0.0))
            else:
                table = name.endswith(("embed_tokens.weight", "wte.weight", "lm_head.weight"))
                parameter.copy_(torch.randn_like(parameter) * (0.12 if table else 0.25))
    return made


def expected(made, generator):
    """`made.config.eos_token_id` becomes a token that the model likes to produce."""
    ids = [torch.randint(3, 48, (n,), generator=generator).tolist() for n in (1, 9, 40)]
    with torch.no_grad():
        logits = [made(torch.tensor([row])).logits[0].tolist() for row in ids]
    prompts = [torch.randint(3, 48, (n,), generator=generator).tolist() for n in (1, 5, 12)]

    def generate(prompt, **options):
        config = GenerationConfig(do_sample=False, **{**SPECIAL, "eos_token_id": eos}, **options)
        row = torch.tensor([prompt])
        return made.generate(row, attention_mask=torch.ones_like(row), generation_config=config)

    def fresh(tokens, prompt):
        tokens = tokens.tolist()[len(prompt):]
        return tokens[: tokens.index(eos) + 1] if eos in tokens else tokens

    eos, greedy, beam = SPECIAL["eos_token_id"], [], []
    tried = [fresh(s, p) for p in prompts for s in generate(p, max_new_tokens=12, num_beams=6, num_return_sequences=6)]
    eos = made.config.eos_token_id = collections.Counter(t for row in tried for t in row[3:]).most_common()[4][0]
    for prompt in prompts:
        for penalty in (1.0, 1.3):
            out = generate(prompt, max_new_tokens=16, repetition_penalty=penalty)
            greedy.append(dict(prompt=prompt, max_new_tokens=16, repetition_penalty=penalty, tokens=fresh(out[0], prompt)))
        for beams, penalty, early in ((4, 1.0, False), (4, 0.0, False), (4, 2.0, False), (4, -1.0, False), (4, 1.0, True), (2, 1.0, False), (3, 0.5, "never")):
            out = generate(
                prompt, max_new_tokens=12, num_beams=beams, length_penalty=penalty, early_stopping=early,
                num_return_sequences=beams, return_dict_in_generate=True, output_scores=True,
            )
            beam.append(dict(
                prompt=prompt, max_new_tokens=12, num_beams=beams, length_penalty=penalty, early_stopping=early,
                sequences=[dict(tokens=fresh(s, prompt), score=round(v, 6)) for s, v in zip(out.sequences, out.sequences_scores.tolist())],
            ))
    return dict(eos=eos, ids=ids, logits=[[[round(x, 5) for x in token] for token in row] for row in logits], greedy=greedy, beam=beam)


def save(name, made, seed):
    directory = FIXTURES / name
    result = expected(made, torch.Generator().manual_seed(seed))
    made.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    (directory / "expected.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
    ended = [sum(s["tokens"][-1] == result["eos"] for s in row["sequences"]) for row in result["beam"]]
    print(name, "beam outputs that end in eos:", ended, "greedy:", [len(row["tokens"]) for row in result["greedy"]])


if __name__ == "__main__":
    torch.set_num_threads(1)
    save("hf-llama-tiny", model("llama", 1, num_hidden_layers=2, num_key_value_heads=2, tie_word_embeddings=True), 11)
    save("hf-llama-tiny-untied", model("llama", 2, num_hidden_layers=1, num_key_value_heads=4, tie_word_embeddings=False, rope_parameters={"rope_type": "default", "rope_theta": 500.0}, rms_norm_eps=1e-5), 12)
    save("hf-gpt2-tiny", model("gpt2", 3, n_layer=2, tie_word_embeddings=True), 13)
    save("hf-gpt2-tiny-untied", model("gpt2", 4, n_layer=1, n_inner=48, tie_word_embeddings=False, activation_function="gelu"), 14)
