"""One rank of PyTorch's DDP over gloo, which a rank of `bench.ranks` starts and tells what to do.

Takes FOLDER RANK SIZE: arrays of `FOLDER/RANK.npz`, ranks that meet by a file in FOLDER. Each line
of stdin names a way and a number of steps; the answer is a line of JSON: seconds, and the costs of
the steps. Needs NumPy and PyTorch alone.
"""

import hashlib
import json
import os
import sys
import time

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


class Way:
    """A network of its own, trained on this rank's batches alone or with all ranks."""

    def __init__(self, given, name: str, shared: bool) -> None:
        layers = []
        for i in range(int(given["layers"])):
            W, b = (torch.from_numpy(given[f"{letter}{i}"].copy()) for letter in "Wb")
            layer = nn.Linear(*W.shape)
            with torch.no_grad():
                layer.weight.copy_(W.T)
                layer.bias.copy_(b)
            layers += [layer, nn.ReLU()]
        net = nn.Sequential(*layers[:-1])
        # gradients that are views of what is sent spare a copy
        self.net = DistributedDataParallel(net, gradient_as_bucket_view=True) if shared else net
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3, eps=1e-8, fused=True)
        self.loss = nn.CrossEntropyLoss()
        X, y = (torch.from_numpy(given[f"{name}_{letter}"]) for letter in "Xy")
        size = int(given["batch"])
        self.batches = list(zip(X.split(size), y.split(size), strict=True))
        self.step = 0

    def __call__(self, steps: int) -> list[float]:
        """Take steps; return their costs."""
        costs = torch.empty(steps)
        for i in range(steps):
            X, y = self.batches[i % len(self.batches)]
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.net(X), y)
            loss.backward()
            self.optimizer.step()
            costs[i] = loss.detach()
        return costs.tolist()

    def digest(self) -> str:
        """Return a digest of the parameters."""
        found = hashlib.sha256()
        for parameter in self.net.parameters():
            found.update(parameter.detach().numpy().tobytes())
        return found.hexdigest()


def main() -> None:
    """Be one rank until stdin ends."""
    folder, rank, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    store = distributed.FileStore(os.path.join(folder, "store"), size)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=size)
    given = np.load(f"{folder}/{rank}.npz")
    ways = {"apart": Way(given, "apart", False), "shared": Way(given, "shared", True)}
    print(json.dumps(torch.__version__), flush=True)
    for line in sys.stdin:
        name, steps = line.split()
        began = time.perf_counter()
        costs = ways[name](int(steps))
        seconds = time.perf_counter() - began
        print(json.dumps([seconds, costs, ways[name].digest()]), flush=True)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
