"""One run of the profiles: who is due, in batches, within the budget; failures are dead letters."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import Engine

from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.history import History
from personalizer.profiles.profiler import Before, Made, Profiler, Subject
from recsys.profiles.state import Kept, State
from recsys.results import failures, record_failures, settle

__all__ = ["PERSONA", "USER", "Job", "Outcome", "signature_of"]

USER, PERSONA = "user", "persona"
# so many failures without a success between: the generator is gone, the rest waits
_GONE_AFTER = 8
_CALLS_EACH = 4  # digestion and profile, each asked for again at worst

Progress = Callable[[int, int], None]


@dataclass
class Outcome:
    """What a run did."""

    shoppers: int = 0
    unchanged: int = 0
    written: int = 0
    updated: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    personas: int = 0
    by_template: int = 0
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stopped: str = ""
    rejected: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """For a manifest and for JSON."""
        return asdict(self)


def signature_of(history: History, profiler: Profiler) -> str:
    """All that a profile depends on: the same signature, the same profile."""
    policy = sorted(profiler.guard.policy.allow)
    content = [
        history.digest,
        profiler.generator.version,
        profiler.prompt_version,
        profiler.style,
        policy,
        profiler.guard.max_words,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


class Job:
    """Writes what is due and keeps it."""

    def __init__(
        self, profiler: Profiler, state: State, engine: Engine, config: ProfilesConfig
    ) -> None:
        self.profiler, self.state, self.engine, self.config = profiler, state, engine, config
        self._began = time.monotonic()

    def run(
        self, due_from: Sequence[History], level: str = USER, progress: Progress | None = None
    ) -> Outcome:
        """Write the profiles that are due among these, newest purchases first."""
        outcome = Outcome(shoppers=len(due_from))
        due = self._due(due_from, level, outcome)
        in_a_row, done = 0, 0
        while done < len(due) and not outcome.stopped:
            size = self._affordable(outcome)
            if not size:
                break
            batch = due[done : done + size]
            done += len(batch)
            subjects = [self._subject(history, level) for history in batch]
            made = self.profiler.write(subjects)
            carried = zip(subjects, made, strict=True)
            outcome.updated += sum(s.before is not None and not m.error for s, m in carried)
            self._keep(batch, made, level, outcome)
            in_a_row = in_a_row + len(batch) if all(each.error for each in made) else 0
            if in_a_row >= _GONE_AFTER:
                outcome.stopped = f"the generator is gone: {made[-1].error}"
            if progress:
                progress(done, len(due))
        outcome.waiting = len(due) - done + outcome.failed
        self._sum_up(outcome)
        return outcome

    def _due(self, histories: Sequence[History], level: str, outcome: Outcome) -> list[History]:
        """Who needs writing: changed, or failed and not given up."""
        standing = self.state.signatures(level)
        wait = failures(self.engine) if level == USER else {}
        due: list[History] = []
        owing = set(wait)  # failures that nobody is due for
        for history in histories:
            if standing.get(history.user_id) == signature_of(history, self.profiler):
                outcome.unchanged += 1
                continue
            owing.discard(history.user_id)
            if self._dead(wait.get(history.user_id), history):
                outcome.dead += 1
            else:
                due.append(history)
        if owing:  # written, but killed before it was noted; or no longer a shopper to write of
            settle(self.engine, owing)
        return sorted(due, key=lambda each: (-each.last_seconds, _hash(each.digest)))

    @staticmethod
    def _dead(failure: object, history: History) -> bool:
        return (
            failure is not None
            and getattr(failure, "dead", False)
            and getattr(failure, "history_hash", "") == history.digest
        )

    def _affordable(self, outcome: Outcome) -> int:
        """How many shoppers the rest of the budget pays for; at most a batch."""
        config, usage = self.config, self.profiler.usage
        spent = time.monotonic() - self._began
        if config.budget_seconds and spent >= config.budget_seconds:
            outcome.stopped = f"the budget of {config.budget_seconds:g} seconds is spent"
        elif config.budget_tokens and usage.tokens >= config.budget_tokens:
            outcome.stopped = f"the budget of {config.budget_tokens} tokens is spent"
        elif config.budget_calls:
            left = config.budget_calls - usage.calls
            if left < _CALLS_EACH:
                outcome.stopped = f"the budget of {config.budget_calls} calls is spent"
                return 0
            sure = left // (_CALLS_EACH * self.profiler.generator.tries)
            return min(config.batch, max(1, sure))
        return 0 if outcome.stopped else config.batch

    def _subject(self, history: History, level: str) -> Subject:
        """With the old profile, where a model is to carry it on."""
        most = self.config.update_up_to
        if self.profiler.generator.trusted or not most or level != USER:
            return Subject(history)
        kept = self.state.get(level, [history.user_id]).get(history.user_id)
        if kept is None or not self._carries_on(kept):
            return Subject(history)
        seen = kept.seen_in(history)
        if seen is None or not 0 < len(history.purchases) - seen <= most:
            return Subject(history)
        return Subject(history, Before(kept.guidance, kept.profile, seen))

    def _carries_on(self, kept: Kept) -> bool:
        """Whether a profile was written by this very generator, with these prompts."""
        return (kept.generator, kept.prompt_version, kept.style) == (
            self.profiler.generator.version,
            self.profiler.prompt_version,
            self.profiler.style,
        )

    def _keep(
        self, batch: Sequence[History], made: Sequence[Made], level: str, outcome: Outcome
    ) -> None:
        pairs = list(zip(batch, made, strict=True))
        kept = [self._kept(history, one, level) for history, one in pairs if not one.error]
        self.state.put(kept)
        failed = {h.user_id: one.error for h, one in pairs if one.error}
        if level == USER:
            settle(self.engine, [row.user_id for row in kept])
            hashes = {history.user_id: history.digest for history in batch}
            if failed:
                record_failures(self.engine, failed, hashes, self.profiler.generator.version)
        outcome.written += len(kept)
        outcome.failed += len(failed)
        outcome.by_template += sum(row.generator != self.profiler.generator.version for row in kept)

    def _kept(self, history: History, made: Made, level: str) -> Kept:
        return Kept(
            level=level,
            user_id=history.user_id,
            signature=signature_of(history, self.profiler),
            history_hash=history.digest,
            items=tuple(bought.item.item_id for bought in history.purchases),
            times=tuple(bought.seconds for bought in history.purchases),
            guidance=made.guidance,
            profile=made.profile,
            generator=made.generator,
            prompt_version=self.profiler.prompt_version,
            style=self.profiler.style,
            rejected=made.rejected,
            written_at=datetime.now(UTC).isoformat(),
        )

    def _sum_up(self, outcome: Outcome) -> None:
        usage = self.profiler.usage
        outcome.calls, outcome.tokens = usage.calls, usage.tokens
        outcome.rejected = dict(sorted(usage.rejected.items()))
        outcome.seconds = round(time.monotonic() - self._began, 2)


def named(histories: Sequence[History], prefix: str) -> Iterator[History]:
    """Pooled histories under names that follow from what they hold."""
    for history in histories:
        yield replace(history, user_id=f"{prefix}{history.digest[:16]}")


def joined(outcome: Outcome, personas: Outcome) -> Outcome:
    """One account of the shoppers and of the groups."""
    return replace(
        outcome,
        personas=personas.shoppers,
        waiting=outcome.waiting + personas.waiting,
        failed=outcome.failed + personas.failed,
        calls=personas.calls,
        tokens=personas.tokens,
        seconds=personas.seconds,
        rejected=personas.rejected,
        stopped=outcome.stopped or personas.stopped,
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
