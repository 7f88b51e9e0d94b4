#!/usr/bin/env python3
"""Reference: expected information gain of models that texts can say, by Pyro and by bayesdesign.

    python3 -m venv peers && peers/bin/pip install pyro-ppl==1.9.2 bayesdesign==0.7.1 torch==2.15.0 scipy==1.17.1
    peers/bin/python tests/reference/information_oracles.py     writes information_oracles.json, about 15 minutes on one core

Each case has the text of a model, a list of stimuli, and for each stimulus the information that one response gives about the
parameters, I(θ; r | x), in nats, four ways:

    closed_form_nats   where there is one
    quadrature_nats    here, with NumPy: entropy of the predicted response less its mean entropy given θ, on fine rules
    bayesdesign        mean drop of the entropy of θ on a grid of parameters and responses (its bits times log 2)
    pyro               contrib.oed.eig.nmc_eig, nested Monte Carlo with num_inner draws for p(r | x); it errs upwards by about
                       c / num_inner, so that two counts are run and extrapolated_nats is the line through them at 1 / num_inner = 0

The last two are other people's programs; standard errors are over num_repeats independent runs of num_outer draws.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import jax.numpy as jnp
import numpy as np
import pyro
import pyro.distributions as dist
import torch
from bed.design import ExperimentDesigner
from bed.grid import Grid
from pyro.contrib.oed.eig import nmc_eig
from scipy.special import expit, xlogy

RESULT = Path(__file__).with_name("information_oracles.json")
NUM_OUTER, NUM_REPEATS, NUM_INNER = 1000, 200, (1000, 4000)
SINUSOID_SD, LINEAR_SD, SOURCE_SD, LAPSE = 0.1, 0.5, 0.5, 0.02


@dataclass
class Case:
    name: str
    text: dict                                                  # the tables stimulus and model of a text
    stimuli: list[list[float]]
    parameters: dict[str, np.ndarray]                           # a grid for bayesdesign, its axes slowest first
    weights: Callable                                           # prior on that grid, not normalised, of its axes
    responses: np.ndarray                                       # values of the response for bayesdesign
    likelihood: Callable                                        # p(r | x, θ), not normalised, of response, stimulus, axes
    nodes: Callable[[], tuple[list[np.ndarray], np.ndarray]]    # for quadrature here: axes [num_nodes] each, and weights
    predict: Callable                                           # mean response of stimulus and axes, in NumPy or torch
    sd: float | None                                            # of a normal response; None: a choice of probability `predict`
    draw: Callable                                              # parameters from their priors, in Pyro
    closed_form: Callable | None = None


def entropy_of(p: np.ndarray) -> np.ndarray:
    return -np.sum(xlogy(p, p), axis=0)


def quadrature(case: Case, stimulus: list[float]) -> float:
    axes, weights = case.nodes()
    weights = weights / weights.sum()
    mean = case.predict(stimulus, axes, np)
    if case.sd is None:
        outcome = np.stack([1 - mean, mean])
        return float(entropy_of(outcome @ weights) - entropy_of(outcome) @ weights)
    # the trapezium rule converges faster than any power of its step for a smooth density that dies out at both ends
    step = case.sd / 8
    y = np.arange(mean.min() - 9 * case.sd, mean.max() + 9 * case.sd + step, step)
    density = np.zeros_like(y)
    for some in np.array_split(np.arange(len(mean)), max(1, len(mean) * len(y) // 4_000_000)):
        z = (y[:, None] - mean[some]) / case.sd
        density += np.exp(-0.5 * z * z) @ weights[some]
    density /= case.sd * np.sqrt(2 * np.pi)
    return float(-np.sum(xlogy(density, density)) * step - 0.5 * np.log(2 * np.pi * np.e * case.sd**2))


def by_bayesdesign(case: Case) -> list[float]:
    parameters, responses, designs = Grid(**case.parameters), Grid(r=case.responses), Grid(stimulus_idx=np.arange(len(case.stimuli)))
    stimuli = jnp.asarray(case.stimuli)

    def likelihood(p, features, some_designs):
        idx = some_designs.stimulus_idx.astype(int)
        stimulus = [stimuli[idx, k] for k in range(stimuli.shape[1])]
        return case.likelihood(features.r, stimulus, [getattr(p, name) for name in case.parameters])

    designer = ExperimentDesigner(parameters, responses, designs, likelihood)
    prior = np.broadcast_to(case.weights([parameters.axes[name] for name in case.parameters]), parameters.shape)
    designer.calculateEIG(jnp.asarray(prior / prior.sum()))
    return (np.asarray(designer.EIG).reshape(-1) * np.log(2)).tolist()


def by_pyro(case: Case) -> dict:
    means, errors, lines, line_errors = [], [], [], []
    for stimulus in case.stimuli:
        def model(design, stimulus=stimulus):
            with pyro.plate_stack("draws", design.shape[:-1]):
                mean = case.predict(stimulus, case.draw(), torch)
                pyro.sample("r", dist.Bernoulli(mean) if case.sd is None else dist.Normal(mean, case.sd))

        runs = np.array([[float(nmc_eig(model, torch.zeros(1, 1), "r", list(case.parameters), N=NUM_OUTER, M=num_inner))
                          for num_inner in NUM_INNER] for _ in range(NUM_REPEATS)])
        few, many = NUM_INNER
        line = (many * runs[:, 1] - few * runs[:, 0]) / (many - few)
        means.append(runs.mean(axis=0).tolist())
        errors.append((runs.std(axis=0, ddof=1) / np.sqrt(NUM_REPEATS)).tolist())
        lines.append(float(line.mean()))
        line_errors.append(float(line.std(ddof=1) / np.sqrt(NUM_REPEATS)))
    return {"num_outer": NUM_OUTER, "num_repeats": NUM_REPEATS, "num_inner": list(NUM_INNER), "nats": np.transpose(means).tolist(),
            "standard_errors": np.transpose(errors).tolist(), "extrapolated_nats": lines, "extrapolated_standard_errors": line_errors}


def gaussian(r, mean, sd):
    return jnp.exp(-0.5 * ((r - mean) / sd) ** 2)


def product_nodes(*rules: tuple[np.ndarray, np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Every combination of the nodes of one-dimensional rules."""
    axes = np.meshgrid(*(nodes for nodes, _ in rules), indexing="ij")
    weights = np.prod(np.stack(np.meshgrid(*(weights for _, weights in rules), indexing="ij")), axis=0)
    return [axis.reshape(-1) for axis in axes], weights.reshape(-1)


def normal_rule(sd: float, num: int, reach: float = 9) -> tuple[np.ndarray, np.ndarray]:
    nodes = np.linspace(-reach * sd, reach * sd, num)
    return nodes, np.exp(-0.5 * (nodes / sd) ** 2)


def even_rule(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values, np.ones_like(values)


def linear() -> Case:
    sds = (1.0, 0.5)
    return Case(
        name="linear Gaussian",
        text={"stimulus": {"x": "values(-2, -1, -0.5, 0, 0.5, 1, 2)[2]"},
              "model": {"response": "y ~ normal(a * x[0] + b * x[1], 0.5)",
                        "parameters": {"a": "normal(0, 1)", "b": "normal(0, 0.5)"}}},
        stimuli=[[0, 0], [1, 0], [0, 1], [0.5, -0.5], [2, 2]],
        parameters={"a": np.linspace(-6, 6, 121), "b": np.linspace(-3, 3, 121)},
        weights=lambda t: np.exp(-0.5 * (t[0] / sds[0]) ** 2 - 0.5 * (t[1] / sds[1]) ** 2),
        responses=np.linspace(-18, 18, 289),
        likelihood=lambda r, x, t: gaussian(r, t[0] * x[0] + t[1] * x[1], LINEAR_SD),
        nodes=lambda: product_nodes(normal_rule(sds[0], 201), normal_rule(sds[1], 201)),
        predict=lambda x, t, _: t[0] * x[0] + t[1] * x[1], sd=LINEAR_SD,
        draw=lambda: [pyro.sample("a", dist.Normal(0, sds[0])), pyro.sample("b", dist.Normal(0, sds[1]))],
        closed_form=lambda x: 0.5 * np.log1p((x[0] ** 2 * sds[0] ** 2 + x[1] ** 2 * sds[1] ** 2) / LINEAR_SD**2))


def sinusoid() -> Case:
    frequencies = np.linspace(0.2, 2.0, 181)
    return Case(
        name="sinusoid",
        text={"stimulus": {"t": "range(0, 5, 0.1) : s"},
              "model": {"response": "y ~ normal(sin(frequency * t), 0.1)",
                        "parameters": {"frequency": "range(0.2, 2, 0.01) : rad / s"}}},
        stimuli=[[float(t)] for t in np.linspace(0, 5, 51)],
        parameters={"frequency": frequencies}, weights=lambda t: np.ones_like(t[0]),
        responses=np.linspace(-1.8, 1.8, 289),
        likelihood=lambda r, x, t: gaussian(r, jnp.sin(t[0] * x[0]), SINUSOID_SD),
        nodes=lambda: product_nodes(even_rule(frequencies)),
        predict=lambda x, t, module: module.sin(t[0] * x[0]), sd=SINUSOID_SD,
        draw=lambda: [torch.as_tensor(frequencies)[pyro.sample("frequency", dist.Categorical(torch.ones(len(frequencies))))]])


def source() -> Case:
    def log_intensity(x, t, module):
        return module.log(0.1 + 1 / (1e-4 + (x[0] - t[0]) ** 2))

    return Case(
        name="location of one source",
        text={"stimulus": {"x": "range(-2, 2, 0.1)"},
              "model": {"response": "y ~ normal(log(0.1 + 1 / (1e-4 + (x - theta)^2)), 0.5)", "parameters": {"theta": "normal(0, 1)"}}},
        stimuli=[[0.0], [-0.4], [-1.0], [1.5]],
        parameters={"theta": np.linspace(-6, 6, 6001)}, weights=lambda t: np.exp(-0.5 * t[0] ** 2),
        responses=np.linspace(-6, 13, 191),
        likelihood=lambda r, x, t: gaussian(r, log_intensity(x, t, jnp), SOURCE_SD),
        nodes=lambda: product_nodes(normal_rule(1, 36001)),
        predict=log_intensity, sd=SOURCE_SD, draw=lambda: [pyro.sample("theta", dist.Normal(0, 1))])


def psychometric() -> Case:
    thresholds, slopes = np.linspace(-3, 3, 25), np.array([1.0, 2.0, 4.0])

    def correct(x, t, module):
        logistic = {np: expit, torch: torch.sigmoid}[module]
        return 0.5 + (0.5 - LAPSE) * logistic(t[1] * (x[0] - t[0]))

    def likelihood(r, x, t):
        p = 0.5 + (0.5 - LAPSE) / (1 + jnp.exp(-t[1] * (x[0] - t[0])))
        return jnp.where(r == 1, p, 1 - p)

    def draw():
        at = pyro.sample("threshold", dist.Categorical(torch.ones(len(thresholds))))
        which = pyro.sample("slope", dist.Categorical(torch.ones(len(slopes))))
        return [torch.as_tensor(thresholds)[at], torch.as_tensor(slopes)[which]]

    return Case(
        name="logistic psychometric function",
        text={"stimulus": {"x": "range(-4, 4, 0.5)"},
              "model": {"response": "correct ~ bernoulli(0.5 + (0.5 - 0.02) * logistic(slope * (x - threshold)))",
                        "parameters": {"threshold": "range(-3, 3, 0.25)", "slope": "values(1, 2, 4)"}}},
        stimuli=[[-4.0], [-1.0], [0.0], [1.0], [4.0]],
        parameters={"threshold": thresholds, "slope": slopes}, weights=lambda t: np.ones_like(t[0]) * np.ones_like(t[1]),
        responses=np.array([0.0, 1.0]), likelihood=likelihood,
        nodes=lambda: product_nodes(even_rule(thresholds), even_rule(slopes)),
        predict=correct, sd=None, draw=draw)


# Stimuli of a case for which nested Monte Carlo is run, where not all
FOR_PYRO = {"sinusoid": [5, 15, 30, 50]}


def described(grid: np.ndarray) -> dict | list[float]:
    """A grid in short, where its values are evenly spaced."""
    if np.allclose(grid, np.linspace(grid[0], grid[-1], len(grid))):
        return {"first": float(grid[0]), "last": float(grid[-1]), "num": len(grid)}
    return grid.tolist()


def solve(case: Case) -> dict:
    out: dict = {"name": case.name, "text": case.text, "stimuli": case.stimuli}
    if case.closed_form:
        out["closed_form_nats"] = [float(case.closed_form(x)) for x in case.stimuli]
    out["quadrature_nats"] = [quadrature(case, x) for x in case.stimuli]
    out["bayesdesign"] = {
        "parameters": {name: described(grid) for name, grid in case.parameters.items()}, "responses": described(case.responses),
        "nats": by_bayesdesign(case)}
    which = FOR_PYRO.get(case.name, list(range(len(case.stimuli))))
    case.stimuli = [case.stimuli[k] for k in which]
    out["pyro"] = {"stimulus_idx": which, **by_pyro(case)}
    return out


def check(solved: dict) -> None:
    """The ways must agree: closed form to 1e-9, bayesdesign to 1e-4, Pyro to 4 standard errors and what extrapolation leaves."""
    exact = np.array(solved["quadrature_nats"])
    if "closed_form_nats" in solved:
        assert np.abs(exact - solved["closed_form_nats"]).max() < 1e-9, solved["name"]
    assert np.abs(exact - solved["bayesdesign"]["nats"]).max() < 1e-4, solved["name"]
    found = solved["pyro"]
    off = np.abs(np.array(found["extrapolated_nats"]) - exact[found["stimulus_idx"]])
    assert np.all(off < 4 * np.array(found["extrapolated_standard_errors"]) + 1e-3), f"{solved['name']}: Pyro is off by {off}."


def compact(value: object) -> str:
    """JSON with every key on a line of its own and every list of numbers on one line."""
    if isinstance(value, dict):
        return "{" + ",\n".join(f"{json.dumps(key)}: {compact(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(compact, value)) + "]"
    return json.dumps(value)


def main() -> int:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    pyro.set_rng_seed(1)
    pyro.enable_validation(False)
    solved = []
    for make in (psychometric, source, linear, sinusoid):
        solved.append(solve(make()))
        check(solved[-1])
        one = solved[-1]
        for k, x in enumerate(one["stimuli"]):
            if k in one["pyro"]["stimulus_idx"]:
                p = one["pyro"]["stimulus_idx"].index(k)
                print(f"{one['name']} at {x}: {one['quadrature_nats'][k]:.6f}, bayesdesign {one['bayesdesign']['nats'][k]:.6f}, Pyro "
                      f"{one['pyro']['extrapolated_nats'][p]:.4f} ± {one['pyro']['extrapolated_standard_errors'][p]:.4f} nats",
                      flush=True)
    names = ("pyro-ppl", "bayesdesign", "torch", "jax", "numpy", "scipy")
    document = {
        "format": 1, "script": "tests/reference/information_oracles.py", "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}},
        "what": "Each case: text is a model as docs/models-as-text.md has it; stimuli is [num_stimuli, stimulus_dim]; closed_form_nats "
                "(where there is one), quadrature_nats and bayesdesign.nats are [num_stimuli]. bayesdesign's grids are evenly spaced "
                "or listed. pyro has the stimuli of stimulus_idx only: nats and standard_errors are [count of "
                "num_inner, number of stimuli], extrapolated_nats is what is compared. quadrature_nats agrees with the closed form "
                "to 1e-9, with bayesdesign to 1e-4 and with Pyro to 4 standard errors + 1e-3. Priors are those of the text: continuous "
                "ones are not a grid's.",
        "cases": solved,
    }
    RESULT.write_text(compact(document) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
