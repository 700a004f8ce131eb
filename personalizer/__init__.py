"""All that runs a neural network: text encoder, tiny language model, hypernetwork, LoRA.

Imports only torch, transformers, peft, safetensors and numpy, so that it runs on a bare GPU host.
"""
