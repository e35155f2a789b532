"""Back to the source: a torch module loses the same channels, and gives what it gave."""

from __future__ import annotations

import torch
from torch import nn

from nnea_graph.pruner import prune


def planted() -> nn.Sequential:
    """A repeated channel, one that is dead behind its normalization, and one that is always 0.5."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 6, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 36, 10, bias=False),
    )
    with torch.no_grad():
        for each in (net[0].weight, net[0].bias, net[1].weight, net[1].bias):
            each[5] = each[1]
        net[1].weight[3], net[1].bias[3] = 0, -1
        net[3].weight[2], net[3].bias[2] = 0, 0.5
    return net.eval()


def test_the_module_becomes_as_small_and_gives_the_same() -> None:
    net = planted()
    x = torch.randn(4, 3, 8, 8)
    before = net(x).detach()
    found = prune(net, None, "exact", input_shapes={"": (2, 3, 8, 8)}, rounds=2)
    assert found.report.met
    found.plan.apply_to(net)
    assert tuple(net[0].weight.shape) == (6, 3, 3, 3)
    assert tuple(net[3].weight.shape) == (5, 6, 3, 3)
    assert tuple(net[6].weight.shape) == (10, 180)
    assert float((net(x) - before).abs().max()) < 1e-5 * float(before.abs().max())
