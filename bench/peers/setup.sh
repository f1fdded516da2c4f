#!/bin/sh
# Installs the engines that the benchmarks are paired with, beside this file and outside fourfold's dependencies:
# bench/peers/.venv (PyTorch, transformers), bench/peers/.ppo (the last TRL with a PPO trainer) and bench/peers/node_modules (node-llama-cpp with its prebuilt library).
set -eu
cd "$(dirname "$0")"
[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --requirement requirements.txt
.venv/bin/python -m pip install --upgrade --no-deps --target .ppo --requirement requirements-ppo.txt
# Only the plain CPU build of llama.cpp; the optional packages hold CUDA and Vulkan builds of hundreds of megabytes.
platform=$(node -p '({ linux: "linux", darwin: "mac" })[process.platform] + "-" + (process.platform === "darwin" && process.arch === "arm64" ? "arm64-metal" : process.arch)')
version=$(node -p 'JSON.parse(require("fs").readFileSync("package.json")).dependencies["node-llama-cpp"]')
npm install --no-package-lock --no-audit --no-fund --ignore-scripts --omit=optional
npm install --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --omit=optional "@node-llama-cpp/$platform@$version"
