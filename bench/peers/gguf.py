"""Writes a Llama checkpoint as GGUF, which llama.cpp reads. Source: ggml's docs/gguf.md, version 3."""

import struct

import torch

_UINT32, _FLOAT32, _STRING, _ARRAY = 4, 6, 8, 9
_INT32 = 5
_TYPES = {torch.float32: 0, torch.bfloat16: 30}  # ggml_type of a tensor
_ALIGNMENT = 32


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value) -> bytes:
    """A typed metadata value: int → uint32, float → float32, text, or a list of texts or of ints."""
    if isinstance(value, int):
        return struct.pack("<II", _UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", _ARRAY, _STRING, len(value)) + b"".join(map(_string, value))
    return struct.pack("<IIQ", _ARRAY, _INT32, len(value)) + struct.pack(f"<{len(value)}i", *value)


def _byte_characters() -> list:
    """GPT-2's printable character for each byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(256 - len(kept))]


def _vocabulary(size: int) -> dict:
    """A tokenizer that is only good for loading: the bytes, then fillers; the benchmark feeds and reads ids."""
    tokens = _byte_characters() + [f"filler{i}" for i in range(size - 256)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * size,
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
    }


def _for_ggml_rope(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Reorders the rows of q or k: halves (i, i + D/2) become the neighbours (2i, 2i + 1) that ggml rotates."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def write_gguf(path: str, config, state: dict, dtype: torch.dtype) -> None:
    """Writes the weights of a LlamaForCausalLM; matrices as `dtype`, norms as float32."""
    metadata = {
        "general.architecture": "llama",
        "general.name": "benchmark",
        "llama.vocab_size": config.vocab_size,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.block_count": config.num_hidden_layers,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": config.num_attention_heads,
        "llama.attention.head_count_kv": config.num_key_value_heads,
        "llama.attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "llama.rope.dimension_count": config.hidden_size // config.num_attention_heads,
        "llama.rope.freq_base": 10000.0,
        **_vocabulary(config.vocab_size),
    }
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    parts = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for i in range(config.num_hidden_layers):
        names |= {f"model.layers.{i}.{theirs}": f"blk.{i}.{ours}" for theirs, ours in parts.items()}

    tensors = []
    for name, weight in state.items():
        if name.endswith("q_proj.weight"):
            weight = _for_ggml_rope(weight, config.num_attention_heads)
        elif name.endswith("k_proj.weight"):
            weight = _for_ggml_rope(weight, config.num_key_value_heads)
        weight = weight.to(dtype if weight.dim() == 2 else torch.float32).contiguous()
        tensors.append((names[name.removesuffix(".weight")] + ".weight", weight))

    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
        for key, value in metadata.items():
            file.write(_string(key) + _value(value))
        offset = 0
        for name, weight in tensors:
            shape = weight.shape[::-1]  # ggml names the fastest dimension first
            file.write(_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            file.write(struct.pack("<IQ", _TYPES[weight.dtype], offset))
            offset += -(-weight.nbytes // _ALIGNMENT) * _ALIGNMENT
        for _, weight in tensors:
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            file.write(weight.view(torch.uint8).numpy().tobytes())
