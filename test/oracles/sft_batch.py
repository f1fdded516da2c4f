"""What PyTorch computes for one packed batch of supervised fine-tuning, with the checkpoints in test/model/fixtures.

Run from the repository root: python test/oracles/sft_batch.py
Needs torch, transformers, safetensors.

test/training/fixtures/sft-NAME.json: {
  contextLength, batchSize,
  ids, positions, segments, targets: [B·T],   several conversations a row; a segment of -1 is padding, a target of -1 is ignored
  losses: [B·T],                              of each token, 0 where it is ignored
  loss,                                       their sum divided by the supervised tokens
  weights: [B·T], smoothing, weighted         the same with a weight for each conversation and label smoothing, divided by the sum of the weights
}
test/training/fixtures/sft-NAME.safetensors: the gradient of `loss` for every parameter, by its name in model.safetensors.
"""

import json
import pathlib

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

TEST = pathlib.Path(__file__).parent.parent
T = 32
# Of each row the conversations; of each conversation the turns' lengths, of which every second one is the assistant's.
ROWS = [[[5, 4, 3, 6], [2, 7]], [[9, 3], [3, 4, 2, 2], [6, 1]], [[12, 20]]]


def packed(vocabulary, generator):
    batch = {name: [] for name in ("ids", "positions", "segments", "targets", "weights")}
    for row in ROWS:
        ids, positions, segments, targets, weights = [], [], [], [], []
        for segment, turns in enumerate(row):
            length = sum(turns)
            own = torch.randint(3, vocabulary, (length,), generator=generator).tolist()
            predicted = [i % 2 == 1 for i, turn in enumerate(turns) for _ in range(turn)]
            ids += own
            positions += range(length)
            segments += [segment] * length
            targets += [own[i + 1] if i + 1 < length and predicted[i + 1] else -1 for i in range(length)]
            weights += [0.5 + segment] * length
        room = T - len(ids)
        for name, values, padding in (("ids", ids, 2), ("positions", positions, 0), ("segments", segments, -1), ("targets", targets, -1), ("weights", weights, 0)):
            batch[name].append(values + [padding] * room)
    batch["weights"] = [[w if t >= 0 else 0 for w, t in zip(ws, ts)] for ws, ts in zip(batch["weights"], batch["targets"])]
    return {name: torch.tensor(values) for name, values in batch.items()}


def block_diagonal(segments):
    """0 where a token attends, the least number elsewhere: to earlier tokens of its own segment; padding attends to itself."""
    same = segments[:, :, None] == segments[:, None, :]
    causal = torch.ones(T, T).tril().bool()
    allowed = (same & causal & (segments >= 0)[:, None, :]) | torch.eye(T).bool()
    return torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[:, None]


def losses_of(logits, targets, smoothing=0.0):
    return cross_entropy(logits.transpose(1, 2), targets, ignore_index=-1, reduction="none", label_smoothing=smoothing)


def main(name):
    model = AutoModelForCausalLM.from_pretrained(TEST / "model" / "fixtures" / name, attn_implementation="eager", dtype=torch.float32)
    model.eval()
    batch = packed(model.config.vocab_size, torch.Generator().manual_seed(5))
    ids, targets = batch["ids"], batch["targets"]
    logits = model(input_ids=ids, position_ids=batch["positions"], attention_mask=block_diagonal(batch["segments"])).logits
    losses = losses_of(logits, targets)
    loss = losses.sum() / (targets >= 0).sum()
    # Each conversation by itself gives the same: the mask does what it should.
    for row in range(len(ROWS)):
        for segment in range(len(ROWS[row])):
            own = batch["segments"][row] == segment
            alone = losses_of(model(input_ids=ids[row][own][None]).logits, targets[row][own][None])
            assert torch.allclose(alone[0], losses[row][own], atol=1e-5), (name, row, segment)
    weights = batch["weights"]
    weighted = (losses_of(logits, targets, 0.1) * weights).sum() / weights.sum()
    model.zero_grad()
    loss.backward()
    stored = load_file(TEST / "model" / "fixtures" / name / "model.safetensors")
    gradients = {key: parameter.grad.contiguous() for key, parameter in model.named_parameters() if key in stored}
    assert gradients.keys() == stored.keys()
    flat = {key: values.flatten().tolist() for key, values in batch.items()}
    result = dict(contextLength=T, batchSize=len(ROWS), **flat, losses=losses.flatten().tolist(), loss=loss.item(), smoothing=0.1, weighted=weighted.item())
    fixtures = TEST / "training" / "fixtures"
    (fixtures / f"sft-{name}.json").write_text(json.dumps(result) + "\n")
    save_file(gradients, fixtures / f"sft-{name}.safetensors", metadata={"format": "pt"})
    print(name, "loss", loss.item(), "weighted", weighted.item(), "supervised", int((targets >= 0).sum()), "of", targets.numel())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main("hf-llama-tiny")
    main("hf-gpt2-tiny")
