"""How likely answers are: catalogue titles, options by their labels, candidates by their text.

Never by reading generated prose.
"""

from personalizer.scoring.candidates import CandidateScorer
from personalizer.scoring.generate import generate
from personalizer.scoring.options import label_tokens, score_options
from personalizer.scoring.titles import TitleScorer

__all__ = ["CandidateScorer", "TitleScorer", "generate", "label_tokens", "score_options"]
