"""What PyTorch, transformers and TRL compute for ranked answers, with the checkpoints in test/model/fixtures and a head of random numbers.

Run from the repository root: python test/oracles/reward_batch.py
Needs torch, transformers, safetensors, trl.

test/training/fixtures/reward-NAME.json: {
  head: [C],                              the row of the scalar head
  groups: [{ids: [[..]], ranks, margins}],one prompt each: its answers' tokens, their ranks (lower is better, equal is a tie), their margins
  scores: [[..]],                         AutoModelForSequenceClassification's logits, right padding (left padding gives the same)
  loss,                                   mean over the prompts of the mean over their pairs of -t·log σ(d) - (1 - t)·log σ(-d), d = difference - margin, t = ½ for ties
  plackettLuce,                           mean over the prompts without ties of their ranking's negative log-likelihood / (K - 1)
  trl                                     TRL's RewardTrainer.compute_loss on the first two answers of each prompt, the better one chosen, with margins,
                                          center_rewards_coefficient .01
}
test/training/fixtures/reward-NAME.safetensors: the gradient of `loss` for every parameter, by its name in model.safetensors.
"""

import collections
import json
import pathlib
import types

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import logsigmoid
from transformers import AutoModelForSequenceClassification
from trl import RewardTrainer

TEST = pathlib.Path(__file__).parent.parent
PAD = 2
# Of each prompt its tokens, and its answers' tokens, ranks and margins.
PROMPTS = [
    (5, [4, 7, 3, 6], [0, 2, 1, 3], [0.5, 0.25, 0.5, 0]),
    (3, [9, 2], [1, 0], [0, 0.75]),
    (8, [3, 3, 10], [0, 1, 1], [1, 0, 0]),
]


def padded(texts, left):
    T = max(map(len, texts))
    rows = [[PAD] * (T - len(t)) + t if left else t + [PAD] * (T - len(t)) for t in texts]
    mask = [[0] * (T - len(t)) + [1] * len(t) if left else [1] * len(t) + [0] * (T - len(t)) for t in texts]
    return dict(input_ids=torch.tensor(rows), attention_mask=torch.tensor(mask))


def positions(batch):
    return dict(batch, position_ids=(batch["attention_mask"].cumsum(1) - 1).clamp(min=0))


def ranking_loss(scores, ranks, margins):
    losses = []
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            better, worse = (j, i) if ranks[j] < ranks[i] else (i, j)
            tie = ranks[i] == ranks[j]
            d = scores[better] - scores[worse] - (0 if tie else margins[better] - margins[worse])
            t = 0.5 if tie else 1.0
            losses.append(-t * logsigmoid(d) - (1 - t) * logsigmoid(-d))
    return torch.stack(losses).mean()


def plackett_luce(scores, ranks):
    order = sorted(range(len(ranks)), key=lambda i: ranks[i])
    own = scores[order]
    return sum(torch.logsumexp(own[i:], 0) - own[i] for i in range(len(order) - 1)) / (len(order) - 1)


def trl_loss(model, groups):
    chosen, rejected, margins = [], [], []
    for group in groups:
        first, second = (0, 1) if group["ranks"][0] < group["ranks"][1] else (1, 0)
        chosen.append(group["ids"][first])
        rejected.append(group["ids"][second])
        margins.append(group["margins"][first] - group["margins"][second])
    gather = types.SimpleNamespace(gather_for_metrics=lambda x: x, gather=lambda x: x)
    trainer = types.SimpleNamespace(
        model=model, args=types.SimpleNamespace(center_rewards_coefficient=0.01), accelerator=gather,
        _metrics=collections.defaultdict(lambda: collections.defaultdict(list)), _total_train_tokens=0, _tp_size=1,
    )
    inputs = dict(padded(chosen + rejected, False), margin=torch.tensor(margins))
    return RewardTrainer.compute_loss(trainer, model, inputs).item()


def main(name):
    folder = TEST / "model" / "fixtures" / name
    generator = torch.Generator().manual_seed(6)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, attn_implementation="eager", dtype=torch.float32)
    model.config.pad_token_id = PAD
    model.eval()
    C = model.score.weight.shape[1]
    head = torch.randn(C, generator=generator) / (C + 1) ** 0.5
    model.score.weight.data[0] = head
    groups = []
    for length, answers, ranks, margins in PROMPTS:
        draw = lambda n: torch.randint(3, model.config.vocab_size, (n,), generator=generator).tolist()
        prompt = draw(length)
        groups.append(dict(ids=[prompt + draw(n) for n in answers], ranks=ranks, margins=margins))
    texts = [ids for group in groups for ids in group["ids"]]
    logits = model(**positions(padded(texts, False))).logits[:, 0]
    left = model(**positions(padded(texts, True))).logits[:, 0]
    assert torch.allclose(logits, left, atol=1e-5), (logits, left)
    scores = torch.split(logits, [len(group["ids"]) for group in groups])
    loss = torch.stack([ranking_loss(s, g["ranks"], g["margins"]) for s, g in zip(scores, groups)]).mean()
    untied = [(s, g) for s, g in zip(scores, groups) if len(set(g["ranks"])) == len(g["ranks"])]
    listwise = torch.stack([plackett_luce(s, g["ranks"]) for s, g in untied]).mean()
    model.zero_grad()
    loss.backward()
    stored = [key for key in load_file(folder / "model.safetensors") if key != "lm_head.weight"] + ["score.weight"]
    named = dict(model.named_parameters())
    gradients = {key: named[key].grad.contiguous() for key in stored}
    result = dict(
        head=head.tolist(), groups=groups, scores=[s.tolist() for s in scores], loss=loss.item(), plackettLuce=listwise.item(), trl=trl_loss(model, groups),
    )
    fixtures = TEST / "training" / "fixtures"
    (fixtures / f"reward-{name}.json").write_text(json.dumps(result) + "\n")
    save_file(gradients, fixtures / f"reward-{name}.safetensors", metadata={"format": "pt"})
    print(name, {key: value for key, value in result.items() if key in ("loss", "plackettLuce", "trl")})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main("hf-llama-tiny")
    main("hf-gpt2-tiny")
