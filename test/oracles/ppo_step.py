"""What PyTorch and transformers compute for one minibatch of PPO, with the checkpoints in test/model/fixtures as policy and, with a head of random numbers, as critic.

Run from the repository root: python test/oracles/ppo_step.py
Needs torch, transformers, safetensors.

test/training/fixtures/ppo-step-NAME.json: {
  temperature, clip, valueClip, dualClip, entropyCoefficient,
  head: [C],                                       the row of the critic's head
  episodes: [{prompt, response: [id], oldLogProbs, advantages, oldValues, returns, logProbs, entropy, values: one a token of the response}],
  policyLoss, entropy, valueLoss,                  means over all tokens of all responses
  policy, critic: {name: [norm, projection]},      of the gradient of policyLoss - entropyCoefficient * entropy, and of valueLoss: for each tensor of
                                                   model.safetensors its L2 norm and its sum of g[i] * sin(i + 1)
}
Each episode is computed alone, without padding.
"""

import json
import pathlib

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

TEST = pathlib.Path(__file__).parent.parent
LENGTHS = [(5, 4), (3, 7), (8, 1), (2, 6)]  # of prompt and response
TEMPERATURE, CLIP, VALUE_CLIP, DUAL_CLIP, ENTROPY = 0.7, 0.2, 0.2, 2.0, 0.01


def sums(model, stored):
    named = dict(model.named_parameters())
    result = {}
    for key in stored:
        g = named[key].grad.double().flatten()
        result[key] = [g.norm().item(), (g * torch.sin(torch.arange(1, len(g) + 1, dtype=torch.float64))).sum().item()]
    return result


def main(name):
    folder = TEST / "model" / "fixtures" / name
    generator = torch.Generator().manual_seed(11)
    options = dict(attn_implementation="eager", dtype=torch.float32)
    policy = AutoModelForCausalLM.from_pretrained(folder, **options).eval()
    critic = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, **options).eval()
    C = critic.score.weight.shape[1]
    head = torch.randn(C, generator=generator) / C**0.5
    critic.score.weight.data[0] = head
    base = getattr(critic, critic.base_model_prefix)
    draw = lambda n: torch.randn(n, generator=generator)
    episodes, policy_terms, entropies, value_terms = [], [], [], []
    for prompt_length, n in LENGTHS:
        ids = torch.randint(3, policy.config.vocab_size, (prompt_length + n,), generator=generator)
        prompt, response = ids[:prompt_length], ids[prompt_length:]
        distribution = (policy(ids[None]).logits[0, prompt_length - 1 : -1] / TEMPERATURE).log_softmax(-1)
        log_probs = distribution.gather(1, response[:, None])[:, 0]
        entropy = -(distribution.exp() * distribution).sum(-1)
        values = (base(ids[None]).last_hidden_state[0, prompt_length - 1 : -1] @ critic.score.weight[0])
        old_log_probs, advantages = log_probs.detach() + 0.3 * draw(n), draw(n)
        old_values, returns = values.detach() + 0.3 * draw(n), values.detach() + draw(n)
        ratio = (log_probs - old_log_probs).exp()
        surrogate = torch.max(-advantages * ratio, -advantages * ratio.clamp(1 - CLIP, 1 + CLIP))
        policy_terms.append(torch.where(advantages < 0, torch.min(surrogate, -DUAL_CLIP * advantages), surrogate))
        near = old_values + (values - old_values).clamp(-VALUE_CLIP, VALUE_CLIP)
        value_terms.append(0.5 * torch.max((values - returns) ** 2, (near - returns) ** 2))
        entropies.append(entropy)
        episodes.append(
            dict(
                prompt=prompt.tolist(), response=response.tolist(), oldLogProbs=old_log_probs.tolist(), advantages=advantages.tolist(),
                oldValues=old_values.tolist(), returns=returns.tolist(), logProbs=log_probs.tolist(), entropy=entropy.tolist(), values=values.tolist(),
            )
        )
    policy_loss, entropy, value_loss = (torch.cat(terms).mean() for terms in (policy_terms, entropies, value_terms))
    (policy_loss - ENTROPY * entropy).backward()
    value_loss.backward()
    stored = [key for key in load_file(folder / "model.safetensors") if key != "lm_head.weight"]
    result = dict(
        temperature=TEMPERATURE, clip=CLIP, valueClip=VALUE_CLIP, dualClip=DUAL_CLIP, entropyCoefficient=ENTROPY, head=head.tolist(), episodes=episodes,
        policyLoss=policy_loss.item(), entropy=entropy.item(), valueLoss=value_loss.item(),
        policy=sums(policy, stored), critic=sums(critic, stored + ["score.weight"]),
    )
    (TEST / "training" / "fixtures" / f"ppo-step-{name}.json").write_text(json.dumps(result) + "\n")
    print(name, {key: value for key, value in result.items() if isinstance(value, float)})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main("hf-llama-tiny")
    main("hf-gpt2-tiny")
