"""The claims with their verdicts, and the numbers."""

from collections import Counter

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown: how many claims hold, the claims, the numbers."""
    claims = results["claims"]
    counted = Counter(row["verdict"] for row in claims)
    wrong = [figure["name"] for row in claims for figure in row["figures"] if not figure["right"]]
    first = ", ".join(f"{number} {verdict}" for verdict, number in counted.most_common())
    checked = f"not as expected: {', '.join(wrong)}" if wrong else "all numbers are as expected"
    verdicts = [[row["source"], plain(row["says"]), row["verdict"], plain(row["what_is_so"])] for row in claims]
    numbers = [
        [row["source"], plain(figure["name"]), f"{figure['measured']:.6g}", f"{figure['expected']:.6g}"]
        for row in claims
        for figure in row["figures"]
    ]
    return (
        f"{len(claims)} claims: {first}; {checked}.\n\n"
        + table(["source", "claim", "verdict", "what is so"], verdicts)
        + "\n\n"
        + table(["source", "number", "measured", "expected"], numbers)
    )


def plain(text: str) -> str:
    """Text that does not end a cell of a table."""
    return text.replace("|", "\\|")
