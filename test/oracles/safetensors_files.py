"""Makes test/checkpoints/fixtures/python.safetensors with the Python library, and reads a file of ours with it.

python test/oracles/safetensors_files.py write          the fixture, and python.json with its values
python test/oracles/safetensors_files.py read FILE      prints {name: {dtype, shape, values}} as JSON
Needs torch, safetensors.
"""

import json
import pathlib
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file

FIXTURES = pathlib.Path(__file__).parent.parent / "checkpoints" / "fixtures"
HALVES = [0.0, -0.0, 1.0, -2.5, 65504.0, 6e-8, 6.1e-5, 1 / 3, 1e-3, -1234.5]


def tensors():
    floats = torch.tensor(HALVES)
    return {
        "floats": floats.reshape(2, 5),
        "brain": floats.to(torch.bfloat16),
        "half": floats.to(torch.float16),
        "ints": torch.tensor([[1, -2], [2**31 - 1, -(2**31)]], dtype=torch.int32),
        "longs": torch.tensor([2**53 + 1, -(2**63)], dtype=torch.int64),
        "bytes": torch.tensor([0, 127, 255], dtype=torch.uint8),
        "scalar": torch.tensor(3.25),
        "empty": torch.zeros(0, 4),
    }


def described(loaded):
    return {
        name: dict(
            dtype=str(t.dtype).removeprefix("torch."),
            shape=list(t.shape),
            values=[str(v) for v in t.flatten().tolist()] if t.dtype == torch.int64 else t.double().flatten().tolist(),
        )
        for name, t in sorted(loaded.items())
    }


if __name__ == "__main__":
    if sys.argv[1] == "write":
        save_file(tensors(), FIXTURES / "python.safetensors", metadata={"format": "pt"})
        (FIXTURES / "python.json").write_text(json.dumps(described(tensors())) + "\n")
    else:
        with safe_open(sys.argv[2], framework="pt") as file:
            assert file.metadata() == {"format": "pt"}, file.metadata()
            print(json.dumps(described({name: file.get_tensor(name) for name in file.keys()})))
