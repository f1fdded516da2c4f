"""
Writes test/tokenizer/fixtures/others/*.json: small tokenizer.json files in the styles of Llama 3, GPT-2, RoBERTa and Qwen 2.5, and of their added tokens
and split patterns, with the ids that Python `tokenizers` gives (run from the project's root).
"""
import hashlib
import json
import os

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
FOLDER = "test/tokenizer/fixtures/others"

CORPUS = json.load(open("test/tokenizer/fixtures/bpe.json", encoding="utf-8"))["corpus"] + [
    "def f(x):\n    return {'a': x, \"b\": [1, 22, 333]}  # the rest\n\nclass Fox(Base):\n\tdef __init__(self) -> None:\n\t\tpass\r\n",
    "训练模型需要很多文本。很多很多的文本！模型在文本上训练，然后预测下一个词。2024年有12345个。\n",
    "🎉🎉 👩‍👩‍👧 👩‍👩‍👧 👍🏽 👍🏽 é é e\u0301 e\u0301 café cafe\u0301 ü u\u0308 각 \u1100\u1161\u11a8\n",
]
TEXTS = [
    "", " ", "  ", "a", "\n", "The fox ran.", " The fox ran ", "the fox's edge; WE'LL SEE, I'M he'D 'S 'sa x'ſ don't've '' 'll'LL",
    "模型预测下一个词。", "训练2024年的text模型，很多！", "for (let i = 0; i < 10; i++) {\n  total += i;\n}\n", "def f(x):\r\n\treturn x ** 2  # square\r\n\r\n",
    "\tx\t\ty   z  ", "a  b   c    \n   d", "\n\n\n", "a\r\nb\r\n\r\nc", "\r", "   \n  \n x", "x   ", "   x",
    "🎉 party 🎉🎉", "👩‍👩‍👧‍👦 family 👍🏽 👩‍👩‍👧 \u200d\u200d", "🏳️‍🌈🇨🇳",
    "e\u0301 a\u0308o\u0308 Z\u0351\u036b\u0343 \u0915\u093f\u0928\u094d\u0928\u0940", "café naïve \u1e9b\u0323 \u212b \u2126 q\u0307\u0323 a\u0323\u0302 \u0344 \u0958 \u2adc",
    "각 \u1100\u1161\u11a8 \uac00\u11a8 \u1100\u1161 한국어", "\U000105d2\u0307 \U00016d63\U00016d67 \u0897\u0334 a\u1ad0\u0334 \U00011382\U000113c9 \U0001611e\u0301",
    "nul \x00 in\x00side \x01\x7f\x00", "\u0085 next\u0085line \ufeffbom\ufeff \u200b \u2028x\u2029 \u3000y \u00a0z\u3000\u3000w \u00a0\u00a0",
    "1234567890 ٣٤٥ Ⅷ ½ x² 12ab34", "ab" * 60 + "banana" * 20, "?!?!...---\r\n\r\nnext", "'''", "\u1c89\ua7cb\U000105c0 \U000323b0\U00016d80", "ﬆ ß ẞ İ ı K",
    "\U0001d49c\U0001d49d \U00020000\U00020001", "https://example.com/a_b?c=d&e=%20#f", "\ufffd \ud7ff\ue000", "naïve cafés über русский Ελληνικά",
    "zzyzx zzyzx. éxx the Zzyzx", "a\u0300\u0301\u0302" * 3, "_x_ __init__ a_b", "x\u0301'\u0301s \u0301\u0301\n\u0301",
]
# Words of more than 10,000 characters: text, how often, text after it.
LONG = [("a", 12000, ""), ("ab", 6000, " b"), ("banana", 2000, "\n"), (" ", 11000, "x"), ("模型", 4000, "。"), ("👩‍👩‍👧", 600, ""), ("é", 10001, "e\u0301"), ("1", 10002, ""), ("?", 10003, "")]


def vocabulary(pattern, size, normalizer=None):
    """Tokens and merges that the corpus gives with this pattern."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    split = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not pattern)])
    tokenizer.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    )
    return json.loads(tokenizer.to_str())["model"]


def style(pattern, add_prefix_space=False, size=420, normalizer=None, splits=None):
    model = vocabulary(pattern, size, normalizer)
    splits = splits if splits is not None else [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=not splits)
    tokenizer = Tokenizer(models.BPE(model["vocab"], [tuple(merge) for merge in model["merges"]]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits + [byte_level]) if splits else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    return tokenizer


def save(name, tokenizer, config, texts, edit=lambda json: None):
    contents = json.loads(tokenizer if isinstance(tokenizer, str) else tokenizer.to_str())
    edit(contents)
    tokenizer = Tokenizer.from_str(json.dumps(contents))
    rows = [{"text": text} for text in TEXTS + texts] + [{"text": text, "times": times, "after": after} for text, times, after in LONG]
    for row in rows:
        text = row["text"] * row.get("times", 1) + row.get("after", "")
        tokenizer.encode_special_tokens = False
        row["ids"] = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        if "times" in row:
            row["sha256"] = hashlib.sha256(",".join(map(str, row.pop("ids"))).encode()).hexdigest()
        elif plain != row["ids"]:
            row["plain"] = plain  # special tokens in the text as text
    size = tokenizer.get_vocab_size()
    decoded = []
    for ids in ([0, 20, 21, 1], list(range(size - 4, size)), list(range(140, 160)), [200, size - 1, 201, 202]):
        decoded.append({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False), "skipped": tokenizer.decode(ids, skip_special_tokens=True)})
    os.makedirs(FOLDER, exist_ok=True)
    with open(f"{FOLDER}/{name}.json", "w", encoding="utf-8") as file:
        json.dump({"tokenizer": contents, "config": config, "texts": rows, "decoded": decoded}, file, ensure_ascii=True, separators=(",", ":"))


def special(content, **options):
    return AddedToken(content, special=True, normalized=False, **options)


# Llama 3: merges are passed over for words that are tokens; special tokens after the vocabulary.
llama3 = style(LLAMA3)
llama3.add_special_tokens([special(f"<|{name}|>") for name in ("begin_of_text", "end_of_text", "reserved_special_token_0", "start_header_id", "eot_id")])
bos = llama3.token_to_id("<|begin_of_text|>")
llama3.post_processor = processors.Sequence(
    [
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", special_tokens=[("<|begin_of_text|>", bos)]),
    ]
)


def whole_words(contents):
    """Tokens that no merges make: only ignore_merges finds them."""
    model = contents["model"]
    model["ignore_merges"] = True
    size = len(model["vocab"])
    for i, token in enumerate(("Ġzzyzx", "zzyzx", "Ã©xx")):
        model["vocab"][token] = size + i
    for token in contents["added_tokens"]:
        token["id"] += 3
    contents["post_processor"]["processors"][1]["special_tokens"]["<|begin_of_text|>"]["ids"] = [bos + 3]


save(
    "llama3",
    llama3,
    {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "tokenizer_class": "PreTrainedTokenizerFast"},
    ["<|begin_of_text|>The fox<|eot_id|>", "a<|end_of_text|>b <|end_of_text|> c", "<|begin_of_text", "<|<|eot_id|>|>", "x<|eot_id|>\r\n<|eot_id|>  y"],
    whole_words,
)


# GPT-2: its pattern in ByteLevel, merges as text, its one special token within the vocabulary.
def as_gpt2(contents):
    model = contents["model"]
    model["merges"] = [" ".join(merge) for merge in model["merges"]]
    model["continuing_subword_prefix"] = model["end_of_word_suffix"] = ""
    model["unk_token"] = None
    end = model["vocab"]["<|endoftext|>"] = len(model["vocab"])
    contents["added_tokens"] = [
        {"id": end, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": True}
    ]


gpt2 = style(None)
gpt2.post_processor = processors.ByteLevel(trim_offsets=False)
save("gpt2", gpt2, None, ["a<|endoftext|>b", "<|endoftext|><|endoftext|>", " <|endoftext|> the fox", "<|endoftext"], as_gpt2)

# RoBERTa: GPT-2's, a space before each text, and a token that takes the spaces before it.
roberta = style(None, add_prefix_space=True)
roberta.add_special_tokens([AddedToken(name, special=True, normalized=True) for name in ("<s>", "<pad>", "</s>", "<unk>")])
roberta.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
roberta.post_processor = processors.RobertaProcessing(
    ("</s>", roberta.token_to_id("</s>")), ("<s>", roberta.token_to_id("<s>")), trim_offsets=True, add_prefix_space=True
)
save(
    "roberta",
    roberta,
    {"bos_token": {"content": "<s>", "special": True}, "eos_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"},
    ["the <mask> ran", "the   <mask><mask>  <mask>ran", "<s>the fox</s>", "<s> the fox </s> ", "<mask>"],
)

# Qwen 2.5: NFC, single digits, added tokens of which some are not special.
qwen2 = style(QWEN2, normalizer=normalizers.NFC())
qwen2.add_special_tokens([special(name) for name in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
qwen2.add_tokens([AddedToken(name, normalized=False) for name in ("<tool_call>", "</tool_call>", "<|fim_prefix|>")])
qwen2.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
save(
    "qwen2",
    qwen2,
    {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "add_bos_token": False},
    ["<|im_start|>user\nThe fox<|im_end|>\n", "<tool_call>\n{\"a\": 1}\n</tool_call>", "<|fim_prefix|>x<|im_end|>e\u0301<tool_call>\u0301", "<|im_start|><tool_call><|im_end|>"],
)

# Every option of added tokens, also where they overlap, in normalized text and beside spaces and words.
added = style(LLAMA3, normalizer=normalizers.NFC())
added.add_tokens(
    [
        AddedToken("fox", single_word=True, normalized=False),
        AddedToken("river", single_word=True, normalized=True),
        AddedToken("[L]", lstrip=True, normalized=False),
        AddedToken("[R]", rstrip=True, normalized=False),
        AddedToken("[LR]", lstrip=True, rstrip=True, normalized=True),
        AddedToken("cafe\u0301", normalized=True),
        AddedToken("u\u0308ber", normalized=False),
        AddedToken("<x>", normalized=False),
        AddedToken("<x><y>", normalized=False),
        AddedToken("x><y", normalized=False),
        AddedToken("the text", normalized=True),
        AddedToken("  ", normalized=True),
        AddedToken("模型", normalized=True),
        AddedToken("a.b*c", normalized=False),
    ]
)
added.add_special_tokens([special("<x><y><z>"), special("[S]", lstrip=True, rstrip=True), AddedToken("[N]", special=True, normalized=True), special("end", single_word=True)])
save(
    "added",
    added,
    None,
    [
        "the fox, foxes; firefox fox_ fox1 _fox 狐fox fox狐 fox\u0301 \u200dfox fox- -fox ½fox foxⅧ \u203ffox fox",
        "river rivers \u0301river river\u200c x-river ⓐriver river🎉 river",
        "a [L] b[L]\u3000 [L]\n[L]c", "a [R] b [R]\u3000 [R]\n[R]  ", "a [LR] b  [LR][LR]  [R] [L] [LR]\u0085\u2028x", "[R]  [L]  [R]    [LR]",
        "caf\u00e9 cafe\u0301 cafe\u0301\u0301 u\u0308ber \u00fcber", "<x><y><z> <x><y> <x> <x><y>x><y<z>", "x><y><z> <x><x><y><z>", "the text of the text; thetext the  text",
        "[S]  a [S] b  [S]", "a [N] [N]b", "end ended bend end. _end", "模型预测模型。训练模型", "a.b*c aXb*c", "[L", "   [S]   [L]   ", "    ", "a    b",
    ],
)

# Other split patterns, one after another, and a space before each word.
patterns = [
    pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
    pre_tokenizers.Split(Regex(r"[一-龥\u3040-ゟ゠-ヿ]+"), "isolated"),
    pre_tokenizers.Split(Regex(r"(?i:'[sdmt]|'ll|'ve|'re)|[!-/:-@\[-`{-~]?[a-z]+"), "isolated"),
    pre_tokenizers.Split(Regex(r"[^\r\n\p{L}\P{M}x-z]+|.\t??|\S(?=\s)|\s+(?!\S)|\x41\x{1F389}\u200d|(\p{M}|[-_a])+?|\\"), "isolated"),
    pre_tokenizers.Split("fox", "isolated"),
    pre_tokenizers.Split("(?:", "isolated"),
]
save("splits", style(LLAMA3, splits=patterns), None, ["firefox (?:foxes(?:)", "ABA\U0001f389\u200dc A🎉 kK\u212a'S'ſ'\u017f"])
words = [pre_tokenizers.Split(Regex(LLAMA3), "isolated")]
prefixed = style(LLAMA3, splits=words)
prefixed.pre_tokenizer = pre_tokenizers.Sequence(words + [pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)])
save("prefixed", prefixed, None, [])
