import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from fieldline.crops.recognise.forest import Forest, fit_forest


def test_the_arrays_answer_as_scikit_learn_does() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(0, 1, (300, 10)).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] ** 2 > 1).astype(int) + (rows[:, 2] > 1)
    mine = fit_forest(rows, labels, trees=25, min_leaf=1, threads=1, seed=3)
    theirs = ExtraTreesClassifier(25, max_features="sqrt", random_state=3).fit(rows, labels)
    fresh = random.normal(0, 1, (500, 10)).astype(np.float32)
    assert np.allclose(mine.predict(fresh), theirs.predict_proba(fresh), atol=1e-12)
    again = Forest.of(mine.arrays())
    assert np.array_equal(again.predict(fresh), mine.predict(fresh))
