"""Perplexities of n-grams and networks, and by how much they differ."""

from studies.tools import table

GRAMS = ("order", "smoothing", "discount", "validation", "test", "Kneser-Ney, validation", "test")


def compare(results: dict) -> str:
    """Markdown tables."""
    best = best_ngram(results)
    rival = f"{best['kind']} of order {best['order']}"
    pairs = zip(of_kind(results, "backoff"), of_kind(results, "Kneser-Ney"), strict=True)
    grams = table(GRAMS, [[*(one[n] for n in GRAMS[:5]), other["validation"], other["test"]] for one, other in pairs])
    header = ["network", "seed", "parameters", "best step", "perplexity, test"]
    header += [f"better than {rival} by, nats a character", f"half and half with {rival}: perplexity", "better by"]
    networks = table(header, [network_row(one) for one in results["networks"]])
    title = f"### Perplexities of n-grams, with smoothing and discount chosen, and of Kneser-Ney; best: {rival}"
    return f"{title}\n\n{grams}\n\n### Networks of 64 units\n\n{networks}"


def of_kind(results: dict, kind: str) -> list[dict]:
    """The n-grams with one smoothing, order by order."""
    return [one for one in results["ngrams"] if one["kind"] == kind]


def best_ngram(results: dict) -> dict:
    """The n-gram that validation prefers."""
    return min(results["ngrams"], key=lambda one: one["validation"])


def network_row(one: dict) -> list:
    """Cells of one network."""
    cells = [one[key] for key in ("kind", "seed", "parameters", "best_step", "test")]
    return [*cells, with_error(one["gain"]), one["mixed"], with_error(one["mixed_gain"])]


def with_error(gain: list[float]) -> str:
    """Mean and standard error."""
    return f"{gain[0]:.3f} ± {gain[1]:.3f}"
