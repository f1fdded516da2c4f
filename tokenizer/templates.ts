/** Chat templates of other families, for checkpoints that come with none. */
export type NamedTemplate = keyof typeof NAMED_TEMPLATES;

export const NAMED_TEMPLATES = {
  /** Source: OpenAI's ChatML, as transformers has it for Qwen and others. */
  chatml:
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  /** Source: meta-llama/Meta-Llama-3-8B-Instruct, tokenizer_config.json. */
  llama3:
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}" +
    '{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}' +
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
  /** Source: Taori et al. 2023, Stanford Alpaca's prompt without input; a system message stands in the place of its first sentence. */
  alpaca:
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] | trim }}{% else %}" +
    "{{ 'Below is an instruction that describes a task. Write a response that appropriately completes the request.' }}{% endif %}" +
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '\\n\\n### Instruction:\\n' + message['content'] | trim }}" +
    "{% elif message['role'] == 'assistant' %}{{ '\\n\\n### Response:\\n' + message['content'] | trim + eos_token }}{% endif %}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '\\n\\n### Response:\\n' }}{% endif %}",
  /** Source: lm-sys/FastChat, conversation.py, vicuna_v1.1. */
  vicuna:
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] | trim }}{% else %}" +
    '{{ "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user\'s questions." }}{% endif %}' +
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ ' USER: ' + message['content'] | trim }}" +
    "{% elif message['role'] == 'assistant' %}{{ ' ASSISTANT: ' + message['content'] | trim + eos_token }}{% endif %}{% endfor %}" +
    "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}",
} as const;
