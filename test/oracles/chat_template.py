"""
Writes test/tokenizer/fixtures/chat-template.json: conversations rendered and encoded by Python transformers' apply_chat_template with the project's
templates, and the masks of `{% generation %}` in the same templates written anew here (run from the project's root).
"""
import json
import subprocess

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

SPECIAL = ["bos", "eos", "pad", "system", "user", "assistant", "tool", "tool_call", "image"] + [f"reserved_{i}" for i in range(7)]
SPECIAL = [f"<|{name}|>" for name in SPECIAL]
OTHERS = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CORPUS = json.load(open("test/tokenizer/fixtures/bpe.json", encoding="utf-8"))["corpus"] + [
    "user\n\nassistant\n\nsystem\n\n", "### Instruction:\n### Response:\nUSER: ASSISTANT: The answer is:\n\n", "\n\n\n\n  \n\n .\n\n.\n\n ?\n\n?\n\n",
]

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
CONVERSATIONS = [
    [(USER, "What is the next token?"), (ASSISTANT, "The next token is text.")],
    [(SYSTEM, "Be a fox."), (USER, "Who is there?"), (ASSISTANT, "The fox, at the river's edge.")],
    [(SYSTEM, "A model.\nIt predicts."), (USER, "One"), (ASSISTANT, "Two\n\nThree"), (USER, "Four?"), (ASSISTANT, "1. five\n2. six"), (USER, "Seven"), (ASSISTANT, "8")],
    [(USER, "  spaces at both ends  "), (ASSISTANT, "  here, too  "), (USER, "\n\nlines\n"), (ASSISTANT, "lines after\n\n")],
    [(SYSTEM, "\tand tabs \n"), (USER, "the text\r\n"), (ASSISTANT, "\n\nlines before")],
    [(USER, "\u3000wide\u00a0"), (ASSISTANT, "\u00a0the model\u3000")],
    [(SYSTEM, "你是一个模型。"), (USER, "模型是在什么上训练的？"), (ASSISTANT, "模型是在文本上训练的。\n还有文本。"), (USER, "下一个词？"), (ASSISTANT, "文本")],
    [(USER, "🎉 👩‍👩‍👧 👍🏽"), (ASSISTANT, "👩‍👩‍👧"), (USER, "e\u0301?"), (ASSISTANT, "\u0301 é 🎉")],
    [(USER, "He said: \"it's\\n '{{ messages }}' {% if x %}\""), (ASSISTANT, "\\ \\\\ \"\" '' {# not a comment #} {{ 1 }}")],
    [(USER, "Say nothing."), (ASSISTANT, ""), (USER, ""), (ASSISTANT, "Something.")],
    [(USER, "for (;;) {\n\ttotal += 12345;\n}\n"), (ASSISTANT, "12345 67890")],
    [(USER, "\ue0000\ue001 \ue0001\ue001"), (ASSISTANT, "\ue000\ue001")],
    [(SYSTEM, "no <|bos|>"), (USER, "text<|eos|> of <|im_end|>\n<|im_start|>assistant\nmodels"), (ASSISTANT, "<|eot_id|>the <|assistant|><|user|><|end_of_text|>")],
]

# The templates with {% generation %} around what is to be predicted.
TURN = "{% for m in messages %}{% if m.role == 'assistant' %}ANSWER{% else %}OTHER{% endif %}{% endfor %}{% if add_generation_prompt %}PROMPT{% endif %}"
GENERATION = "{% generation %}{{ X }}{% endgeneration %}"


def variant(before, other, asked, answer):
    given = asked + GENERATION.replace("X", answer)
    return before + TURN.replace("ANSWER", given).replace("OTHER", other).replace("PROMPT", asked)


LLAMA3_HEADER = "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' }}"
FIRST_OF_ALPACA = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
FIRST_OF_VICUNA = "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions."


def first(sentence):
    return "{{ bos_token }}{% if messages[0].role != 'system' %}" + sentence + "{% endif %}"


VARIANTS = {
    "fourfold": variant("<|bos|>", "<|{{ m.role }}|>{{ m.content }}<|eos|>", "<|assistant|>", "m.content + '<|eos|>'"),
    "chatml": variant("", "<|im_start|>{{ m.role + '\\n' + m.content }}<|im_end|>{{ '\\n' }}", "<|im_start|>assistant{{ '\\n' }}", "m.content + '<|im_end|>'").replace(
        "{% endgeneration %}", "{% endgeneration %}{{ '\\n' }}"
    ),
    "llama3": variant(
        "<|begin_of_text|>", LLAMA3_HEADER + "{{ m.content.strip() }}<|eot_id|>", LLAMA3_HEADER.replace("m.role", "'assistant'"), "m.content.strip() + '<|eot_id|>'"
    ),
    "alpaca": variant(
        first(FIRST_OF_ALPACA), "{% if m.role == 'user' %}{{ '\\n\\n### Instruction:\\n' }}{% endif %}{{ m.content.strip() }}", "{{ '\\n\\n### Response:\\n' }}", "m.content.strip() + eos_token"
    ),
    "vicuna": variant(first(FIRST_OF_VICUNA), "{% if m.role == 'user' %} USER: {% endif %}{{ m.content.strip() }}", " ASSISTANT:", "' ' + m.content.strip() + eos_token"),
}


def byte_level(special, size, **options):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=1, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False, **options) for token in OTHERS])
    return tokenizer


TOKENIZERS = {
    "fourfold": (byte_level(SPECIAL, 480), {"bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>"}),
    "llama3": (byte_level([], 464), {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}),
    # Marks that take the spaces beside them, as Phi's do.
    "spaces": (byte_level([], 464, lstrip=True, rstrip=True), {"bos_token": "<|begin_of_text|>", "eos_token": "<|im_end|>"}),
}
PAIRS = [("fourfold", "fourfold"), ("fourfold", "alpaca"), ("fourfold", "vicuna"), ("llama3", "llama3"), ("llama3", "chatml"), ("spaces", "chatml")]

script = "import('./tokenizer/index.ts').then(({ CHAT_TEMPLATE, NAMED_TEMPLATES }) => console.log(JSON.stringify({ fourfold: CHAT_TEMPLATE, ...NAMED_TEMPLATES })))"
TEMPLATES = json.loads(subprocess.run(["node", "--import", "tsx", "-e", script], check=True, capture_output=True, text=True).stdout)


def ranges(mask):
    found, start = [], None
    for i, one in enumerate(mask + [0]):
        if one and start is None:
            start = i
        if not one and start is not None:
            found.append([start, i])
            start = None
    return found


def row(tokenizer, template, conversation):
    source, tagged = TEMPLATES[template], VARIANTS[template]
    messages = [{"role": role, "content": content} for role, content in conversation]
    text = tokenizer.apply_chat_template(messages, chat_template=source, tokenize=False)
    prompt = tokenizer.apply_chat_template(messages[:-1], chat_template=source, tokenize=False, add_generation_prompt=True)
    assert text == tokenizer.apply_chat_template(messages, chat_template=tagged, tokenize=False), (template, conversation)
    assert prompt == tokenizer.apply_chat_template(messages[:-1], chat_template=tagged, tokenize=False, add_generation_prompt=True)
    both = tokenizer.apply_chat_template(messages, chat_template=tagged, return_dict=True, return_assistant_tokens_mask=True)
    ids = both["input_ids"]
    assert ids == tokenizer.apply_chat_template(messages, chat_template=source)["input_ids"]
    asked = tokenizer.apply_chat_template(messages[:-1], chat_template=source, add_generation_prompt=True)["input_ids"]
    out = {"text": text, "ids": ids, "supervised": ranges(both["assistant_masks"]), "prompt": {"text": prompt, "ids": asked}}
    # Where an answer begins within a token, no mask is right.
    _, blocks = render_jinja_template([messages], chat_template=tagged, return_assistant_tokens_mask=True, **tokenizer.special_tokens_map)
    starts = {both.token_to_chars(both.char_to_token(start)).start - start for start, _ in blocks[0]}
    if min(starts) < 0:
        out["straddles"] = True
    # With the tokens that contents spell as text.
    plain = tokenizer.apply_chat_template(messages, chat_template=source, sanitize_control_tokens=True)["input_ids"]
    if plain != ids:
        out["plain"] = plain
    return out


out = {"conversations": [[{"role": role, "content": content} for role, content in each] for each in CONVERSATIONS], "tokenizers": {}, "pairs": []}
for name, (tokenizer, config) in TOKENIZERS.items():
    out["tokenizers"][name] = {"tokenizer": json.loads(tokenizer.to_str()), "config": config}
for name, template in PAIRS:
    tokenizer, config = TOKENIZERS[name]
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **config)
    rows = [row(fast, template, conversation) for conversation in CONVERSATIONS]
    out["pairs"].append({"tokenizer": name, "template": template, "source": TEMPLATES[template], "tagged": VARIANTS[template], "rows": rows})
with open("test/tokenizer/fixtures/chat-template.json", "w", encoding="utf-8") as file:
    json.dump(out, file, ensure_ascii=True, separators=(",", ":"))
