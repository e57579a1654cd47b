"""fastnn: `Network.fit` and `Network.predict_proba`."""

from work import BATCH, PREDICTED, SIZES, Clock, rows

clock = Clock()
from fastnn import Adam, Network  # noqa: E402

clock.lap("import")
X, y = rows()
clock.lap("data")
net = Network.mlp(SIZES, hidden="relu", output="sigmoid")
net.fit(X, y, epochs=1, batch_size=BATCH, optimizer=Adam(), progress=False)
clock.lap("fit")
prediction = net.predict_proba(X[:PREDICTED])[:, 1]
clock.lap("predict")
clock.report(prediction, *net.parameters.values())
