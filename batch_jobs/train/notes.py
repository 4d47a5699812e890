"""Decisions that were made for the user: shown as they are made, and kept for the card."""

from dataclasses import dataclass, field

from batch_jobs.runtime.reporting import Reporter


@dataclass(frozen=True, slots=True)
class Notes:
    """Callable like `Reporter.message`; remembers what it was told, each text once."""

    reporter: Reporter
    texts: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> None:
        if text not in self.texts:
            self.texts.append(text)
            self.reporter.message(text)
