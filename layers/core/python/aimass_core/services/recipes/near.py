"""Texts that are nearly the same: MinHash signatures in bands (Broder 1997; Leskovec et al., Mining of Massive
Datasets, chapter 3), candidates compared exactly, and what hangs together found by its smallest row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass_core.domain.recipe_steps import DedupeNear
from aimass_core.services.recipes.chain import ROW, Change
from aimass_core.services.recipes.wholes import Place

_NUM_HASHES = 64
_CHUNK_TEXTS = 2_000


def dedupe_near(step: DedupeNear, place: Place) -> Change:
    """The first row of those that are alike stays. Texts without a shingle are left alone."""
    engine, names = place.engine, place.names
    text = " || ' ' || ".join(f"coalesce({each}, '')" for each in place.ids(step.columns))
    texts, bands, lost = names.table(), names.table(), names.table()
    engine.create(
        texts, f"SELECT {ROW}, {text} AS txt FROM ({place.select}) AS r WHERE length({text}) >= {step.shingle}"
    )
    hashing = Hashing.of(step)
    engine.map(bands, f"SELECT {ROW}, txt FROM {texts}", hashing.bands, [ROW, *hashing.columns])
    edges = [np.empty((0, 2), dtype=np.int64)]
    for band in hashing.columns:
        edges.append(_edges(place, texts, bands, band, hashing))
    for table in (texts, bands):
        engine.drop(table)
    engine.load(lost, "__lost", not_first(np.unique(np.concatenate(edges), axis=0)))
    return Change(
        fields=place.fields,
        leaves="__lost IS NOT NULL",
        beside=f"LEFT JOIN {lost} AS b ON r.{ROW} = b.__lost",
        notes=[f"{hashing.num_bands} bands of {hashing.num_rows} hashes each"],
    )


def _edges(place: Place, texts: str, bands: str, band: str, hashing: "Hashing") -> Any:
    """Pairs of rows that share a bucket of one band and are alike: each with the first of the bucket, and with the one
    before it, which may be more alike."""
    engine, pairs, found = place.engine, place.names.table(), place.names.table()
    buckets = f"SELECT {band} AS k FROM {bands} GROUP BY {band} HAVING count(*) > 1"
    window = f"OVER (PARTITION BY s.k ORDER BY m.{ROW})"
    ranked = (
        f"SELECT m.{ROW} AS b, min(m.{ROW}) {window} AS f, lag(m.{ROW}) {window} AS l "
        f"FROM {bands} AS m JOIN ({buckets}) AS s ON m.{band} = s.k"
    )
    engine.create(
        pairs,
        f"SELECT DISTINCT a, b FROM (SELECT f AS a, b FROM ({ranked}) AS p UNION ALL "
        f"SELECT l AS a, b FROM ({ranked}) AS p) AS u WHERE a < b",
    )
    sides = f"JOIN {texts} AS x ON p.a = x.{ROW} JOIN {texts} AS y ON p.b = y.{ROW}"
    engine.map(
        found, f"SELECT p.a, p.b, x.txt AS one, y.txt AS other FROM {pairs} AS p {sides}", hashing.alike, ["a", "b"]
    )
    edges = np.array(engine.fetch(f"SELECT a, b FROM {found}"), dtype=np.int64).reshape(-1, 2)
    engine.drop(pairs)
    engine.drop(found)
    return edges


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashing:
    """The hash functions and how they are banded: pairs at the threshold share a bucket with high probability."""

    shingle: int
    threshold: float
    num_rows: int
    factors: Any
    addends: Any

    @classmethod
    def of(cls, step: DedupeNear) -> "Hashing":
        """The longest bands with which a pair at the threshold is found in 19 of 20 cases."""
        fitting = (rows for rows in (16, 8, 4, 2, 1) if 1 - (1 - step.threshold**rows) ** (_NUM_HASHES // rows) >= 0.95)
        generator = np.random.default_rng(step.seed)
        return cls(
            shingle=step.shingle,
            threshold=step.threshold,
            num_rows=next(fitting, 1),
            factors=generator.integers(0, 2**63, _NUM_HASHES, dtype=np.uint64) * 2 + 1,
            addends=generator.integers(0, 2**63, _NUM_HASHES, dtype=np.uint64),
        )

    @property
    def num_bands(self) -> int:
        """How many."""
        return _NUM_HASHES // self.num_rows

    @property
    def columns(self) -> list[str]:
        """A name for each band."""
        return [f"b{index}" for index in range(self.num_bands)]

    def bands(self, columns: Sequence[Any]) -> list[Any]:
        """Rows and texts to rows and a key for each band."""
        rows, texts = columns
        parts = [self._sign(texts[start : start + _CHUNK_TEXTS]) for start in range(0, len(texts), _CHUNK_TEXTS)]
        signatures = np.concatenate(parts, axis=1)
        keys = []
        for band in range(self.num_bands):
            key = np.zeros(len(texts), dtype=np.uint64)
            for each in signatures[band * self.num_rows : (band + 1) * self.num_rows]:
                key = _mix(key ^ each)
            keys.append(key.view(np.int64))
        return [rows.astype(np.int64), *keys]

    def alike(self, columns: Sequence[Any]) -> list[Any]:
        """Pairs and their texts to the pairs that are alike."""
        firsts, seconds, one, other = columns
        is_alike = np.fromiter(map(self._is_alike, one, other), dtype=bool, count=len(firsts))
        return [firsts[is_alike].astype(np.int64), seconds[is_alike].astype(np.int64)]

    def _is_alike(self, one: str, other: str) -> bool:
        ours, theirs = self._shingles(one), self._shingles(other)
        shared = len(ours & theirs)
        return shared >= self.threshold * (len(ours) + len(theirs) - shared)

    def _shingles(self, text: str) -> set[str]:
        return {text[start : start + self.shingle] for start in range(len(text) - self.shingle + 1)}

    def _sign(self, texts: Any) -> Any:
        """The least of each hash function over each text's shingles: (functions, texts)."""
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        codes = np.frombuffer("".join(texts).encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
        hashes = np.zeros(len(codes) - self.shingle + 1, dtype=np.uint64)
        for offset in range(self.shingle):
            hashes = hashes * np.uint64(0x100000001B3) + codes[offset : offset + len(hashes)]
        ends = np.cumsum(lengths)
        starts = ends - lengths
        nums = lengths - self.shingle + 1
        # The shingles that begin in one text and end in the next are none.
        positions = np.arange(nums.sum()) + np.repeat(starts - (np.cumsum(nums) - nums), nums)
        hashes = _mix(hashes[positions])
        firsts = np.cumsum(nums) - nums
        return np.stack(
            [
                np.minimum.reduceat((hashes * factor + addend) >> np.uint64(11), firsts)
                for factor, addend in zip(self.factors, self.addends, strict=True)
            ]
        )


def _mix(values: Any) -> Any:
    """splitmix64's finalizer: every bit depends on every other."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def not_first(edges: Any) -> Any:
    """The nodes that hang together with a smaller one."""
    nodes, flat = np.unique(edges, return_inverse=True)
    ends = flat.reshape(-1, 2)
    labels = np.arange(len(nodes))
    while True:
        least = np.minimum(labels[ends[:, 0]], labels[ends[:, 1]])
        before = labels.copy()
        np.minimum.at(labels, ends[:, 0], least)
        np.minimum.at(labels, ends[:, 1], least)
        labels = labels[labels]
        if np.array_equal(labels, before):
            return nodes[labels < np.arange(len(nodes))]
