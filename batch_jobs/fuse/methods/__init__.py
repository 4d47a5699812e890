"""The ways to combine models, the simplest first."""

from batch_jobs.fuse.methods.contract import Combination, Method, Settings
from batch_jobs.fuse.methods.stacking import Blending, StackingLinear
from batch_jobs.fuse.methods.trees import StackingTrees
from batch_jobs.fuse.methods.voting import HardVoting, SoftVoting
from batch_jobs.fuse.methods.weighting import Averaging, ConvexWeighting, GreedyWeighting

METHODS: tuple[Method, ...] = (
    Averaging(),
    HardVoting(),
    GreedyWeighting(),
    ConvexWeighting(),
    SoftVoting(),
    Blending(),
    StackingLinear(),
    StackingTrees(),
)

__all__ = ["METHODS", "Combination", "Method", "Settings"]
