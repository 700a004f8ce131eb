"""Ways of personalising a language model, all behind one interface; a member registers itself."""

from personalizer.methods import by_peft, p2p, prefix, prompted
from personalizer.methods.base import Lesson, Method, MethodSettings, Question, method, methods

__all__ = [
    "Lesson",
    "Method",
    "MethodSettings",
    "Question",
    "by_peft",
    "method",
    "methods",
    "p2p",
    "prefix",
    "prompted",
]
