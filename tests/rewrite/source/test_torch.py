"""A plan carried out on the torch module: it gives what the pruned ONNX model gives, and trains."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from nnea_graph import prune
from nnea_graph.errors import ModelError
from nnea_graph.rewrite.options import Pruned

RNG = np.random.default_rng(0)


def settled(net: nn.Module, *shape: int) -> nn.Module:
    """With running statistics that are not those of a new network, in eval mode."""
    torch.manual_seed(0)
    net.train()
    for _ in range(3):
        net(torch.randn(16, *shape) * 2 + 1)
    for each in net.modules():
        if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(each.weight, 0.5, 1.5)
            nn.init.normal_(each.bias)
    return net.eval()


def pruned(net: nn.Module, *shape: int, target: str = "params=0.5") -> Pruned:
    x = RNG.standard_normal((70, *shape)).astype(np.float32)
    return prune(net, x, target, align=1, rivals=False, rounds=2)


def alike(found: Pruned, net: nn.Module, *shape: int) -> None:
    x = RNG.standard_normal((5, *shape)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        found.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    with torch.no_grad():
        np.testing.assert_allclose(
            net(torch.from_numpy(x)).numpy(), expected, atol=1e-4 * np.abs(expected).max()
        )


class Residual(nn.Module):
    """A sum of two branches, each with a normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.inner = nn.Conv2d(12, 12, 3, padding=1, bias=False)
        self.inner_norm = nn.BatchNorm2d(12)
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """N×3×H×W to N×4."""
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(x + self.inner_norm(self.inner(x)))
        head: torch.Tensor = self.head(x.mean((2, 3)))
        return head


def depthwise() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 5, 1),
        nn.Flatten(),
        nn.Linear(5 * 16, 3),
    )


def root_mean_squares() -> nn.Module:
    """Normalizations whose channels go, with an epsilon of their own and with that of the type."""
    norms = nn.RMSNorm(20, eps=0.1), nn.RMSNorm(20)
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    return nn.Sequential(nn.Linear(6, 20), norms[0], nn.SiLU(), norms[1], nn.Linear(20, 2))


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "dense": (lambda: nn.Sequential(nn.Linear(9, 20), nn.ReLU(), nn.Linear(20, 4)), (9,)),
    "dense without biases": (
        lambda: nn.Sequential(nn.Linear(9, 20, bias=False), nn.ReLU(), nn.Linear(20, 4, bias=False)),
        (9,),
    ),
    "one axis": (
        lambda: nn.Sequential(nn.Conv1d(3, 12, 3), nn.BatchNorm1d(12), nn.ReLU(), nn.Conv1d(12, 2, 3)),
        (3, 11),
    ),
    "three axes": (
        lambda: nn.Sequential(nn.Conv3d(1, 8, 2), nn.BatchNorm3d(8), nn.ReLU(), nn.Conv3d(8, 2, 2)),
        (1, 4, 4, 4),
    ),
    "residual": (Residual, (3, 6, 6)),
    "depthwise": (depthwise, (2, 4, 4)),
    "tokens": (
        lambda: nn.Sequential(
            nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 6), nn.LayerNorm(6), nn.Linear(6, 2)
        ),
        (5, 6),
    ),
    "root mean squares": (root_mean_squares, (5, 6)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_module_gives_what_the_pruned_model_gives_and_trains(name: str) -> None:
    make, shape = CASES[name]
    net = settled(make(), *shape)
    found = pruned(net, *shape)
    before = sum(each.numel() for each in net.parameters())
    assert found.plan.apply_to(net) is net
    assert sum(each.numel() for each in net.parameters()) < 0.75 * before
    alike(found, net, *shape)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    x = torch.randn(8, *shape)
    first = net.train()(x).square().mean()
    first.backward()
    optimizer.step()
    assert net(x).square().mean() < first


def test_numbers_of_channels_are_set() -> None:
    net = settled(depthwise(), 2, 4, 4)
    pruned(net, 2, 4, 4).plan.apply_to(net)
    first, middle, norm, last = (net.get_submodule(str(place)) for place in (0, 2, 3, 5))
    left = first.out_channels
    assert isinstance(left, int)
    assert left < 12
    assert (middle.in_channels, middle.out_channels, middle.groups) == (left, left, left)
    assert norm.num_features == last.in_channels == left


class Shuffle(nn.Module):
    """Five channels a group are not even after the shuffle: what goes is another list in each group."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 10, 1)
        self.first = nn.Conv2d(10, 10, 1, groups=2)
        self.second = nn.Conv2d(10, 6, 3, groups=2)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(self.stem(x).relu()).relu()
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(x.shape)
        return torch.as_tensor(self.head(self.second(x).relu().mean((2, 3))))


def test_groups_of_a_convolution_lose_lists_of_their_own() -> None:
    net = settled(Shuffle(), 3, 6, 6)
    found = pruned(net, 3, 6, 6, target="macs=0.6")
    assert any(stays.ndim == 2 for stays in found.plan.kept.values())
    found.plan.apply_to(net)
    alike(found, net, 3, 6, 6)
    second = net.get_submodule("second")
    assert isinstance(second, nn.Conv2d)
    assert second.groups == 2
    assert second.weight.shape[1] == second.in_channels // 2 < 5


def test_another_module_is_refused_and_left_alone() -> None:
    found = pruned(nn.Sequential(nn.Linear(9, 20), nn.ReLU(), nn.Linear(20, 4)), 9)
    other = nn.Sequential(nn.Linear(9, 20), nn.Tanh(), nn.Linear(20, 4))
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(ModelError, match="does not give what the pruned model gives"):
        found.plan.apply_to(other)
    assert all(torch.equal(before[name], each) for name, each in other.state_dict().items())
    assert other[0].out_features == 20
