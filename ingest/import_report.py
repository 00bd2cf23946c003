"""What became of imported files, for people and for machines."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of a file.

    Attributes
    ----------
    topic : str
        Of its rows in the store: `import:` and the file's hash.
    rows : int
        Rows that the file has, as far as it was read.
    written, rejected, skipped : int
        Calls put into the store now (a row of OpenTelemetry may hold several); rows put into the dead letters now; rows of
        which both was done by an earlier import.
    reasons : dict of str to int
        The rejected ones by reason.
    problem : str
        Why the file was not read, or not to its end; empty: all went well.
    """

    path: str
    topic: str
    rows: int
    written: int
    rejected: int
    skipped: int
    reasons: dict[str, int] = field(default_factory=dict)
    problem: str = ""

    def line(self) -> str:
        """One line for people."""
        if self.problem:
            return f"{self.path}: {self.problem}"
        if not self.written and not self.rejected:
            return f"{self.path}: nothing written, its {self.skipped:,} rows were imported before"
        parts = [f"{self.written:,} rows imported"]
        if self.skipped:
            parts.append(f"{self.skipped:,} imported before")
        if self.rejected:
            why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(self.reasons.items()))
            parts.append(f"{self.rejected:,} cannot be read ({why}) and are kept as dead letters")
        return f"{self.path}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of all files, in their order."""

    files: tuple[FileReport, ...]

    @property
    def written(self) -> int:
        return sum(one.written for one in self.files)

    @property
    def rejected(self) -> int:
        return sum(one.rejected for one in self.files)

    @property
    def skipped(self) -> int:
        return sum(one.skipped for one in self.files)

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each file that was not read, or not to its end."""
        return tuple(one.line() for one in self.files if one.problem)

    def lines(self) -> tuple[str, ...]:
        """A line for each file."""
        return tuple(one.line() for one in self.files)
