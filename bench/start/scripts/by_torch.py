"""PyTorch, eager: a `Sequential`, its fused Adam, and batches sliced by hand."""

from work import BATCH, PREDICTED, SIZES, Clock, rows

clock = Clock()
import torch  # noqa: E402
from torch import nn  # noqa: E402

clock.lap("import")
X, y = map(torch.from_numpy, rows())
clock.lap("data")
n, first, second, last = SIZES
net = nn.Sequential(
    nn.Linear(n, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, last)
)
optimizer = torch.optim.Adam(net.parameters(), fused=True)
loss, y = nn.BCEWithLogitsLoss(), y[:, None].float()
for batch in torch.randperm(len(X)).split(BATCH):
    optimizer.zero_grad()
    loss(net(X[batch]), y[batch]).backward()
    optimizer.step()
clock.lap("fit")
with torch.no_grad():
    prediction = torch.sigmoid(net(X[:PREDICTED]))[:, 0].numpy()
clock.lap("predict")
clock.report(prediction)
