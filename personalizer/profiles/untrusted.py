"""Titles, brands and categories are written by strangers: data, never instructions.

What looks like an instruction is cut off together with all that follows it: a sentence that talks
to the reader is not part of a product's name, and neither is what comes after.
"""

import re
import unicodedata
from functools import lru_cache

__all__ = ["clean", "is_plain_name"]

LONGEST = 160
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Cn"}
# look-alikes, one character each, so that positions stay
_FOLD = str.maketrans(
    "013457@$"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0501\u04bb\u0458\u03bf\u03b1\u03b5\u03b9",
    "oieasta" + "s" + "aeopcyxisdhjoaei",
)
_SPACED = re.compile(r"\b(?:\w[ .*_-]){4,}\w\b")  # i g n o r e

_ABOVE = (
    r"(?:above|previous|prior|earlier|preceding|before|instruct\w*|rules?|prompts?|everything|"
    r"guidelines?|system|context|history|told|safety|this list|the list)"
)
_PERSON = r"(?:users?|customers?|shoppers?|persons?|buyers?|clients?|profiles?)"
_READER = r"(?:a\.?i\.?|assistants?|models?|llms?|chatbots?|bots?|gpt\w*)"
_PATTERNS = (
    # setting aside what was said
    rf"\b(?:ignore|disregard|forget|overlook|override|bypass|discard)"
    rf"(?:\b|(?=the|all|prev|every|any|above)).{{0,40}}?\b{_ABOVE}\b",
    r"\b(?:stop|instead)\b.{0,20}\b(?:above|list(?:ing)?|say|write|output|answer|reply)\b",
    r"\b(?:ignore[zr]|ignorier\w*|ignora\w*|oublie[zr]?|olvid\w*|vergiss|dimentica)\b.{0,50}"
    r"(?:instru\w*|anweisung\w*|pr[eé]c[eé]dent\w*|anterior\w*|oben|arriba|ci-dessus|precedent\w*)",
    r"(?:忽略|无视|無視|игнорируй|забудь|تجاهل|無効)",
    # other instructions, other roles
    r"\b(?:new|updated|real|actual|following|these|secret|hidden|your|my|additional)\s+"
    r"(?:instruction|task|rule|order|directive|objective|prompt|goal)s?\b",
    r"\byou(?:'re| are)\s+(?:now|no longer|an?\s+\w+\s*(?:bot|assistant|model|expert|pirate|ai))\b",
    r"\byou\s+(?:must|should|will|shall|have to|need to)\s+(?:now|not|only|always|never|reply|"
    r"respond|answer|say|act|pretend|describe|write|output|obey|follow|include|mention|tell|be)\b",
    r"\b(?:act|behave|respond|reply|answer|speak|pretend)\s+(?:as|like|only|in)\s+"
    r"(?:an?\b|if\b|you|the\b|only\b|yes|no\b|json|french|spanish|german|capital)",
    r"\bpretend\s+(?:to|that|you)\b",
    r"\b(?:jailbreak|developer mode|dan mode|do anything now|prompt injection|admin override)\b",
    r"(?:^|[\n.!?|\])\"'-])\s*(?:system|assistant|user|developer|human|instructions?|prompt|"
    rf"{_READER})\s*(?:prompt|message)?\s*:",
    rf"\b(?:important|attention|note|warning|message|hello|hey|dear)\b[,:]?\s*(?:(?:to|for)\s+)?"
    rf"(?:the\s+|all\s+)?{_READER}\b",
    r"\bas an?\s+(?:ai|language model|assistant)\b",
    # what to say
    r"\b(?:answer|response|reply|output)\s*:",
    r"\b(?:say|respond|reply|answer)\s+(?:that|with|only|exactly|the\s+\w+|yes|no|\"|'|:|hacked)",
    r"\b(?:output|print|return|repeat|write)\s+(?:only|exactly|the\s+(?:word|phrase|following|text|"
    r"prompt|system|above)|this|\"|'|hacked|a poem)",
    r"\b(?:reveal|leak|expose|show|print|repeat|tell me|give me)\b.{0,25}"
    r"\b(?:prompt|instructions?|system|secrets?|api key|password|credentials)\b",
    r"\b(?:choose|pick|select|prefer)\s+(?:option|answer|number|\[?\d\]?(?=\W|$)|"
    r"this\s+(?:one|item|product|option))",
    r"\b(?:always|never|only)\s+(?:recommend|answer|reply|respond|say|choose|describe|mention|list)",
    r"\brecommend\s+(?:only|this|nothing|always)\b",
    # claims about the person
    rf"\b(?:the|this|that|our)\s+{_PERSON}\s+(?:is|are|loves?|likes?|prefers?|wants?|hates?|only|"
    r"should|must|has|buys?|enjoys?|always|never|seems?|needs?|shall|will|be)\b",
    rf"\b(?:describe|label|classify|mark|treat|portray|summari[sz]e|set|change|rewrite)\s+"
    rf"(?:the\s+|this\s+|that\s+|every\s+)?{_PERSON}\b",
    # marks of prompts, pages and code
    r"<\s*[|/!?a-z]",
    r"\[/?(?:inst|sys|system|user|assistant|end)\b",
    r"#{2,}\s*\w",
    r"-{3,}|={3,}|`{3,}|\{\{|\{%|\$\{|\"{3}",
    r"\b(?:begin|end)\s+(?:of\s+)?(?:the\s+)?(?:system|prompt|instructions?|list|data|purchases|"
    r"input|context|titles?)\b",
    r"\b(?:https?:|www\.|javascript:)",
    r"\b[A-Za-z0-9+/]{40,}={0,2}",
)
_PROMPTISH = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.I | re.S)
# words that lead up to what was cut
_LEAD = re.compile(
    r"(?:(?:^|\b)(?:please|kindly|now|and|also|then|so|your|the|enable|enter|see|visit|go to|at)"
    r"\s*)+$",
    re.IGNORECASE,
)
_TRAILING = " \t\n|.,;:!?-([{\"'*~/\\"
_PLAIN = re.compile(r"[^\W\d_][\w .'&+!®™é-]{0,38}")


@lru_cache(maxsize=65_536)
def clean(text: str) -> str:
    """A title on one line, without invisible characters and without what talks to the reader."""
    text = unicodedata.normalize("NFKC", text)
    kept = (c if c == "\n" or unicodedata.category(c) not in _INVISIBLE else _gap(c) for c in text)
    text = "".join(kept)
    text = text[: _first_instruction(text)]
    text = " ".join(text.replace("<", " ").replace(">", " ").split())
    return text[:LONGEST].rstrip() if len(text) > LONGEST else text


def is_plain_name(text: str) -> bool:
    """Whether a brand or a category may be quoted as it stands: short, and made of words."""
    return bool(_PLAIN.fullmatch(text)) and len(text.split()) <= 5 and clean(text) == text


def _gap(character: str) -> str:
    return " " if character in "\t\r\v\f\x85" else ""


def _first_instruction(text: str) -> int:
    """Where the first thing begins that is meant for the reader; the end where there is none."""
    lowered = text.casefold() if len(text.casefold()) == len(text) else text.lower()
    folded = lowered.translate(_FOLD) if len(lowered) == len(text) else text
    hits = (_PROMPTISH.search(variant) for variant in (text, folded))
    starts = [len(text), *(hit.start() for hit in hits if hit)]
    if (found := _SPACED.search(text)) and _PROMPTISH.search(_closed_up(text)):
        starts.append(found.start())
    cut = min(starts)
    if cut == len(text):
        return cut
    return len(_LEAD.sub("", text[:cut].rstrip()).rstrip(_TRAILING))


def _closed_up(text: str) -> str:
    return _SPACED.sub(lambda found: re.sub(r"[ .*_-]", "", found.group()), text).lower()
