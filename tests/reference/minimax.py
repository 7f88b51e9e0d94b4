#!/usr/bin/env python3
"""Polynomials of engine/equations/math_kernels.hpp: finds them anew and holds the header's numbers against them.

    tests/reference/minimax.py

Each has the largest relative error, of what it is a part of, as small as can be: Remez's exchange with 50 digits. Prints the numbers
beside the header's and the errors before and after they are rounded to doubles; exits with 1 if the header's are not as good.

    exp_beyond_line   ((e^r - 1) / r - 1) / r = ½ + c0 r + …   on |r| <= ln 2 / 2, for (e^r - 1) / r
    log_beyond_line   log(m) / s - 2 = z (c0 + c1 z + …)   with s = (m - 1) / (m + 1), z = s², m in [√½, √2], for log(m)
    log_beyond_cube   3 log(m) / (2 s) - 3 - z = z² (c0 + c1 z + …), likewise

Standard library only.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, getcontext
from pathlib import Path

getcontext().prec = 50
HEADER = Path(__file__).resolve().parents[2] / "engine/equations/math_kernels.hpp"
HALF = Decimal("0.5")
WIDER = Decimal("1.0005")


@dataclass
class Case:
    function: str  # of the header
    num: int  # coefficients
    low: Decimal
    high: Decimal
    wanted: Callable[[Decimal], Decimal]
    weight: Callable[[Decimal], Decimal]  # of an error of it
    most: Decimal  # relative error of the header's doubles


def exp_beyond_line(r: Decimal) -> Decimal:
    """((e^r - 1) / r - 1) / r - ½, divided by r."""
    total, term = Decimal(0), Decimal(1) / 6
    for k in range(40):
        total += term
        term *= r / (k + 4)
    return total


def odd_series(first: int, scale: int) -> Callable[[Decimal], Decimal]:
    """scale (1 / first + z / (first + 2) + …)."""
    return lambda z: sum((scale * z**k / (first + 2 * k) for k in range(40)), Decimal(0))


LN2_HALF = Decimal(2).ln() / 2
SMALLEST_Z = Decimal("1e-9")  # nothing counts at 0
LARGEST_Z = ((Decimal(2).sqrt() - 1) / (Decimal(2).sqrt() + 1)) ** 2
CASES = [
    Case("exp_beyond_line", 10, -LN2_HALF * WIDER, LN2_HALF * WIDER, exp_beyond_line,
         lambda r: r * r / (1 + r * (HALF + r * exp_beyond_line(r))), Decimal("2e-18")),
    Case("log_beyond_line", 7, SMALLEST_Z, LARGEST_Z * WIDER, odd_series(3, 2), lambda z: z / 2, Decimal("2e-18")),
    Case("log_beyond_cube", 8, SMALLEST_Z, LARGEST_Z * WIDER, odd_series(5, 3), lambda z: z * z / 3, Decimal("1e-20")),
]


def value(c: list[Decimal], r: Decimal) -> Decimal:
    total = Decimal(0)
    for one in reversed(c):
        total = total * r + one
    return total


def solved(a: list[list[Decimal]], b: list[Decimal]) -> list[Decimal]:
    """a x = b by elimination with pivots."""
    n = len(b)
    rows = [row + [right] for row, right in zip(a, b, strict=True)]
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    x = [Decimal(0)] * n
    for k in reversed(range(n)):
        x[k] = (rows[k][n] - sum(rows[k][j] * x[j] for j in range(k + 1, n))) / rows[k][k]
    return x


def extremes(errors: list[tuple[Decimal, Decimal]]) -> list[tuple[Decimal, Decimal]]:
    """Of points and errors, the largest error of each stretch without a change of sign."""
    out: list[tuple[Decimal, Decimal]] = []
    for x, off in errors:
        if off == 0:
            continue
        if out and (off > 0) == (out[-1][1] > 0):
            if abs(off) > abs(out[-1][1]):
                out[-1] = (x, off)
        else:
            out.append((x, off))
    return out


def best(case: Case, points: list[Decimal], errors: Callable[[list[Decimal]], list[tuple[Decimal, Decimal]]]) -> list[Decimal]:
    n = case.num + 1
    at = [points[1 + round((len(points) - 2) * i / (n - 1))] for i in range(n)]
    c: list[Decimal] = []
    for _ in range(40):
        a = [[x**k for k in range(case.num)] + [(-1) ** i / case.weight(x)] for i, x in enumerate(at)]
        c = solved(a, [case.wanted(x) for x in at])[: case.num]
        found = extremes(errors(c))
        while len(found) > n:
            found.pop(0 if abs(found[0][1]) < abs(found[-1][1]) else -1)
        at = [x for x, _ in found]
        sizes = [abs(off) for _, off in found]
        if len(at) < n or max(sizes) < min(sizes) * Decimal("1.001"):
            break
    return c


def main() -> None:
    for case in CASES:
        steps = 1201  # odd: where the middle is 0 nothing counts
        points = [case.low + (case.high - case.low) * i / steps for i in range(steps + 1)]
        table = [(x, case.wanted(x), case.weight(x)) for x in points]

        def errors(c: list[Decimal], table: list[tuple[Decimal, Decimal, Decimal]] = table) -> list[tuple[Decimal, Decimal]]:
            return [(x, (wanted - value(c, x)) * weight) for x, wanted, weight in table]

        c = best(case, points, errors)
        body = HEADER.read_text().split(f"V {case.function}(V ")[1].split("\n}")[0]
        header = [Decimal(0)] * case.num
        for first, name in enumerate(("even", "odd")):  # from the highest power downwards
            found = re.findall(rf"\b{name} = (?:multiply_add\({name}, \w+, )?like\(\w, ([-+.0-9a-fpx]+)\)", body)
            for k, one in zip(range(first, case.num, 2), reversed(found), strict=True):
                header[k] = Decimal(float.fromhex(one))
        print(case.function)
        for k, one in enumerate(c):
            print(f"  c{k}: {float(one).hex()}, in the header {float(header[k]).hex()}")
        worst, theirs = (max(abs(off) for _, off in errors(one)) for one in (c, header))
        print(f"  largest relative error {worst:.2e}, of the header's doubles {theirs:.2e}")
        if theirs > case.most:
            sys.exit(f"minimax: {case.function} is not this polynomial.")


if __name__ == "__main__":
    main()
