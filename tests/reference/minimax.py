#!/usr/bin/env python3
"""The polynomial of engine/equations/math_kernels.hpp for e^r: finds it anew and holds the header's numbers against it.

    tests/reference/minimax.py

q(r) = ((e^r - 1) / r - 1) / r on |r| <= ln 2 / 2 as ½ + c1 r + … + c10 r^10, with the largest relative error of 1 + r q(r) as small as
can be: Remez's exchange with 50 digits. Prints the numbers and the errors before and after they are rounded to doubles; exits with 1
if the header's are worse than these. Standard library only.
"""

import re
import sys
from decimal import Decimal, getcontext
from pathlib import Path

getcontext().prec = 50
HEADER = Path(__file__).resolve().parents[2] / "engine/equations/math_kernels.hpp"
ORDER = 10
END = Decimal(2).ln() / 2 * Decimal("1.0005")
HALF = Decimal("0.5")


def wanted(r: Decimal) -> Decimal:
    """(q(r) - 1/2) / r by its series, whose 40 terms have 50 digits."""
    total, term = Decimal(0), Decimal(1) / 6
    for k in range(40):
        total += term
        term *= r / (k + 4)
    return total


def weight(r: Decimal) -> Decimal:
    """How an error of that counts in (e^r - 1) / r, relatively."""
    return r * r / (1 + r * (HALF + r * wanted(r)))


def value(c: list[Decimal], r: Decimal) -> Decimal:
    total = Decimal(0)
    for one in reversed(c):
        total = total * r + one
    return total


def error(c: list[Decimal], r: Decimal) -> Decimal:
    return (wanted(r) - value(c, r)) * weight(r)


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


def extremes(c: list[Decimal], points: list[Decimal]) -> list[tuple[Decimal, Decimal]]:
    """The largest error of each stretch without a change of sign: where, and how large."""
    out: list[tuple[Decimal, Decimal]] = []
    for r in points:
        off = error(c, r)
        if out and (off > 0) == (out[-1][1] > 0):
            if abs(off) > abs(out[-1][1]):
                out[-1] = (r, off)
        else:
            out.append((r, off))
    return out


def main() -> None:
    points = [END * (2 * i - 1201) / 1201 for i in range(1202)]  # even in number: not 0, where nothing counts
    n = ORDER + 1
    at = [points[round((len(points) - 1) * i / (n - 1))] for i in range(n)]
    c: list[Decimal] = []
    for _ in range(40):
        a = [[r**k for k in range(ORDER)] + [(-1) ** i / weight(r)] for i, r in enumerate(at)]
        c = solved(a, [wanted(r) for r in at])[:ORDER]
        found = extremes(c, points)
        while len(found) > n:
            found.pop(0 if abs(found[0][1]) < abs(found[-1][1]) else -1)
        at = [r for r, _ in found]
        sizes = [abs(off) for _, off in found]
        if max(sizes) < min(sizes) * Decimal("1.001"):
            break
    worst = max(abs(error(c, r)) for r in points)
    body = HEADER.read_text().split("V exp_beyond_line(V r) {")[1].split("\n}")[0]
    header = sorted((Decimal(float.fromhex(x)) for x in re.findall(r"0x1[.0-9a-fp-]+", body)), reverse=True)
    theirs = max(abs(error(header, r)) for r in points)
    for k, (one, other) in enumerate(zip(c, header, strict=True), 1):
        print(f"c{k}: {float(one).hex()}, in the header {float(other).hex()}")
    print(f"largest relative error {worst:.2e}, of the header's doubles {theirs:.2e}")
    if theirs > Decimal("2e-18"):
        sys.exit("minimax: the header's polynomial is not this one.")


if __name__ == "__main__":
    main()
