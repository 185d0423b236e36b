from fieldline.crops.recognise.gate import Held, objections


def held(f1: float, precision: float = 0.9, recall: float = 0.9, series: int = 100) -> Held:
    row = {"series": series, "precision": precision, "recall": recall}
    return Held(f1, 0.2, {"maize": row})


def test_a_model_that_holds_has_nothing_against_it() -> None:
    assert list(objections(held(0.9), held(0.9), False)) == []
    assert list(objections(held(0.89, 0.885), held(0.9), False)) == []


def test_each_fall_is_named_with_its_numbers() -> None:
    assert list(objections(held(0.85, 0.8, 0.7), held(0.9), False)) == [
        "macro-F1 falls from 0.900 to 0.850",
        "precision of maize falls from 0.900 to 0.800 on 100 series",
        "recall of maize falls from 0.900 to 0.700 on 100 series",
    ]


def test_a_class_of_few_series_is_not_judged_alone() -> None:
    assert list(objections(held(0.9, 0.5, 0.5, 12), held(0.9, 0.9, 0.9, 12), False)) == []


def test_no_skill_and_its_own_labels_are_no_evidence() -> None:
    (own, skill) = objections(held(0.21), None, True)
    assert "learnt from" in own
    assert skill == "macro-F1 0.210 has no skill over the commonest class (0.200)"
