"""Tweets and comments: what stands out in how a person writes, by counting."""

import re
from collections.abc import Callable, Sequence

from personalizer.profiles.sensitive import Policy
from personalizer.profiles.untrusted import clean

__all__ = ["answer"]


def _reads(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_WORD = re.compile(r"[A-Za-z']+")
_ABBREVIATION = re.compile(
    r"\b(?:lol|omg|idk|btw|u|ur|r|thx|pls|plz|imo|imho|brb|fb|w/|b4|gr8|wrkin|luv|fav|rec|dm|tbh|"
    r"smh|ppl|bc|cuz|gonna|wanna|ttyl|fr|rn|lmao|yr|wk)\b|\bw/",
    re.IGNORECASE,
)
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]|[:;=8]-?[)(DPp/]|<3|XOXO", re.IGNORECASE)
_PUNCTUATION = re.compile(r"([!?.])\1+|\.{2,}|!|\?")
_PROFILE = {
    "Capitalization": "writes whole words in capitals to stress feelings and actions",
    "Emoji": "puts emoji and emoticons where others would put words",
    "Abbreviation": "shortens words and phrases freely, in a quick and casual tone",
    "Punctuation": "lets punctuation carry the tone, with repeated marks and trailing dots",
}
# what an ordinary writer does per hundred words: the most distinctive stands furthest above it
_USUAL = {"Capitalization": 2.0, "Emoji": 1.0, "Abbreviation": 2.5, "Punctuation": 7.0}
_LIKES = _reads(r"\bi (?:really )?(?:love|like|enjoy|adore) ((?:[a-z]+ ?){1,3})")
_LIVES = re.compile(r"\b(?:live in|living in|[Ii]'?m from|moved to) ([A-Z]\w+(?: [A-Z]\w+)?)")
_PETS = _reads(r"\bmy (dogs?|cats?|puppy|kitten|rabbit|hamster|parrot|horse|fish)\b")
_OWNS = _reads(r"\bmy (phone|laptop|car|bike|guitar|camera|house|computer|tv|truck|boat|garden)\b")
_FAMILY = _reads(r"\bmy (sister|brother|family|uncle|aunt|cousin|grandm\w+|grandf\w+)\b")
_PARTNER = _reads(r"\bmy (partner|spouse|fianc\w+|husband|wife|boyfriend|girlfriend)\b")


def answer(task: str, stage: str, texts: Sequence[str], policy: Policy) -> str:
    """A digestion or a profile of what a person wrote."""
    kept = [clean(text) for text in texts]
    if task == "tweet":
        aspect = _most_distinctive(kept)
        if stage == "digest":
            return f"The most distinctive feature of the above tweets is the usage of {aspect}."
        return f"This person {_PROFILE[aspect]}."
    known = _known(kept, policy)
    if stage == "digest":
        return "; ".join(f"{name}: {said}" for name, said in known.items()) or "nothing is told"
    return _talk(kept, known)


def _most_distinctive(texts: Sequence[str]) -> str:
    joined = " ".join(texts)
    words = _WORD.findall(joined)
    loud = sum(1 for word in words if len(word) > 2 and word.isupper())
    found = {
        "Capitalization": loud,
        "Emoji": len(_EMOJI.findall(joined)),
        "Abbreviation": len(_ABBREVIATION.findall(joined)),
        "Punctuation": sum(len(m.group()) for m in _PUNCTUATION.finditer(joined)),
    }
    per_hundred = {name: 100 * count / max(1, len(words)) for name, count in found.items()}
    return max(per_hundred, key=lambda name: per_hundred[name] / _USUAL[name])


def _known(texts: Sequence[str], policy: Policy) -> dict[str, str]:
    """The aspects of the paper that the person tells plainly; what may not be told is left out."""
    joined = " ".join(texts)
    reads: dict[str, re.Pattern[str]] = {
        "pets": _PETS, "family": _FAMILY, "residence": _LIVES, "favorites": _LIKES,
        "partner": _PARTNER, "possessions": _OWNS,
    }  # fmt: skip
    found = {}
    for name, pattern in reads.items():
        said = list(dict.fromkeys(each.strip().lower() for each in pattern.findall(joined)))[:3]
        said = [each for each in said if not policy.in_text(each)]
        if said:
            found[name] = ", ".join(said)
    return found


def _talk(texts: Sequence[str], known: dict[str, str]) -> str:
    joined = " ".join(texts)
    words = max(1, len(_WORD.findall(joined)))
    habits: list[tuple[Callable[[], bool], str]] = [
        (lambda: words / max(1, len(texts)) < 12, "keeps comments short"),
        (lambda: words / max(1, len(texts)) > 40, "writes at length"),
        (lambda: joined.count("?") / max(1, len(texts)) >= 0.3, "asks questions back"),
        (lambda: joined.count("!") / max(1, len(texts)) >= 0.3, "sounds enthusiastic"),
        (lambda: " you " in f" {joined.lower()} ", "speaks to the other person directly"),
    ]
    told = [text for holds, text in habits if holds()] or ["comments in a plain tone"]
    favourites = f" Favourites told so far: {known['favorites']}." if "favorites" in known else ""
    return f"This person {' and '.join(told[:3])}.{favourites}"
