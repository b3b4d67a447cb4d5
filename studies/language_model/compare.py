"""Perplexities of n-grams and networks, and by how much they differ."""

from studies.tools import table

GRAMS = {
    "order": "order",
    "smoothing": "smoothing",
    "discount": "discount",
    "validation": "perplexity, validation",
    "test": "perplexity, test",
}


def compare(results: dict) -> str:
    """Markdown tables."""
    rival = f"order {best_ngram(results)['order']}"
    grams = table(list(GRAMS.values()), [[one[key] for key in GRAMS] for one in results["ngrams"]])
    header = ["network", "seed", "parameters", "best step", "perplexity, test"]
    header += [f"better than {rival} by, nats a character", f"half and half with {rival}: perplexity", "better by"]
    networks = table(header, [network_row(one) for one in results["networks"]])
    return f"### n-grams with backoff; validation prefers {rival}\n\n{grams}\n\n### Networks of 64 units\n\n{networks}"


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
