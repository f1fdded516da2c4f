"""
Python `tokenizers`: trains byte-level BPE with Llama 3's pattern, then encodes the same texts, all as one and line by line.

    tokenizer.py TEXTS.json THREADS VOCAB_SIZE PASSES    -> one line of JSON, as ours-tokenizer.ts gives
"""
import array
import hashlib
import json
import os
import sys
import time

path, threads, vocab_size, passes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.environ["RAYON_NUM_THREADS"] = threads
os.environ["TOKENIZERS_PARALLELISM"] = "true" if int(threads) > 1 else "false"
import tokenizers  # noqa: E402 (reads the environment)
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402

PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
given = json.load(open(path, encoding="utf-8"))
lines, special = given["lines"], given["special"]
text = "\n".join(lines)


def timed(work, times):
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return seconds, result


def train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        lines,
        trainers.BpeTrainer(
            vocab_size=vocab_size, min_frequency=2, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        ),
    )
    return tokenizer


def sha256(ids):
    return hashlib.sha256(array.array("i", ids).tobytes()).hexdigest()


training, tokenizer = timed(train, 1)
one, encoding = timed(lambda: tokenizer.encode(text), passes)
batch, encodings = timed(lambda: tokenizer.encode_batch(lines), passes)
merges = json.loads(tokenizer.to_str())["model"]["merges"]
print(
    json.dumps(
        {
            "engine": f"Python tokenizers {tokenizers.__version__}",
            "train": training,
            "one": one,
            "batch": batch,
            "merges_sha256": hashlib.sha256("\n".join(" ".join(pair) for pair in merges).encode()).hexdigest(),
            "one_sha256": sha256(encoding.ids),
            "batch_sha256": sha256([token for encoding in encodings for token in encoding.ids]),
        }
    )
)
