"""Settings of the profiles."""

from dataclasses import dataclass
from typing import Literal

from personalizer.setting import setting

__all__ = ["ProfilesConfig"]


@dataclass(frozen=True)
class ProfilesConfig:
    """What a shopper is like, in words: who writes it, how, and at what cost."""

    generator: Literal["template", "openai", "transformers"] = setting(
        "template",
        "who writes: template (no model), openai (any server that speaks its HTTP interface) or "
        "transformers (a model in process)",
    )
    style: Literal["guided", "unguided", "behaviour"] = setting(
        "guided",
        "guided: categories first, then what the shopper buys; unguided: the latter alone; "
        "behaviour: how the shopper decides, with no content named",
    )
    model: str = setting("", "openai: the model's name there; transformers: a folder or a name")
    url: str = setting("http://127.0.0.1:8000/v1", "openai: where the server's interface begins")
    key_variable: str = setting(
        "OPENAI_API_KEY", "openai: environment variable that holds the key; may be unset"
    )
    device: str = setting("cpu", "transformers: cpu or cuda")
    dtype: str = setting("float32", "transformers: float32, bfloat16 or float16")
    batch_tokens: int = setting(8192, "transformers: tokens per batch, padding included")
    concurrency: int = setting(8, "openai: requests under way at once")
    timeout_seconds: float = setting(30.0, "openai: longest that one try may take, to its end")
    tries: int = setting(4, "openai: tries per request, with growing pauses; Retry-After is kept")
    longest_pause_seconds: float = setting(30.0, "openai: longest pause between two tries")
    max_new_tokens: int = setting(100, "longest answer, in tokens")
    temperature: float = setting(0.0, "openai: 0 is greedy, as in the paper")
    max_words: int = setting(90, "a longer profile is rejected")
    batch: int = setting(256, "shoppers per batch: a kill loses at most one")
    min_purchases: int = setting(
        3, "with fewer, a shopper gets the profile of the nearest group of shoppers"
    )
    update_up_to: int = setting(
        3,
        "with at most this many new purchases a model carries the old profile on; 0: always afresh",
    )
    most_personas: int = setting(12, "groups of shoppers at most; how many, the silhouette decides")
    budget_calls: int = setting(0, "requests per run; the rest waits for the next run; 0: no limit")
    budget_tokens: int = setting(0, "tokens per run, read and written; 0: no limit")
    budget_seconds: float = setting(0.0, "seconds of writing per run; 0: no limit")
    allow_sensitive: tuple[str, ...] = setting(
        (),
        "what profiles may tell nevertheless: health, religion, orientation, pregnancy, minors, "
        "ethnicity, politics",
    )
    embed: bool = setting(True, "embed profiles by the text encoder, for the feature store")
    instruct: Literal["auto", "always", "never"] = setting(
        "auto",
        "put the paper's instruction before a profile to embed; auto: for encoders that follow "
        "instructions, told by their name",
    )
