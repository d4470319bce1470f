"""Scores for prompts: a tokenizer, a small ONNX encoder and a linear first stage.

`api` is the contract and imports nothing; `factory.open_classifier` builds the implementation.
Importing this package loads neither ONNX Runtime nor a tokenizer.
"""
