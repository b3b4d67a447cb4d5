"""The measured beside the known."""

from studies.tools import table

# Mean and standard error, of an independent program.
KNOWN = ((0.1695, 3e-4), (-0.3852, 4e-4), (-1.6765, 8e-4), (-4.6216, 13e-4))
KNOWN_DIMENSION = (1.440, 1e-3)
HIDDEN_ALONE = {"transposed": "h alone, transposed", "plain": "h alone"}


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    spectrum = results["spectrum"]
    title = f"The chaotic LSTM: nats a step, {spectrum['trajectories']} initial states, {spectrum['steps']} steps each"
    parts = [
        (title, spectrum_rows(spectrum)),
        ("h alone, with c held, nats a step", hidden_rows(results["hidden_alone"], spectrum)),
        ("Where rest ends: gain of Gaussian weights", threshold_rows(results["thresholds"])),
    ]
    defect = f"Sum of the exponents less the mean of log abs det J, at most: {spectrum['sum_rule_defect']:.1e}."
    status = "Every run has the status 0." if spectrum["all_fine"] else "SOME RUNS HAVE A STATUS OTHER THAN 0."
    return "\n\n".join([*(f"### {title}\n\n{table(*rows)}" for title, rows in parts), f"{defect} {status}"])


def spectrum_rows(spectrum):
    header = ["", "measured", "stderr by starts", "by blocks", "independent program", "its stderr", "apart, in stderrs"]
    exponents = zip(*spectrum["exponent"].values(), KNOWN, strict=True)
    rows = [row(f"lambda {i}", *case) for i, case in enumerate(exponents, 1)]
    rows.append(row("dimension", *spectrum["dimension"].values(), KNOWN_DIMENSION))
    return header, rows


def row(name, mean, stderr, blocks, known):
    value, error = known
    numbers = (f"{v:.4f}" for v in (mean, stderr, blocks, value, error))
    return [name, *numbers, f"{(mean - value) / (stderr**2 + error**2) ** 0.5:.1f}"]


def hidden_rows(hidden, spectrum):
    cases = {HIDDEN_ALONE[name]: values for name, values in hidden.items()} | {
        "whole state": spectrum["exponent"]["mean"]
    }
    return ["", "lambda 1", "lambda 2"], [[name, *(f"{v:.3f}" for v in values[:2])] for name, values in cases.items()]


def threshold_rows(cases):
    rows = []
    for case in cases:
        biases = ", ".join(f"{name} = {value:g}" for name, value in case["biases"].items())
        rows.append([case["cell"], biases, f"{case['theory']:.4f}", f"{case['measured']:.4f}", case["units"]])
    return ["cell", "biases", "theory, many units", "one network", "units"], rows
