"""The language model, its hypernetwork and what they cost, for the scorers that use them."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from recsys.arrays import Floats, Ints
from recsys.catalogue import Catalogue
from recsys.pipeline.parts import Inputs, tastes_of
from recsys.settings import Settings
from recsys.tastes import Tastes

if TYPE_CHECKING:
    from personalizer.hypernet import HyperNetwork
    from personalizer.lm.load import LanguageModel
    from personalizer.scoring import TitleScorer

BATCH_TOKENS = 2048


@dataclass(frozen=True, eq=False)
class Personal:
    """The adapted model of a run; torch loads when it is first asked for."""

    inputs: Inputs
    catalogue: Catalogue
    settings: Settings

    @cached_property
    def lm(self) -> "LanguageModel":
        """The base model."""
        from recsys.pipeline.stages.models import language_model

        return language_model(self.inputs, self.settings)

    @cached_property
    def hypernet(self) -> "HyperNetwork":
        """The trained hypernetwork."""
        from recsys.pipeline.stages.models import hypernet_of

        return hypernet_of(self.inputs, self.lm, self.catalogue, self.settings)

    @cached_property
    def tastes(self) -> Tastes:
        """What it is told of shoppers."""
        return tastes_of(self.inputs, self.catalogue, self.settings)

    @cached_property
    def titles(self) -> "TitleScorer":
        """The model that reranks lists."""
        from personalizer.scoring import TitleScorer

        return TitleScorer(self.lm, self.hypernet, self.catalogue.titles)

    def adapted(self, vectors: Floats, items: Ints) -> Floats:
        """How much likelier each item is to her than to nobody in particular (N, K)."""
        return np.asarray(self.titles.score(np.asarray(vectors, np.float32), items), np.float32)

    def bare(self, items: Ints) -> Floats:
        """How likely each item's title is to the model as it is (N, K): each worked out once."""
        import torch

        from personalizer.lm.likelihood import Titles, batches_by_length

        asked, back = np.unique(items, return_inverse=True)
        titles = Titles.of(self.lm, [self.catalogue.titles[item] for item in asked])
        told = np.zeros(len(asked), np.float32)
        with self.lm.lock, torch.inference_mode():
            for rows in batches_by_length(titles.lengths + 1, BATCH_TOKENS):
                told[rows] = -titles.nll(self.lm, rows).float().cpu().numpy()
        return told[back].reshape(items.shape)
