"""Cut: where a ring's own land ends, by the least border between its core and the land outside.

Owns the choice of which pixels of a ring belong to land beyond it; how much of a mixed pixel is
whose is `planted`. The one idea: a neighbour's field of the same crop looks like one's own, but a
verge lies between the two and none where the ring ends. So the ring is cut where borders are
strongest: a border inside it counts against the ring only if the land beyond goes on outside with a
weaker one, and a track through one's own field costs nothing.

Source: Boykov and Jolly (2001) Interactive graph cuts for optimal boundary and region segmentation
of objects in N-D images (the ring's core and the land outside are the seeds).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from scipy.spatial import cKDTree

from fieldline.crops.recognise.pixels import RingPixels
from fieldline.crops.ring_settings import CutSettings
from fieldline.crops.series import Floats

Mask = npt.NDArray[np.bool_]

_UNITS = 1000
"""Whole units of flow per unit of evidence: the flow is reckoned in integers."""
_SEED = 10_000.0
"""Capacity that no border reaches: the surest inner pixels are the ring's own."""
_SEEDS = (0.5, 0.8)
"""Least and largest share of the inner pixels, those nearest to their median curve, that are
certainly own: a ring drawn over other land has some of it among them."""
_FAINTEST = 0.02
"""Least strength of a border: even curves that are equal may lie on two sides of one."""
_CANDIDATES, _THIRD = 24, 3
"""Of so many nearest pixels the third most alike is what land looks like: the best is chance."""
_REACH = 3.5
"""Other land is looked for this far beyond the ring's edge, pixels."""
_EDGES = (
    (np.s_[:, :-1], np.s_[:, 1:]),
    (np.s_[:-1], np.s_[1:]),
)
"""Pixels and their neighbours to the right and below."""


def other_land(
    ring: RingPixels, core: Floats, where: tuple[Mask, Mask, Mask], noise: float,
    settings: CutSettings,
) -> Mask:  # fmt: skip
    """Return which pixels of a ring, (rows, columns), belong to land that goes on outside it.

    Args:
        ring: The ring's pixels.
        core: Its core curve.
        where: Clear pixels that it covers, the innermost of them, and clear land beyond it.
        noise: Distance up to which a pixel is the ring's own crop.
        settings: Weights.
    """
    inside, inner, beyond = where
    curves = np.nan_to_num(ring.curves)
    distance = _rms(curves - core)
    half, most = np.quantile(distance[inner], _SEEDS)
    seeds = inner & (distance <= max(half, min(most, settings.unlike * noise)))
    own = _own_odds(ring, distance, (inside, inner, beyond), noise, settings)
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    links, out = _borders(curves, number, noise, settings)
    sure = seeds[inside]
    from_core = np.where(sure, _SEED, np.maximum(own[inside], 0.0))
    to_outside = np.where(sure, 0.0, np.maximum(-own[inside], 0.0)) + out
    kept = np.zeros(inside.shape, dtype=bool)
    kept[inside] = _core_side(links, from_core, to_outside)
    return _reaching(inside & ~kept, ring.depth <= 1)


def _own_odds(
    ring: RingPixels, distance: Floats, where: tuple[Mask, Mask, Mask], noise: float,
    settings: CutSettings,
) -> Floats:  # fmt: skip
    """Return log odds, (rows, columns), that a pixel is like the core and unlike land outside.

    Deep inside a pixel that is far from the core is odd even where nothing outside is like it.
    """
    inside, inner, beyond = where
    places = np.argwhere(inside)
    deep = ring.depth[inside]
    near = np.minimum(distance[inside], _alike(ring.curves, places, np.argwhere(inner)))
    far = _alike(ring.curves, places, np.argwhere(beyond), deep + _REACH)
    far = np.where(deep > 1, np.minimum(far, settings.unlike * noise), far)
    most = settings.pixel
    odds = np.zeros(inside.shape)
    odds[inside] = np.clip((far**2 - near**2) / (2 * noise**2), -most, most)
    return odds


def _alike(
    curves: Floats, places: npt.NDArray[np.int64], others: npt.NDArray[np.int64],
    reach: Floats | float = np.inf,
) -> Floats:  # fmt: skip
    """Return how far each place's curve lies from others nearby: the third nearest in NDVI."""
    count = min(_CANDIDATES + 1, len(others))
    gap, index = cKDTree(others).query(places, k=[*range(1, count + 1)], p=np.inf)
    mine = curves[places[:, 0], places[:, 1]]
    apart = np.empty(gap.shape)
    for at in range(count):
        rows, columns = others[index[:, at]].T
        difference = mine - curves[rows, columns]
        apart[:, at] = np.einsum("nb,nb->n", difference, difference)
    apart = np.sqrt(apart / curves.shape[2])
    apart[(gap == 0) | (gap > np.reshape(reach, (-1, 1)))] = _SEED
    return np.asarray(np.sort(apart, axis=1)[:, min(_THIRD, count) - 1])


def _borders(
    curves: Floats, number: npt.NDArray[np.int64], noise: float, settings: CutSettings
) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats], Floats]:
    """Return the cost of cutting between neighbours in the ring, and between each and outside.

    The drawn outline itself is a border that somebody saw: cutting there costs less.
    """
    ones, others, costs = [], [], []
    out = np.zeros(int(number.max()) + 1)
    for first, second in _EDGES:
        strength = 1.0 - np.exp(
            -((_rms(curves[first] - curves[second]) / (settings.sharp * noise)) ** 2)
        )
        cost = -settings.border * np.log(np.maximum(strength, _FAINTEST))
        one, other = number[first], number[second]
        both = (one >= 0) & (other >= 0)
        ones.append(one[both])
        others.append(other[both])
        costs.append(cost[both])
        for end, beyond in ((one, other), (other, one)):
            rim = (end >= 0) & (beyond < 0)
            np.add.at(out, end[rim], settings.outline * cost[rim])
    return (np.concatenate(ones), np.concatenate(others), np.concatenate(costs)), out


def _core_side(
    links: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats], from_core: Floats,
    to_outside: Floats,
) -> Mask:  # fmt: skip
    """Return which pixels stay with the core when it is cut from the outside at the least cost."""
    one, other, cost = links
    count = len(from_core)
    source, sink, each = count, count + 1, np.arange(count)
    starts = np.concatenate([one, other, np.full(count, source), each])
    ends = np.concatenate([other, one, each, np.full(count, sink)])
    capacity = np.rint(_UNITS * np.concatenate([cost, cost, from_core, to_outside]))
    size = (count + 2, count + 2)
    graph = csr_matrix((capacity.astype(np.int32), (starts, ends)), shape=size)
    left = graph - maximum_flow(graph, source, sink).flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = np.zeros(count + 2, dtype=bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    return reached[:count]


def _reaching(lost: Mask, edge: Mask) -> Mask:
    """Return the lost land that comes to the ring's edge: what lies amid one's own is one's own."""
    bodies, count = ndimage.label(lost, np.ones((3, 3)))
    reaches = np.zeros(count + 1, dtype=bool)
    reaches[np.unique(bodies[lost & edge])] = True
    return np.asarray(lost & reaches[bodies])


def _rms(difference: Floats) -> Floats:
    return np.asarray(np.sqrt((difference**2).mean(axis=-1)))
