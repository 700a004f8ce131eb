"""The adapted language model of the live release: for the server, for exports, for a look."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from recsys.arrays import Floats
from recsys.artifacts import Artifact
from recsys.catalogue import Catalogue
from recsys.errors import TailorError, extra
from recsys.pipeline.parts import catalogue_of, shoppers_at, tastes_of
from recsys.pipeline.stages.models import hypernet_of, language_model
from recsys.published import Published
from recsys.settings import Settings
from recsys.shoppers import Shoppers

with extra("llm"):
    from personalizer.adapters import AdapterStore, Shopper
    from personalizer.cache import CachedEncoder
    from personalizer.encoder import TextEncoder
    from personalizer.export import export_fleet
    from personalizer.lm.load import LanguageModel
    from personalizer.server.engine import Engine

_ID = ":"


@dataclass(frozen=True, eq=False)
class Personal:
    """Model, hypernetwork and shoppers that belong together."""

    inputs: Mapping[str, Artifact]
    catalogue: Catalogue
    shoppers: Shoppers
    embeddings: Floats  # (U, D) what the hypernetwork is told of them
    lm: LanguageModel
    store: AdapterStore
    settings: Settings

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the live release."""
        inputs = dict(Published.open(settings).artifacts)
        catalogue = catalogue_of(inputs)
        lm = language_model(inputs, settings)
        network = hypernet_of(inputs, lm, catalogue, settings)
        most = settings.personalizer.server.cache_mib << 20
        shoppers = shoppers_at(inputs, "serve", catalogue)
        return cls(
            inputs,
            catalogue,
            shoppers,
            tastes_of(inputs, catalogue, settings).of(shoppers),
            lm,
            AdapterStore(network, inputs["hypernet"].version, most_bytes=most),
            settings,
        )

    @property
    def base(self) -> str:
        """The base model: its folder where it was trained here, else its name."""
        name = self.settings.personalizer.lm.name
        return str(self.inputs["lm"].path) if name == "tiny" else name

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {str(user): row for row, user in enumerate(self.shoppers.user_ids)}

    def known(self, user_ids: Sequence[str]) -> dict[str, Shopper]:
        """Those of some shoppers that the release knows."""
        rows = {user: self._rows[user] for user in user_ids if user in self._rows}
        return {user: self._shopper(user, row) for user, row in rows.items()}

    def _shopper(self, user: str, row: int) -> Shopper:
        """A shopper with the lineage of her embedding: any new purchase changes it."""
        items = "\0".join(self.catalogue.item_ids[item] for item in self.shoppers.history(row))
        history = hashlib.sha256(items.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        lineage = _ID.join((self.inputs["embeddings"].version, history))
        return Shopper(user, np.asarray(self.embeddings[row], np.float32), lineage)

    def export(self, user_ids: Sequence[str], out: Path) -> list[str]:
        """Write adapters of shoppers as folders of PEFT, with what servers need to load them."""
        known = self.known(user_ids)
        if missing := [user for user in user_ids if user not in known]:
            raise TailorError(
                f"nothing is known of {missing[0]!r}",
                where="tailor personalizer",
                fix="`tailor personalizer fleet` exports all shoppers of the live release",
            )
        adapted = self.store.hypernet.attach(self.lm.model)
        shoppers = [known[user] for user in user_ids]
        return export_fleet(shoppers, self.store, adapted=adapted, base=self.base, out=out)

    def everybody(self) -> list[str]:
        """All shoppers with an embedding, by id."""
        some = np.any(self.embeddings, axis=1)
        return sorted(str(user) for user in self.shoppers.user_ids[some])

    def engine(self) -> Engine:
        """Everything the model server runs."""
        config = self.settings.personalizer
        encoder = CachedEncoder(
            TextEncoder(config.encoder), self.settings.home / "cache" / "embeddings.sqlite"
        )
        in_words = self.store.hypernet.config.embedding == "text"
        same = in_words and encoder.version == self.catalogue.encoder
        return Engine(
            self.lm,
            self.store,
            name=f"{config.lm.name}@{self.inputs['lm'].version}",
            directory=self.known,
            # an encoder that did not make all of the shoppers' vectors would speak another language
            encode=encoder.encode if same else None,
            folder=Path(config.server.folder) if config.server.folder else None,
        )
