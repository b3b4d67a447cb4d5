"""The form of a claim and of what was measured of it."""

from typing import NamedTuple

HOLDS, CONDITION, FALSE = "holds", "under a condition", "false"


class Figure(NamedTuple):
    """One number that the verdict rests on."""

    name: str
    measured: float
    expected: float
    tolerance: float = 1e-9

    @property
    def right(self) -> bool:
        """Whether the measured number is the expected one."""
        return abs(self.measured - self.expected) <= self.tolerance * max(1.0, abs(self.expected))


def claim(source: str, says: str, verdict: str, what_is_so: str, *figures: Figure) -> dict:
    """One row of the study, as plain values.

    Parameters
    ----------
    source
        Document and section.
    says
        The claim, in short.
    verdict
        `HOLDS`, `CONDITION` or `FALSE`.
    what_is_so
        The condition, or the counterexample.
    figures
        The numbers.

    Returns
    -------
    dict
        Strings, and a list of figures, each with whether it is right.
    """
    rows = [figure._asdict() | {"right": bool(figure.right)} for figure in figures]
    return {"source": source, "says": says, "verdict": verdict, "what_is_so": what_is_so, "figures": rows}
