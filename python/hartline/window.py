"""From spikes and samples after an onset to a response: counts or means in bins, for each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Window"]


@dataclass(frozen=True)
class Window:
    """``num_bins`` bins of ``bin_s`` seconds that begin ``delay_s`` after the onset.

    A time belongs to bin k where start + k bin ≤ time < start + (k + 1) bin.

    >>> from hartline.window import Window
    >>> Window(bin_s=0.01, num_bins=3).counts(onset_s=1.0, cells=[0, 0, 1, 1], times_s=[1.0, 1.025, 1.01, 1.03], num_cells=2)
    array([[1., 0., 1.],
           [0., 1., 0.]])
    """

    bin_s: float
    num_bins: int = 1
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        if not (self.bin_s > 0 and self.num_bins > 0 and self.delay_s >= 0):
            raise ValueError(f"window: must have bins > 0 s, one at least, after the onset (got {self}).")

    def start_s(self, onset_s: float) -> float:
        """When the first bin begins."""
        return onset_s + self.delay_s

    def end_s(self, onset_s: float) -> float:
        """When the last bin ends."""
        return onset_s + self.delay_s + self.num_bins * self.bin_s

    def bins(self, onset_s: float, times_s: ArrayLike) -> NDArray[np.intp]:
        """The bin of each time; outside of all, -1."""
        edges = self.start_s(onset_s) + self.bin_s * np.arange(self.num_bins + 1)
        bins = np.searchsorted(edges, np.asarray(times_s, dtype=np.float64), side="right") - 1
        return np.where(bins < self.num_bins, bins, -1)

    def counts(self, onset_s: float, cells: Sequence[int] | NDArray[np.intp], times_s: ArrayLike, num_cells: int) -> NDArray[np.float64]:
        """How many events of each cell fell into each bin, [num_cells, num_bins]."""
        counts = np.zeros((num_cells, self.num_bins))
        which, bins = np.asarray(cells, dtype=np.intp), self.bins(onset_s, times_s)
        inside = (bins >= 0) & (which >= 0) & (which < num_cells)
        np.add.at(counts, (which[inside], bins[inside]), 1.0)
        return counts

    def sums(self, onset_s: float, times_s: ArrayLike, samples: ArrayLike) -> NDArray[np.float64]:
        """Samples [num_samples, num_cells] added up in each bin, [num_cells, num_bins]."""
        return self._binned(onset_s, times_s, samples)[0]

    def means(self, onset_s: float, times_s: ArrayLike, samples: ArrayLike) -> NDArray[np.float64]:
        """Samples [num_samples, num_cells] averaged in each bin, [num_cells, num_bins]; NaN where a bin has none."""
        sums, numbers = self._binned(onset_s, times_s, samples)
        return np.divide(sums, numbers, out=np.full_like(sums, np.nan), where=np.broadcast_to(numbers > 0, sums.shape))

    def _binned(self, onset_s: float, times_s: ArrayLike, samples: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values, bins = np.atleast_2d(np.asarray(samples, dtype=np.float64)), self.bins(onset_s, times_s)
        sums, numbers = np.zeros((values.shape[1], self.num_bins)), np.zeros(self.num_bins)
        inside = bins >= 0
        np.add.at(sums.T, bins[inside], values[inside])
        np.add.at(numbers, bins[inside], 1.0)
        return sums, numbers
