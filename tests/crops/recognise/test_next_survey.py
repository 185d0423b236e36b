import numpy as np
import pandas as pd
import pytest

from fieldline.crops.recognise.next_survey import (
    COLUMNS,
    Candidates,
    SurveyList,
    spread,
    write_survey_list,
)
from fieldline.crops.recognise.places import Places


def candidates(names: str, doubt: list[float], where: list[float]) -> Candidates:
    placed = np.asarray(where, dtype=float)[:, None]
    return Candidates(tuple(names), np.asarray(doubt), placed, tuple(f"why {n}" for n in names))


def test_of_two_equally_doubtful_parcels_the_one_farther_from_every_label_is_first() -> None:
    """On a line with a label at 0: doubts .5 at 1, 4 and 4.5; .1 at 9.

    Worth at first .5, 2, 2.25, .9: the parcel at 4.5. Then 4 is .5 away from it (.25), 1 is 1 away
    from the label (.5) and 9 is 4.5 away from 4.5 (.45).
    """
    where = np.asarray([[1.0], [4.0], [4.5], [9.0]])
    doubt = np.asarray([0.5, 0.5, 0.5, 0.1])
    assert spread(doubt, where, np.zeros((1, 1)), 4) == [2, 0, 3, 1]


def test_without_labels_the_most_ordinary_parcel_is_first_and_the_farthest_from_it_second() -> None:
    where = np.asarray([[0.0], [5.0], [5.5], [12.0]])
    assert spread(np.ones(4), where, None, 2) == [2, 3]


def test_a_parcel_of_an_early_batch_stays_on_the_list_and_a_sure_one_never_comes() -> None:
    kept = SurveyList(2, np.zeros((1, 1)))
    kept.see(candidates("ab", [0.9, 0.0], [5.0, 40.0]))
    for number in range(30):
        kept.see(candidates("cd", [0.2, 0.0], [0.1 + number / 100, 50.0]))
    kept.see(candidates("e", [0.8], [-4.0]))
    assert kept.chosen() == [("a", "why a"), ("e", "why e")]


def test_the_list_is_a_survey_table_with_empty_answers(tmp_path) -> None:
    places = Places(
        ("a", "b"), ("V1", None), ("f", "f"), np.asarray([[7.1234567, 50.0], [np.nan, np.nan]]),
        np.full(2, np.nan),
    )  # fmt: skip
    write_survey_list([("b", "unlike any label"), ("a", "no model yet")], places, tmp_path / "n")
    table = pd.read_csv(tmp_path / "n")
    assert list(table.columns) == list(COLUMNS)
    assert table["parcel_id"].tolist() == ["b", "a"]
    assert table.loc[1, ["village", "lon", "lat"]].tolist() == ["V1", 7.123457, 50.0]
    assert table[["crop", "surveyed_on"]].isna().all(axis=None)


@pytest.mark.parametrize("size", [0, 3])
def test_a_list_holds_no_more_than_was_asked(size: int) -> None:
    kept = SurveyList(size, None)
    kept.see(candidates("abcdef", [0.5] * 6, [0.0, 1, 2, 3, 4, 5]))
    assert len(kept.chosen()) == size
