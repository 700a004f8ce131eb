"""The language model in a service: a deadline, a breaker, and one thread that runs it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from recsys.arrays import Floats, Ints
from recsys.catalogue import Catalogue
from recsys.errors import RerankerError
from recsys.ladder import Why
from recsys.pipeline.parts import Inputs
from recsys.rerank import Reranker
from recsys.rerank_http import HttpReranker
from recsys.service.breaker import Breaker
from recsys.settings import Settings


class _NotAnsweredError(RerankerError):
    """The model was too slow, or was not even asked."""

    def __init__(self, what: str, why: Why) -> None:
        super().__init__(what, where="language model")
        self.why = why


class Guarded:
    """Asks a reranker, and waits no longer than agreed; who comes too late is not worked on."""

    def __init__(self, reranker: Reranker, seconds: float, breaker: Breaker, threads: int) -> None:
        self._reranker, self._seconds, self.breaker = reranker, seconds, breaker
        self._pool = ThreadPoolExecutor(threads, "tailor-reranker")

    def score(self, user_vectors: Floats, items: Ints) -> Floats:
        """Scores (U, K) of items (U, K) for taste vectors (U, D), or an error that says why not."""
        if not self.breaker.allows():
            raise _NotAnsweredError("it failed often lately", Why.RERANKER_RESTS)
        asked = self._pool.submit(self._reranker.score, user_vectors, items)
        try:
            told = asked.result(self._seconds)
        except TimeoutError as error:
            asked.cancel()
            self.breaker.failed()
            raise _NotAnsweredError(
                f"no answer within {self._seconds * 1_000:.0f} ms", Why.RERANKER_SLOW
            ) from error
        except Exception:
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        return told

    def close(self) -> None:
        """Take nothing new."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def guarded_reranker(inputs: Inputs, catalogue: Catalogue, settings: Settings) -> Guarded:
    """The language model of a release: over HTTP where a server is set, else in this process.

    A server need not be there yet: until it answers, lists are made without it.
    """
    service, server = settings.service, settings.personalizer.server
    seconds, breaker = service.deadlines.rerank_ms / 1_000, Breaker(service.breaker)
    if server.url:
        far = HttpReranker(
            server.url,
            catalogue.titles,
            hypernet=inputs["hypernet"].version,
            timeout=seconds,
        )
        return Guarded(far, seconds, breaker, service.threads)
    from recsys.pipeline.stages.models import reranker_of

    here = replace(settings.personalizer, server=replace(server, url=""))
    near = reranker_of(inputs, catalogue, settings.model_copy(update={"personalizer": here}))
    return Guarded(near, seconds, breaker, 1)
