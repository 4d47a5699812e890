"""Ways to split a task, the most promising first."""

from batch_jobs.decompose.contract import Method
from batch_jobs.decompose.methods.cascade import Cascade
from batch_jobs.decompose.methods.codes import OneVsRest, OutputCodes
from batch_jobs.decompose.methods.components import Components
from batch_jobs.decompose.methods.feature_groups import FeatureGroups
from batch_jobs.decompose.methods.hierarchy import Hierarchy
from batch_jobs.decompose.methods.regions import InClusters, InMixture, InTree

METHODS: tuple[Method, ...] = (
    Cascade(),
    Hierarchy(),
    Components(),
    InTree(),
    InMixture(),
    OutputCodes(),
    InClusters(),
    FeatureGroups(),
    OneVsRest(),
)
