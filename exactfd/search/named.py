"""The claims by name."""

from __future__ import annotations

from exactfd.search.claims import AttainsUpperBound, Claim, HiddenSymmetry, MissesUpperBound, WidthOneChain
from exactfd.search.pairs import FiberDimension, NotSemicontinuous
from exactfd.search.ranks import BatchMissesSupremum, FloatRankWrong
from exactfd.search.shapes import FacetsDrop, FullDimensionWithoutTPIC, SignsTurned, TPICWithoutLRA

CLAIMS: dict[str, type[Claim]] = {
    claim.name: claim
    for claim in (
        AttainsUpperBound,
        MissesUpperBound,
        HiddenSymmetry,
        FiberDimension,
        NotSemicontinuous,
        FullDimensionWithoutTPIC,
        TPICWithoutLRA,
        SignsTurned,
        FacetsDrop,
        FloatRankWrong,
        BatchMissesSupremum,
        WidthOneChain,
    )
}
