"""Settings of `personalizer` as plain dataclasses: a bare GPU host has no pydantic.

`recsys.settings` composes them into the one settings tree; descriptions are in the metadata.
"""

from dataclasses import dataclass
from typing import Literal

from personalizer.embedding import Source
from personalizer.profiles.config import ProfilesConfig
from personalizer.setting import setting


@dataclass(frozen=True)
class EncoderConfig:
    """The text encoder."""

    path: str = setting("", "folder of the encoder; empty: hub cache, offline package, then hub")
    name: str = setting("sentence-transformers/all-MiniLM-L6-v2", "encoder by hub name")
    batch_tokens: int = setting(2048, "tokens per batch, padding included")
    max_tokens: int = setting(64, "a longer text is cut")


@dataclass(frozen=True)
class LMConfig:
    """The base language model: `tiny` is trained on the catalogue, anything else is loaded."""

    name: str = setting("tiny", "`tiny`, or any causal LM of transformers by name or path")
    dtype: str = setting("float32", "weights' type: float32, bfloat16 or float16")
    device: str = setting("cpu", "cpu or cuda")
    vocab_size: int = setting(2048, "tiny: tokens in the vocabulary")
    hidden_size: int = setting(128, "tiny: width; everything else is derived")
    layers: int = setting(2, "tiny: layers")
    epochs: int = setting(3, "tiny: passes over the catalogue's text")
    max_steps: int = setting(300, "tiny: training steps at most")
    step_tokens: int = setting(2048, "tiny: tokens per training step, padding included")
    context: int = setting(256, "tiny: a longer text is cut into pieces of this many tokens")
    learning_rate: float = setting(3e-3, "tiny: AdamW, at its height")
    title_tokens: int = setting(32, "a longer title is cut")


@dataclass(frozen=True)
class HypernetConfig:
    """The hypernetwork and its training."""

    rank: int = setting(8, "LoRA rank")
    targets: tuple[str, ...] = setting(("q_proj", "v_proj"), "modules that get an adapter")
    embedding: Source = setting(  # noqa: RUF009 - a word
        "text", "what a shopper is told by: her taste in words, who buys alike, or both"
    )
    width: int = setting(256, "the one size dial")
    scale: float = setting(1.0, "factor on the adapter's output")
    rslora: bool = setting(False, "divide the factor by the square root of the rank")
    learning_rate: float = setting(3e-4, "AdamW, at its height; 2e-5 for models of billions")
    steps: int = setting(300, "training steps")
    batch_size: int = setting(64, "shoppers per step")
    warm_up: float = setting(0.05, "share of the steps that warm up; 0.2 for models of billions")
    catalogue: float = setting(
        0.7, "share of the pairs that are of items and the items told alike, not of purchases"
    )
    others: int = setting(
        3, "titles not bought that what was bought is told from; 0: only the title is told"
    )
    sharpness: float = setting(2.0, "factor on the scores that titles are told apart by")
    tell: float = setting(0.1, "weight of telling the title itself, beside telling it apart")
    label_smoothing: float = setting(0.0, "share of the target spread over all tokens")
    weight_penalty: float = setting(0.0, "L2 on the generated A and B")
    noise: float = setting(0.0, "NEFTune: noise on the token embeddings in training; 5 in papers")
    clip: float = setting(1.0, "a longer gradient is cut to this norm")

    @property
    def minus(self) -> Literal["bare", "nobody"]:
        """What a score with an adapter is set against.

        One that learned to tell titles apart learned it against the bare model. One that learned
        to tell titles moved for everybody from what is in the catalogue to what is bought, and only
        what the zero vector's adapter says shares that move (docs/decisions/0003, 0023).
        """
        return "bare" if self.others else "nobody"

    @property
    def factor(self) -> float:
        """What the adapter's output is multiplied by."""
        return self.scale / self.rank**0.5 if self.rslora else self.scale


@dataclass(frozen=True)
class ServerConfig:
    """The model server."""

    url: str = setting(
        "", "where recsys asks for scores, such as http://gpu-host:8100; empty: in its own process"
    )
    timeout_s: float = setting(30.0, "seconds that recsys waits for an answer")
    host: str = setting("127.0.0.1", "address it listens at")
    port: int = setting(8100, "port it listens at")
    batch: int = setting(64, "shoppers answered together at most")
    wait_ms: float = setting(5.0, "how long the first of a batch waits for company")
    most_waiting: int = setting(1024, "shoppers that may wait; more are told to come back (429)")
    deadline_s: float = setting(10.0, "seconds after which an answer is no longer wanted")
    cache_mib: int = setting(256, "memory for adapters kept at hand")
    most_tokens: int = setting(256, "tokens generated at most")
    most_bytes: int = setting(8_388_608, "size of a request at most")
    folder: str = setting("", "where adapters are written as folders of PEFT; empty: nowhere")


@dataclass(frozen=True)
class PersonalizerConfig:
    """Everything under `personalizer`."""

    encoder: EncoderConfig = EncoderConfig()
    lm: LMConfig = LMConfig()
    hypernet: HypernetConfig = HypernetConfig()
    profiles: ProfilesConfig = ProfilesConfig()  # noqa: RUF009 - frozen, as the others
    server: ServerConfig = ServerConfig()
