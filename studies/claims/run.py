"""The measurements of the study."""

from studies.claims import equivalences, gradients, stability


def run(quick: bool) -> dict:
    """All claims with their figures; `quick` changes nothing, for all of it takes seconds."""
    rows = [row for part in (equivalences, gradients, stability) for row in part.claims()]
    return {
        "claims": sorted(rows, key=lambda row: row["source"]),
        "curves": {"rule": stability.curves(), "bound": gradients.curves()},
    }
