"""Statistics of many numbers in one pass: entropy, inequality, sparsity, coverage."""

from nnea_graph.stats.accumulator import Accumulator, accumulate, measure
from nnea_graph.stats.channel_sums import ChannelSums
from nnea_graph.stats.metrics import DistributionMetrics, metrics

__all__ = ["Accumulator", "ChannelSums", "DistributionMetrics", "accumulate", "measure", "metrics"]
