"""What TRL's PPO trainer computes from a rollout: rewards, advantages, returns, and the losses and statistics of one minibatch.

Run from the repository root: python test/oracles/ppo_batch.py
Needs torch, numpy and TRL 1.8 (later ones have no PPO trainer): the lines between "rewards" and "advantages" and those of a minibatch are taken from the
source of trl.experimental.ppo.PPOTrainer.train as they stand there, and run on random tokens.

test/training/fixtures/ppo.json: {unpadded, whitened, padded}, each {
  gamma, lam, klCoef, cliprange, clipValue, whitenRewards,
  logProbs, refLogProbs, values: [B][T], scores: [B], lengths: [B],     the rollout; of a padded one only the first `length` tokens are real
  newLogProbs, newValues, entropy: [B][T],                              what the models say after a change
  advantages, returns: [B][T],                                          TRL's; whitened with an unbiased variance
  policyLoss, valueLoss, clipFraction, valueClipFraction, approxKl, ratio, entropyMean, kl, nonScoreReward, rlhfReward, rewards, objectiveEntropy
}
`unpadded`: each response ends exactly at the maximum length. `whitened`: the same with `whiten_rewards`. `padded`: some responses are shorter.
"""

import inspect
import json
import pathlib
import textwrap
import types

import torch
from trl.experimental.ppo import ppo_trainer
from trl.experimental.ppo.ppo_trainer import INVALID_LOGPROB, PPOTrainer, masked_mean, masked_whiten

FIXTURE = pathlib.Path(__file__).parent.parent / "training" / "fixtures" / "ppo.json"
SOURCE = inspect.getsource(PPOTrainer.train)


def lines(first, last):
    """The lines of PPOTrainer.train from the one that begins with `first` to the one that begins with `last`, which is left out."""
    all_lines = SOURCE.split("\n")
    start = next(i for i, line in enumerate(all_lines) if line.strip().startswith(first))
    end = next(i for i in range(start, len(all_lines)) if all_lines[i].strip().startswith(last))
    return textwrap.dedent("\n".join(all_lines[start:end]))


def run(seed, B, T, lengths, whiten_rewards):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    logprobs, scores, values = -draw(B, T).abs() - 0.1, draw(B), 0.5 * draw(B, T)
    ref_logprobs = logprobs + 0.3 * draw(B, T)
    new_logprobs, vpred = logprobs + 0.25 * draw(B, T), values + 0.3 * draw(B, T)
    logits = draw(B, T, 7)
    args = types.SimpleNamespace(
        kl_coef=0.07, kl_estimator="k1", gamma=0.98, lam=0.9, cliprange=0.2, cliprange_value=0.2, whiten_rewards=whiten_rewards, vf_coef=0.1
    )
    given = dict(logProbs=logprobs, refLogProbs=ref_logprobs, values=values, scores=scores, newLogProbs=new_logprobs, newValues=vpred)
    given = {name: tensor.clone().tolist() for name, tensor in given.items()}
    prob = logits.softmax(-1)
    entropy = torch.logsumexp(logits, dim=-1) - (prob * logits).sum(-1)
    sequence_lengths = torch.tensor(lengths) - 1  # TRL: the place of the last token
    names = dict(
        vars(ppo_trainer), args=args, logprobs=logprobs, ref_logprobs=ref_logprobs, values=values, scores=scores, responses=torch.zeros(B, T),
        sequence_lengths=sequence_lengths, empty_cache=lambda: None,
    )
    exec(lines("response_idxs =", "# Do multiple epochs"), names)
    padding_mask, padding_mask_p1 = names["padding_mask"], names["padding_mask_p1"]
    minibatch = dict(
        names, micro_batch_inds=torch.arange(B), new_logprobs=torch.masked_fill(new_logprobs, padding_mask, INVALID_LOGPROB),
        vpred=torch.masked_fill(vpred, padding_mask_p1, 0), mb_advantage=names["advantages"], mb_logprobs=names["logprobs"],
        mb_return=names["returns"], mb_values=names["values"], logits=logits,
    )
    exec(lines("vpredclipped =", "accelerator.backward(loss)"), minibatch)
    exec(lines("pg_clipfrac = masked_mean", "approxkl_stats["), minibatch)
    exec(lines("mean_kl =", "eps ="), names)
    number = lambda name, of=minibatch: of[name].item()
    return dict(
        gamma=args.gamma, lam=args.lam, klCoef=args.kl_coef, cliprange=args.cliprange, clipValue=args.cliprange_value,
        whitenRewards=whiten_rewards, lengths=lengths, **given, entropy=entropy.tolist(), rewards=names["rewards"].tolist(),
        advantages=names["advantages"].tolist(), returns=names["returns"].tolist(),
        policyLoss=number("pg_loss"), valueLoss=number("vf_loss"), clipFraction=number("pg_clipfrac"), valueClipFraction=number("vf_clipfrac"),
        approxKl=number("approxkl"), ratio=minibatch["ratio"].mean().item(), entropyMean=minibatch["entropy"].mean().item(),
        kl=number("mean_kl", names), objectiveEntropy=number("mean_entropy", names), nonScoreReward=number("mean_non_score_reward", names),
        rlhfReward=number("rlhf_reward", names),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    result = dict(
        unpadded=run(1, 4, 6, [6, 6, 6, 6], False), whitened=run(2, 3, 5, [5, 5, 5], True), padded=run(3, 4, 6, [6, 3, 5, 1], False)
    )
    FIXTURE.write_text(json.dumps(result) + "\n")
    print({name: {key: value for key, value in case.items() if isinstance(value, float)} for name, case in result.items()})
