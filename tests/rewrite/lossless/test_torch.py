"""Back to the source: a torch module loses the same channels, and gives what it gave."""

from __future__ import annotations

import torch
from torch import nn

from nnea_graph.api.prune import prune


class Net(nn.Module):
    """A repeated channel, one that is dead behind its normalization, and one that is always 0.5."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 6, 3, bias=False)
        self.head = nn.Linear(6 * 36, 10, bias=False)
        with torch.no_grad():
            for each in (self.first.weight, self.first.bias, self.norm.weight, self.norm.bias):
                if each is not None:
                    each[5] = each[1]
            self.norm.weight[3], self.norm.bias[3] = 0, -1
            self.norm.weight[6], self.norm.bias[6] = 0, 0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.second(torch.relu(self.norm(self.first(x)))))
        return torch.as_tensor(self.head(inner.flatten(1)))


def test_the_module_becomes_as_small_and_gives_the_same() -> None:
    net = Net().eval()
    x = torch.randn(4, 3, 8, 8)
    before = net(x).detach()
    found = prune(net, None, "exact", input_shapes={"": (2, 3, 8, 8)}, rounds=2)
    assert found.report.met
    found.plan.apply_to(net)
    assert net.first.weight.shape == (5, 3, 3, 3)
    assert net.second.weight.shape == (6, 5, 3, 3)
    assert net.second.bias is not None  # what the constant channel has left
    after = net(x).detach()
    assert float((after - before).abs().max()) < 1e-5 * float(before.abs().max())
