"""Writes test/tokenizer/fixtures/training.json: what Python `tokenizers`' BpeTrainer learns (run from the project's root)."""
import json
import random

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

SPECIAL = ["bos", "eos", "pad", "system", "user", "assistant", "tool", "tool_call", "image"] + [f"reserved_{i}" for i in range(7)]
SPECIAL = [f"<|{name}|>" for name in SPECIAL]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def merges(texts, **options):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False, **options)
    tokenizer.train_from_iterator(texts, trainer)
    return [" ".join(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


SYLLABLES = ["ka", "to", "ri", "an", "es", "th", "e", "ing", "o", "str", "模", "型文", "é", "ß", "1", "42", "'s", "-", "🎉"]
SPACES = [" ", " ", " ", " ", " ", "  ", "\n", "\r\n", ", ", ". "]


def text(words):
    """Text that test/tokenizer/train.test.ts makes, too: a small generator chooses words of syllables, early ones more often."""
    state = 1
    parts = []

    def below(n):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 16) % n

    for _ in range(words):
        word = below(1 + below(1 << 14))
        for _ in range(1 + word % 5):
            parts.append(SYLLABLES[word % len(SYLLABLES)])
            word = word * 7 // 3 + 5
        parts.append(SPACES[below(len(SPACES))])
    return "".join(parts)


random.seed(1)
small = []
for _ in range(40):
    alphabet = random.choice(["ab", "abc", "a", "abcd", "é模a"])
    words = ["".join(random.choices(alphabet, k=random.choice([1, 2, 3, 5, 8, 13, 30]))) for _ in range(random.randint(1, 30))]
    texts = [" ".join(random.choices(words, k=random.randint(1, 12))) for _ in range(random.randint(1, 8))]
    options = {"vocab_size": random.choice([280, 300, 350, 600]), "min_frequency": random.choice([0, 1, 2, 3, 5])}
    if random.random() < 0.5:
        options["max_token_length"] = random.choice([3, 4, 5, 6, 9, 12])
    small.append({"texts": texts, "options": options, "merges": merges(texts, **options)})

long = text(40_000)
large = [
    {"options": options, "merges": merges([long], **options)}
    for options in (
        {"vocab_size": 1500, "min_frequency": 2},
        {"vocab_size": 1500, "min_frequency": 20},
        {"vocab_size": 1000, "min_frequency": 2, "max_token_length": 11},
    )
]
with open("test/tokenizer/fixtures/training.json", "w", encoding="utf-8") as file:
    out = {"words": 40_000, "bytes": len(long.encode()), "large": large, "small": small}
    json.dump(out, file, ensure_ascii=True, separators=(",", ":"))
