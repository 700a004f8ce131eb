"""What a model's answer must not be. A rejected answer says why, in words that a log can carry."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from personalizer.profiles.generators.base import Answer, Request, Stage
from personalizer.profiles.history import History, Item
from personalizer.profiles.sensitive import Policy
from personalizer.profiles.untrusted import clean
from personalizer.profiles.words import word_set

__all__ = ["REASONS", "Catalogue", "Guard", "Reason"]

Reason = Literal[
    "empty", "refusal", "repeating", "truncated", "too long", "wrong language", "names the prompt",
    "a product never bought", "sensitive", "lists content",
]  # fmt: skip
REASONS: tuple[Reason, ...] = Reason.__args__  # type: ignore[attr-defined]

_REFUSAL = re.compile(
    r"\b(?:sorry|apologi[sz]e|cannot|can't|can not|unable to|as an? (?:ai|artificial|"
    r"language model|assistant)|not able to|don't have (?:access|enough|any)|"
    r"insufficient (?:data|information)|i (?:won't|will not|do not|don't))\b",
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"</?(?:purchases|texts)|\b(?:prompts?|instruct(?:ed|ions?)|system message|language model|"
    r"as requested|the (?:above|provided|given) (?:list|data|text|purchases|products|history|"
    r"information|context|categories)|(?:based on|according to|from) the (?:above|provided|given|"
    r"list)|you (?:asked|provided|gave)|product categories of|user history data|"
    r"output format|here (?:is|are) (?:the|a|your))\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"^\s*(?:[-*#>]|\d+[.)])\s", re.MULTILINE)
_ENGLISH = word_set("english")
_OTHERS = word_set("other_languages")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
# names of categories that are words of everyday speech
_EVERYDAY = word_set("everyday")


@dataclass(frozen=True)
class Catalogue:
    """What could be bought at all: a name from here must be in the history to be in a profile."""

    brands: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    @classmethod
    def of(cls, items: Collection[Item]) -> "Catalogue":
        """The brands and the narrow categories of a catalogue."""
        brands, categories = set(), set()
        for item in items:
            brands.add(item.brand.strip())
            categories |= {name.strip() for name in item.categories[2:] or item.categories[-1:]}
        told = frozenset(c for c in categories if _tellable(c, brand=False))
        # a brand that is called like a kind of product can't be told from it
        common = {stem for item in items for name in item.categories for stem in _stems(name)}
        own = (b for b in brands if _tellable(b, brand=True) and not common.issuperset(_stems(b)))
        return cls(frozenset(own), told)

    @cached_property
    def brand_words(self) -> dict[str, list[str]]:
        """Brands by their first word."""
        return _by_first(self.brands)

    @cached_property
    def category_stems(self) -> dict[str, list[tuple[str, ...]]]:
        """Categories, as stems, by the first of them."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for name in self.categories:
            stems = _stems(name)
            found.setdefault(stems[0], []).append(stems)
        return found


@dataclass(frozen=True)
class Guard:
    """Judges answers."""

    catalogue: Catalogue = field(default_factory=Catalogue)
    policy: Policy = field(default_factory=Policy)
    max_words: int = 90

    def judge(self, request: Request, answer: Answer) -> Reason | None:
        """Why an answer is rejected; None where it is not."""
        text = answer.text.strip()
        if not _WORD.search(text):
            return "empty"
        if _REFUSAL.search(text):
            return "refusal"
        form = self._form(text, answer, request.stage)
        return form or self._content(text, request)

    def _content(self, text: str, request: Request) -> Reason | None:
        if _PROMPT.search(text):
            return "names the prompt"
        if self.policy.in_text(text):
            return "sensitive"
        if request.task == "purchase" and self._invents(text, request):
            return "a product never bought"
        behaves = request.style == "behaviour" and request.stage == "profile"
        listing = behaves and (_MARKUP.search(text) or self._names_any(text))
        return "lists content" if listing else None

    def _form(self, text: str, answer: Answer, stage: Stage) -> Reason | None:
        words = _WORD.findall(text.lower())
        if _repeats(words, text):
            return "repeating"
        if _foreign(words, text, stage):
            return "wrong language"
        if answer.truncated or (stage == "profile" and text[-1] not in ".!?\"'”)"):
            return "truncated"
        if len(words) > self.max_words:
            return "too long"
        if stage == "digest" and max(len(_WORD.findall(p)) for p in re.split(r"[,;\n]", text)) > 25:
            return "too long"
        return None

    def _invents(self, text: str, request: Request) -> bool:
        """Whether a brand, a narrow category or a quoted title is named that was never bought."""
        known = _known(request.history, request.prompt)
        if any(brand.lower() not in known.text for brand in self._brands_in(text)):
            return True
        if any(not known.stems.issuperset(stems) for stems in self._categories_in(text)):
            return True
        quoted = re.findall(r"[\"“]([^\"“”]{6,})[\"”]", text)
        return any(
            " ".join(quote.lower().split()).rstrip(".,") not in known.text for quote in quoted
        )

    def _names_any(self, text: str) -> bool:
        return bool(self._brands_in(text)) or any(
            len(stems) > 1 for stems in self._categories_in(text)
        )

    def _brands_in(self, text: str) -> list[str]:
        """Brands of the catalogue, written as they are written there."""
        words = set(re.findall(r"[^\s,.;:()\"]+", text))
        may_be = (brand for word in words for brand in self.catalogue.brand_words.get(word, ()))
        return [each for each in may_be if re.search(rf"(?<!\w){re.escape(each)}(?!\w)", text)]

    def _categories_in(self, text: str) -> list[tuple[str, ...]]:
        stems = _stems(text)
        return [
            name
            for at, stem in enumerate(stems)
            for name in self.catalogue.category_stems.get(stem, ())
            if stems[at : at + len(name)] == name
        ]


@dataclass(frozen=True)
class _Known:
    text: str
    stems: frozenset[str]


def _known(history: History, prompt: str) -> _Known:
    """Everything that may be repeated: titles, brands, categories, and what was known before."""
    told = [prompt]
    for item in {bought.item for bought in history.purchases}:
        told += [clean(item.title), item.brand, *item.categories]
    text = " ".join(" ".join(told).lower().split())
    return _Known(text, frozenset(_stems(text)))


def _stems(text: str) -> tuple[str, ...]:
    return tuple(_stem(word) for word in _WORD.findall(text.lower()) if word != "and")


_PLURALS = (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"))


def _stem(word: str) -> str:
    """Singular and plural alike; crude on purpose, the same on both sides."""
    word = word.removesuffix("'s").removesuffix("\u2019s")
    for ending, instead in (
        ("ies", "y"),
        ("sses", "ss"),
        ("shes", "sh"),
        ("ches", "ch"),
        ("xes", "x"),
    ):
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    return word.removesuffix("s") if len(word) > 3 and not word.endswith("ss") else word


def _tellable(name: str, *, brand: bool) -> bool:
    words = _WORD.findall(name)
    if not words or (len(words) == 1 and (len(name) < 4 or name.lower() in _EVERYDAY)):
        return False
    if brand:
        return name[0].isupper() and not (len(words) == 1 and name.lower() in _ENGLISH)
    return len(words) > 1 or len(name) > 5


def _by_first(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(re.findall(r"[^\s,.;:()\"]+", name)[0], []).append(name)
    return found


def _repeats(words: Sequence[str], text: str) -> bool:
    sentences = [s.strip().lower() for s in re.split(r"[.!?\n]", text) if len(s.split()) > 3]
    if len(set(sentences)) < len(sentences):
        return True
    fours = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    if fours and fours.most_common(1)[0][1] >= 3:
        return True
    parts = [part.strip().lower() for part in text.split(",") if part.strip()]
    if len(parts) >= 4 and Counter(parts).most_common(1)[0][1] >= 3:
        return True
    return len(words) >= 12 and len(set(words)) / len(words) < 0.35


def _foreign(words: Sequence[str], text: str, stage: Stage) -> bool:
    letters = [c for c in text if c.isalpha()]
    if sum(1 for c in letters if ord(c) > 0x24F) > 0.1 * len(letters):
        return True
    english = sum(word in _ENGLISH for word in words)
    others = sum(word in _OTHERS for word in words)
    if stage == "digest":  # a list of names: "eau de parfum" is English enough
        return others > 0.35 * len(words)
    return others > max(2, english) or (len(words) >= 8 and english / len(words) < 0.1)
