"""One PPO benchmark of TRL's PPOTrainer on the models and prompts of a folder that bench/ppo-data.ts wrote, with some updates behind a first one; prints
one line of JSON. TRL 1.8 is the last one with this trainer (requirements-ppo.txt; setup.sh installs it in .ppo).

    PYTHONPATH=.ppo python ppo.py FOLDER --micro-batch 64 --threads 2 --updates 4

The micro-batch is the number of episodes that are learnt from at a time, with gradient accumulation up to all of them.
"""

import argparse
import json
import os
import resource
import tempfile
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
from datasets import Dataset, disable_progress_bars
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

from train import busy_seconds, cpu_seconds

# Episodes of an update, tokens of a prompt and of its answer, passes over the answers; ../shapes.ts has the same.
BATCH, PROMPT, RESPONSE, EPOCHS = 64, 16, 32, 4

seconds = {"rollout": 0.0, "scoring": 0.0}


def timed(name, part, wanted=lambda: True):
    """Has the trainer's function `name` add its time to a part, where it is wanted."""
    function = getattr(ppo_trainer, name)

    def run(*args, **kwargs):
        if not wanted():
            return function(*args, **kwargs)
        start = time.perf_counter()
        result = function(*args, **kwargs)
        seconds[part] += time.perf_counter() - start
        return result

    setattr(ppo_trainer, name, run)


class Clock(TrainerCallback):
    """Starts when the first update ends."""

    def __init__(self):
        self.started = None

    def now(self) -> dict:
        return dict(seconds, wall=time.perf_counter(), cpu=cpu_seconds(), busy=busy_seconds())

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 1:
            self.started = self.now()


@torch.no_grad()
def what_models_say(policy, reward, pad: int, texts: list) -> dict:
    """Log-probabilities of the texts' answers, one token after the other, and the scores of the texts, by the trainer's own functions."""
    ids = torch.tensor(texts)
    logits = ppo_trainer.forward(policy, ids, pad).logits[:, PROMPT - 1 : -1]
    log_probs = ppo_trainer.selective_log_softmax(logits, ids[:, PROMPT:])
    return dict(logProbs=log_probs.flatten().tolist(), scores=ppo_trainer.get_reward(reward, ids, pad, PROMPT)[1].tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--micro-batch", type=int, default=BATCH)
    parser.add_argument("--attention", default="sdpa", help="attn_implementation of transformers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--updates", type=int, default=4)
    args = parser.parse_args()

    disable_progress_bars()
    torch.set_num_threads(args.threads)
    data = json.load(open(f"{args.folder}/data.json"))
    options = dict(dtype=torch.float32, attn_implementation=args.attention)
    policy = AutoModelForCausalLM.from_pretrained(f"{args.folder}/policy", **options)
    reward, value = (AutoModelForSequenceClassification.from_pretrained(f"{args.folder}/reward", num_labels=1, **options) for _ in range(2))
    torch.nn.init.zeros_(value.score.weight)  # as fourfold's critic begins
    tokenizer = AutoTokenizer.from_pretrained(f"{args.folder}/policy")
    said = what_models_say(policy, reward, tokenizer.pad_token_id, data["texts"])
    timed("batch_generation", "rollout")
    for name in ("forward", "get_reward", "selective_log_softmax"):
        timed(name, "scoring", lambda: not torch.is_grad_enabled())
    with tempfile.TemporaryDirectory() as output:
        config = PPOConfig(
            output_dir=output,
            per_device_train_batch_size=args.micro_batch,
            gradient_accumulation_steps=BATCH // args.micro_batch,
            num_mini_batches=1,
            num_ppo_epochs=EPOCHS,
            total_episodes=BATCH * (args.updates + 1),
            local_rollout_forward_batch_size=BATCH,
            response_length=RESPONSE,
            temperature=1.0,
            num_sample_generations=0,
            # As ../ours-ppo.ts.
            learning_rate=3e-6,
            lr_scheduler_type="constant",
            adam_epsilon=1e-5,
            weight_decay=0.0,
            optim="adamw_torch_fused",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            logging_strategy="steps",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=1337,
        )
        clock = Clock()
        trainer = PPOTrainer(
            args=config,
            processing_class=tokenizer,
            model=policy,
            ref_model=None,
            reward_model=reward,
            value_model=value,
            train_dataset=Dataset.from_dict({"input_ids": data["prompts"]}),
            eval_dataset=Dataset.from_dict({"input_ids": data["prompts"][:1]}),
            data_collator=lambda rows: {"input_ids": torch.tensor([row["input_ids"] for row in rows])},
            callbacks=[clock],
        )
        trainer.train()
        end = clock.now()
    spent = {key: end[key] - clock.started[key] for key in end}
    first = next(line for line in trainer.state.log_history if "objective/kl" in line)
    print(
        json.dumps(
            {
                "engine": f"TRL {__import__('trl').__version__} on PyTorch {torch.__version__.split('+')[0]} ({policy.config._attn_implementation})",
                "threads": torch.get_num_threads(),
                "updates": args.updates,
                "episodesPerSecond": BATCH * args.updates / spent["wall"],
                "seconds": {
                    "rollout": spent["rollout"] / args.updates,
                    "scoring": spent["scoring"] / args.updates,
                    "optimisation": (spent["wall"] - spent["rollout"] - spent["scoring"]) / args.updates,
                },
                "cpuSeconds": spent["cpu"] / args.updates,
                "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "otherLoad": max(0.0, (spent["busy"] - spent["cpu"]) / spent["wall"]),
                "first": {
                    "kl": first["objective/kl"],
                    "ratio": first["val/ratio"],
                    "policyLoss": first["loss/policy_avg"],
                    "entropy": first["objective/entropy"],
                },
                "said": said,
            }
        )
    )


if __name__ == "__main__":
    main()
