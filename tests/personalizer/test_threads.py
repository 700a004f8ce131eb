"""A training gives the same weights, whether or not torch was told its number of threads before."""

import subprocess
import sys

CODE = """
import hashlib, random, sys, tempfile
from pathlib import Path
import torch
from personalizer.config import LMConfig
from personalizer.lm import tiny

if sys.argv[1] == "told":
    torch.set_num_threads(torch.get_num_threads())
random.seed(1)
words = ["".join(random.choices("abcdefgh", k=5)) for _ in range(300)]
# long ones: attention over 200 tokens and more is where MKL was seen to choose
texts = [" ".join(random.choices(words, k=120)) for _ in range(40)]
config = LMConfig(hidden_size=32, layers=1, vocab_size=512, max_steps=5)
with tempfile.TemporaryDirectory() as folder:
    tiny.pretrain(texts, config, seed=1, out=Path(folder))
    print(hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).hexdigest())
"""


def weights(before: str) -> str:
    told = subprocess.run(
        [sys.executable, "-c", CODE, before], capture_output=True, text=True, check=True
    )
    return told.stdout


def test_what_ran_before_in_the_process_does_not_change_the_weights():
    untold = weights("untold")
    assert len(untold) == 65
    assert untold == weights("told")
