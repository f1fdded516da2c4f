"""The models that the training benchmark pairs with: GPT-2 as in nanoGPT, and Llama, both written with torch modules.

Legend: B batch, T tokens, C width, H heads, D head size, V vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass(frozen=True)
class Shape:
    """One benchmark shape: a model and the batch that it is trained on."""

    architecture: str
    layers: int
    heads: int
    width: int
    vocabulary: int
    context: int
    batch: int
    intermediate: int = 0
    kv_heads: int = 0


SHAPES = {
    "S1": Shape("gpt2", layers=4, heads=4, width=128, vocabulary=65, context=64, batch=12),
    "S2": Shape("gpt2", layers=6, heads=6, width=384, vocabulary=65, context=256, batch=8),
    "S2x64": Shape("gpt2", layers=6, heads=6, width=384, vocabulary=65, context=256, batch=64),
    "GPT2": Shape("gpt2", layers=12, heads=12, width=768, vocabulary=50257, context=1024, batch=8),
    "S3": Shape("llama", layers=8, heads=8, width=512, vocabulary=8192, context=512, batch=4, intermediate=1376),
}


class Gpt2Attention(nn.Module):
    """Causal self-attention with one packed projection."""

    def __init__(self, s: Shape):
        super().__init__()
        self.heads = s.heads
        self.c_attn = nn.Linear(s.width, 3 * s.width, bias=False)
        self.c_proj = nn.Linear(s.width, s.width, bias=False)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in self.c_attn(x).split(C, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # [B, H, T, D]
        return self.c_proj(y.transpose(1, 2).reshape(B, T, C))


class Gpt2Block(nn.Module):
    """Pre-norm block: attention, then an MLP with exact GELU."""

    def __init__(self, s: Shape):
        super().__init__()
        self.ln_1 = nn.LayerNorm(s.width, bias=False)
        self.attn = Gpt2Attention(s)
        self.ln_2 = nn.LayerNorm(s.width, bias=False)
        self.c_fc = nn.Linear(s.width, 4 * s.width, bias=False)
        self.c_proj = nn.Linear(4 * s.width, s.width, bias=False)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.c_proj(F.gelu(self.c_fc(self.ln_2(x))))


class Gpt2(nn.Module):
    """nanoGPT's model: learned positions, no biases, tied head, residual projections scaled down at the start."""

    def __init__(self, s: Shape):
        super().__init__()
        self.wte = nn.Embedding(s.vocabulary, s.width)
        self.wpe = nn.Embedding(s.context, s.width)
        self.h = nn.ModuleList(Gpt2Block(s) for _ in range(s.layers))
        self.ln_f = nn.LayerNorm(s.width, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02 / (2 * s.layers) ** 0.5 if name.endswith("c_proj.weight") else 0.02)

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))  # [B, T, C]
        for block in self.h:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)  # [B, T, V]
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def rotate_half(x):
    """(a, b) → (-b, a) for the two halves of each head."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


class LlamaBlock(nn.Module):
    """Pre-norm block: rotary, optionally grouped-query attention, then SwiGLU; one packed matrix for q, k, v and one for gate and up."""

    def __init__(self, s: Shape):
        super().__init__()
        self.heads, self.kv_heads, self.D = s.heads, s.kv_heads or s.heads, s.width // s.heads
        self.input_norm = nn.RMSNorm(s.width, eps=1e-5)
        self.qkv = nn.Linear(s.width, (self.heads + 2 * self.kv_heads) * self.D, bias=False)
        self.o_proj = nn.Linear(s.width, s.width, bias=False)
        self.post_norm = nn.RMSNorm(s.width, eps=1e-5)
        self.gate_up = nn.Linear(s.width, 2 * s.intermediate, bias=False)
        self.down_proj = nn.Linear(s.intermediate, s.width, bias=False)

    def forward(self, x, cos, sin):
        B, T, C = x.shape
        qkv = self.qkv(self.input_norm(x)).view(B, T, -1, self.D).transpose(1, 2)  # [B, H + 2·KV, T, D]
        q, k, v = qkv.split((self.heads, self.kv_heads, self.kv_heads), dim=1)
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        grouped = self.heads != self.kv_heads
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)  # [B, H, T, D]
        x = x + self.o_proj(y.transpose(1, 2).reshape(B, T, C))
        gate, up = self.gate_up(self.post_norm(x)).chunk(2, dim=-1)
        return x + self.down_proj(F.silu(gate) * up)


class Llama(nn.Module):
    """Llama with a tied table."""

    def __init__(self, s: Shape):
        super().__init__()
        D = s.width // s.heads
        angles = torch.outer(torch.arange(s.context), 10000.0 ** (-torch.arange(0, D, 2) / D)).repeat(1, 2)  # [T, D]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        self.embed_tokens = nn.Embedding(s.vocabulary, s.width)
        self.layers = nn.ModuleList(LlamaBlock(s) for _ in range(s.layers))
        self.norm = nn.RMSNorm(s.width, eps=1e-5)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, targets):
        x = self.embed_tokens(ids)  # [B, T, C]
        on = x.device.type
        dtype = torch.get_autocast_dtype(on) if torch.is_autocast_enabled(on) else x.dtype
        cos, sin = self.cos.to(dtype), self.sin.to(dtype)
        for layer in self.layers:
            x = layer(x, cos, sin)
        logits = F.linear(self.norm(x), self.embed_tokens.weight)  # [B, T, V]
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def build(shape: Shape) -> nn.Module:
    """The model of a shape, freshly initialised."""
    return (Gpt2 if shape.architecture == "gpt2" else Llama)(shape)


def optimizer(model: nn.Module, lr: float, betas: tuple, weight_decay: float = 0.1, kind: str = "fused") -> torch.optim.AdamW:
    """AdamW as in nanoGPT: weight decay on matrices only. `kind` is fused, foreach or loop."""
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=betas, fused=kind == "fused", foreach=kind == "foreach")
