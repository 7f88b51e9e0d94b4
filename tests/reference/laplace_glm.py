#!/usr/bin/env python3
"""Reference: a Gaussian belief about a Poisson GLM, its best stimulus under a power constraint, and the large-sample limit.

    build/venv-test/bin/python tests/reference/laplace_glm.py     writes laplace_glm.json

Everything is found without the formulas an engine would use: the update by Newton's method on the full log posterior, the best
stimulus by trying angles, expectations by fine quadrature. Small case: mu = (1, 0.5), C = diag(1, 0.25), ||x|| <= 1, one bin.

    r ~ Poisson(f(theta . s)),   f = exp or softplus
    Laplace information   1/2 E log(1 + sigma2 exp(rho)),  rho ~ N(x . mu, sigma2),  sigma2 = x' C x
    first order           sigma2 exp(x . mu + sigma2 / 2)
    mutual information    I(rho; r)

Large-sample limit (f = exp, k = gain): the determinant of the Fisher information per trial is largest when every stimulus has the
same cosine alpha to theta, isotropic otherwise; random stimuli are uniform on the sphere. Information in nats.
"""

from __future__ import annotations

import datetime
import json
import math
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

RESULT = Path(__file__).with_name("laplace_glm.json")
MEAN = np.array([1.0, 0.5])
COVARIANCE = np.diag([1.0, 0.25])
STIMULUS = np.array([0.8, 0.6])
DIMENSIONS = (16, 64, 100, 400)
GAINS = (1, 2, 3, 4, 5)
NUM_TRIALS = 20_000

# Found before by another program, to the digits given.
KNOWN_UPDATES = {3: ([0.99895588, 0.49980423], [0.39803706, -0.11286805, 0.22883724]),
                 0: ([0.01854610, 0.31597739], [0.58579195, -0.07766401, 0.23543800])}
KNOWN_FIRST_ORDER = ([0.988372, 0.152057], 4.65637204)
KNOWN_LAPLACE = ([0.983235, 0.182345], 0.71956438)
KNOWN_MUTUAL_INFORMATION = 0.7288
KNOWN_GAPS = {1: 2.75, 2: 6.73, 3: 11.21, 4: 15.79}   # half log determinant, d = 16, NUM_TRIALS trials and the prior
KNOWN_ALPHAS = {1: 0.430, 2: 0.625, 3: 0.725, 4: 0.784, 5: 0.822}   # d = 100


def check(name: str, found: object, wanted: object, tolerance: float) -> None:
    worst = float(np.max(np.abs(np.subtract(found, wanted))))
    assert worst <= tolerance, f"{name}: must be {wanted} (got {found})."


def link(rho: float, name: str) -> tuple[float, float, float]:
    """Rate and its first two derivatives."""
    if name == "exp":
        return math.exp(rho), math.exp(rho), math.exp(rho)
    logistic = 1 / (1 + math.exp(-rho))
    return math.log1p(math.exp(rho)), logistic, logistic * (1 - logistic)


def laplace_update(count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mode of the log posterior and the inverse of its negative Hessian there, by Newton's method in both dimensions."""
    precision = np.linalg.inv(COVARIANCE)
    theta = MEAN.copy()
    for _ in range(200):
        rate, slope, bend = link(float(STIMULUS @ theta), name)
        gradient = (count / rate - 1) * slope * STIMULUS - precision @ (theta - MEAN)
        curvature = (count * (slope / rate) ** 2 - (count / rate - 1) * bend) * np.outer(STIMULUS, STIMULUS) + precision
        step = np.linalg.solve(curvature, gradient)
        theta = theta + step / max(1.0, float(np.linalg.norm(step)))
    assert np.linalg.norm(gradient) < 1e-12, f"{name}, {count} spikes: gradient must vanish (got {gradient})."
    return theta, np.linalg.inv(curvature)


def normal_nodes(num_nodes: int, reach: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of the trapezoidal rule under the standard normal law; its error falls faster than any power."""
    z = np.linspace(-reach, reach, num_nodes)
    weights = np.exp(-0.5 * z**2)
    return z, weights / weights.sum()


def moments(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of rho for unit stimuli at these angles."""
    x = np.stack([np.cos(angles), np.sin(angles)])
    return MEAN @ x, np.einsum("ia,ij,ja->a", x, COVARIANCE, x)


def first_order_information(angles: np.ndarray) -> np.ndarray:
    mean, variance = moments(angles)
    return variance * np.exp(mean + variance / 2)


def laplace_information(angles: np.ndarray) -> np.ndarray:
    mean, variance = moments(angles)
    z, weights = normal_nodes(401)
    rho = mean[:, None] + np.sqrt(variance)[:, None] * z
    return 0.5 * np.log1p(variance[:, None] * np.exp(rho)) @ weights


def mutual_information(angle: float, num_nodes: int = 4001, max_count: int = 4000) -> float:
    """I(rho; r) with r ~ Poisson(exp(rho)), both sums carried far enough that the digits printed do not depend on it."""
    mean, variance = (float(value[0]) for value in moments(np.array([angle])))
    z, weights = normal_nodes(num_nodes, 8.5)
    rho = mean + math.sqrt(variance) * z
    log_factorial, predicted, conditional = 0.0, 0.0, 0.0
    for count in range(max_count + 1):
        log_factorial += math.log(count) if count else 0.0
        log_probability = count * rho - np.exp(rho) - log_factorial
        probability = np.exp(log_probability)
        marginal = float(weights @ probability)
        predicted -= marginal * math.log(marginal) if marginal > 0 else 0.0
        conditional -= float(weights @ (probability * log_probability))
    return predicted - conditional


def best_angle(objective: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """The best of a dense circle, then of ever finer arcs around it."""
    centre, half_width = math.pi, math.pi
    for _ in range(9):
        angles = np.linspace(centre - half_width, centre + half_width, 4001)
        values = objective(angles)
        centre, half_width = float(angles[np.argmax(values)]), half_width / 100
    return centre, float(np.max(values))


def optimum(objective: Callable[[np.ndarray], np.ndarray]) -> dict:
    """The best stimulus; none inside the disc is better, since both objectives grow along every ray."""
    angle, value = best_angle(objective)
    return {"x": [math.cos(angle), math.sin(angle)], "value_nats": value, "angle": angle}


def best_alpha(d: int, k: float) -> float:
    """Root of d k + 2 / alpha = 2 (d - 1) alpha / (1 - alpha^2) in (0, 1), by bisection."""
    low, high = 1e-9, 1 - 1e-12
    for _ in range(200):
        middle = (low + high) / 2
        if d * k + 2 / middle > 2 * (d - 1) * middle / (1 - middle**2):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def log_det(d: int, parallel: float, across: float, num_trials: int, prior_precision: float) -> float:
    """Of the posterior precision; a trial adds parallel along theta, across shared by the d - 1 other directions."""
    return (math.log(num_trials * parallel + prior_precision)
            + (d - 1) * math.log(num_trials * across / (d - 1) + prior_precision))


def large_sample_limit(d: int, k: float) -> dict:
    """Optimal against random stimuli: without a prior, and after NUM_TRIALS trials with the prior N(0, (k^2 / d) I)."""
    alpha = best_alpha(d, k)
    optimal = math.exp(k * alpha) * alpha**2, math.exp(k * alpha) * (1 - alpha**2)
    angles = np.linspace(0, math.pi, 200_001)
    cosine, weights = np.cos(angles), np.sin(angles) ** (d - 2)   # the cosine of a uniform direction
    weights = weights / weights.sum()
    random = float(weights @ (np.exp(k * cosine) * cosine**2)), float(weights @ (np.exp(k * cosine) * (1 - cosine**2)))
    gap = log_det(d, *optimal, 1, 0.0) - log_det(d, *random, 1, 0.0)
    gap_with_prior = log_det(d, *optimal, NUM_TRIALS, d / k**2) - log_det(d, *random, NUM_TRIALS, d / k**2)
    return {"d": d, "k": k, "alpha": alpha, "half_log_det_gap": gap / 2, "half_log_det_gap_with_prior": gap_with_prior / 2,
            "num_trials_with_prior": NUM_TRIALS, "trials_saved_factor": math.exp(gap / d),
            "spikes_per_trial_at_optimum": math.exp(k * alpha)}


def main() -> int:
    updates = []
    for name in ("exp", "softplus"):
        for count in (3, 0):
            mean, covariance = laplace_update(count, name)
            updates.append({"link": name, "count": count, "mean": mean.tolist(), "covariance": covariance.tolist()})
            if name == "exp":
                check(f"mean after {count}", mean, KNOWN_UPDATES[count][0], 6e-9)
                check(f"covariance after {count}", covariance[[0, 0, 1], [0, 1, 1]], KNOWN_UPDATES[count][1], 6e-9)
    first_order, laplace = optimum(first_order_information), optimum(laplace_information)
    for found, known in ((first_order, KNOWN_FIRST_ORDER), (laplace, KNOWN_LAPLACE)):
        check("best stimulus", found["x"], known[0], 6e-7)
        check("its value", found["value_nats"], known[1], 6e-9)
    exact = mutual_information(laplace["angle"])
    check("mutual information", exact, KNOWN_MUTUAL_INFORMATION, 6e-5)
    check("mutual information with half the nodes", mutual_information(laplace["angle"], 2001, 3000), exact, 1e-10)
    limits = [large_sample_limit(d, k) for d in DIMENSIONS for k in GAINS]
    for limit in limits:
        if limit["d"] == 16 and limit["k"] in KNOWN_GAPS:
            check(f"gap at k = {limit['k']}", limit["half_log_det_gap_with_prior"], KNOWN_GAPS[limit["k"]], 1e-2)
        if limit["d"] == 100:
            check(f"alpha at k = {limit['k']}", limit["alpha"], KNOWN_ALPHAS[limit["k"]], 6e-4)

    document = {
        "format": 1, "script": "tests/reference/laplace_glm.py", "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "prior": {"mean": MEAN.tolist(), "covariance": COVARIANCE.tolist()}, "stimulus": STIMULUS.tolist(), "updates": updates,
        "best_stimulus": {"power": 1.0, "first_order": first_order, "laplace": laplace | {"mutual_information_nats": exact}},
        "large_sample_limit": limits,
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    print(f"mutual information at the best stimulus {exact:.8f} nats, Laplace {laplace['value_nats']:.8f}")
    for limit in limits:
        print("d {d:3d}  k {k}  alpha {alpha:.4f}  gap {half_log_det_gap:8.3f}, with prior {half_log_det_gap_with_prior:8.3f}  "
              "saved {trials_saved_factor:6.2f}  spikes {spikes_per_trial_at_optimum:5.1f}".format(**limit))
    return 0


if __name__ == "__main__":
    sys.exit(main())
