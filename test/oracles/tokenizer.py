"""Writes test/tokenizer/fixtures/*.json: tokenizers made by Python `tokenizers`, and the ids that they give (run from the project's root)."""
import json
from collections import Counter

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ["bos", "eos", "pad", "system", "user", "assistant", "tool", "tool_call", "image"] + [f"reserved_{i}" for i in range(7)]
SPECIAL = [f"<|{name}|>" for name in SPECIAL]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
WORDS = r" ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]|\s"
CHARACTERS = r"[\s\S]"

CORPUS = [
    "The fox didn't stop; the fox ran on, and on, until the river's edge. There it sat and it thought of the other foxes, of all those others.\n",
    "A model is trained on text. A trained model predicts the next token of the text, then the next, and the next, until the text ends.\n\n",
    "In 1984 there were 12345 of them, in 2024 there were 67890: 3.14159 times as many, they'd say. WE'RE SURE THEY'LL SEE IT'S SO.\r\n",
    "模型是在文本上训练的。训练好的模型预测文本的下一个词，再下一个词，直到文本结束。文本，文本，还是文本。\n",
    "for (let i = 0; i < n; i++) {\n\t\tif (text[i] === 'a') total += i;\n\t\telse total -= i;   // the rest of the text\n}\n",
    "aaaa aaaaaaaa aaaaaaaaaaaa banana bananas cabbage\n",
    "naïve café, naïve cafés; Ünder über; Ελληνικά κείμενα, русский текст, русские тексты. 👩‍👩‍👧 🎉🎉🎉\n",
]
TEXTS = [
    "", " ", "a", "The fox ran.", "They're sure it's so; WE'LL SEE, I'M he'D 'S 'sa x'ſ don't've",
    "模型预测下一个词。", "训练2024年的text模型", "for (let i = 0; i < 10; i++) {\n  total += i;\n}\n", "\tx\t\ty   z  ", "a  b   c    \n   d", "\n\n\n", "a\r\nb\r\n\r\nc", "\r",
    "🎉 party 🎉🎉", "👩‍👩‍👧‍👦 family 👍🏽", "e\u0301 a\u0308o\u0308 Z\u0351\u036b\u0343 \u0915\u093f\u0928\u094d\u0928\u0940", "nul \x00 in\x00side \x01\x7f", "\u0085 next\u0085line \ufeffbom\ufeff \u200b \u2028x\u2029 \u3000y \u00a0z",
    "1234567890 ٣٤٥ Ⅷ ½ x²", "a" * 300, "ab" * 60 + "banana" * 20, " " * 70 + "x", "?!?!...---\r\n\r\nnext", "'''", "\u1c89\ua7cb\U000105c0 \U000323b0\U00016d80", "ﬆ ß ẞ İ ı K", "\U0001d49c\U0001d49d \U00020000\U00020001",
    "https://example.com/a_b?c=d&e=%20#f", "\ufffd \ud7ff\ue000", "naïve cafés über русский Ελληνικά",
]


def added(tokenizer):
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])


def save(name, tokenizer, corpus, texts):
    out = {
        "corpus": corpus,
        "tokenizer": json.loads(tokenizer.to_str()),
        "texts": [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts],
        "decoded": [
            {"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False), "skipped": tokenizer.decode(ids, skip_special_tokens=True)}
            for ids in ([0, 20, 21, 1], [tokenizer.get_vocab_size() - 1, 3, tokenizer.get_vocab_size() - 2], list(range(140, 160)), [200, 1, 201, 202])
            if max(ids) < tokenizer.get_vocab_size()
        ],
    }
    with open(f"test/tokenizer/fixtures/{name}.json", "w", encoding="utf-8") as file:
        json.dump(out, file, ensure_ascii=True, separators=(",", ":"))


bpe = Tokenizer(models.BPE())
bpe.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
)
bpe.decoder = decoders.ByteLevel()
bpe.train_from_iterator(
    CORPUS,
    trainers.BpeTrainer(
        vocab_size=480, min_frequency=2, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    ),
)
save("bpe", bpe, CORPUS, TEXTS)


def word_level(name, pattern, keep, unknown, texts):
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    counts = Counter(piece for text in CORPUS for piece, _ in split.pre_tokenize_str(text))
    tokenizer = Tokenizer(models.WordLevel({t: i for i, t in enumerate(SPECIAL + keep(counts))}, unk_token=unknown))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.Fuse()
    added(tokenizer)
    save(name, tokenizer, CORPUS, texts)


word_level("char", CHARACTERS, lambda counts: sorted(counts), "\ufffd", CORPUS[:2] + ["", "a fox\r\n", "模型 🎉 naïve"])
frequent = lambda counts: [w for w, n in sorted(counts.items(), key=lambda x: (-x[1], x[0].encode())) if n >= 2][: 120 - len(SPECIAL)]
word_level("word", WORDS, frequent, "<|reserved_0|>", CORPUS + TEXTS)
