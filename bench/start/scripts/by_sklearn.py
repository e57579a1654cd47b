"""scikit-learn: `MLPClassifier`, whose defaults are relu and Adam."""

import warnings

from work import BATCH, PREDICTED, SIZES, Clock, rows

clock = Clock()
from sklearn.neural_network import MLPClassifier  # noqa: E402

clock.lap("import")
X, y = rows()
clock.lap("data")
warnings.simplefilter("ignore")  # one epoch does not converge, it says
net = MLPClassifier(SIZES[1:-1], batch_size=BATCH, max_iter=1).fit(X, y)
clock.lap("fit")
prediction = net.predict_proba(X[:PREDICTED])[:, 1]
clock.lap("predict")
clock.report(prediction)
