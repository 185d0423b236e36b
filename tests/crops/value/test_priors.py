"""County yields: what counts of a table, and the prior of the years that were known."""

import datetime as dt

import numpy as np
import pytest

from fieldline.crops.value.prices import Z80
from fieldline.crops.value.priors import Knowing, county_priors, read_yields, yield_problems

AUTUMN = Knowing(dt.date(2024, 9, 30), 2024, published_days=90)
HEADER = "crop,year,yield_t_ha,source\n"


def told(path, knowing=AUTUMN):
    """Rows left out, as (row, column, code)."""
    table = read_yields(path)
    more = yield_problems(table.frame, table.problems, knowing)
    return sorted((p.row, p.column, p.code) for p in (*table.problems, *more))


def test_prior_is_the_mean_of_known_years(tmp_path):
    path = tmp_path / "y.csv"
    years = [(2018, 12.0), (2021, 6.0), (2022, 8.0), (2023, 7.0), (2024, 15.0)]
    path.write_text(HEADER + "".join(f"maize,{year},{value},s\n" for year, value in years))
    prior = county_priors(path, AUTUMN, 3)["maize"]
    assert prior.mean_t_ha == pytest.approx(7.0)
    # Three usual years of .13 and two of its own; t with five degrees of freedom; a mean of three.
    logs = np.log([6, 8, 7])
    spread = np.sqrt((3 * 0.13**2 + 2 * logs.var(ddof=1)) / 5)
    low = logs.mean() - spread * 1.4759 * np.sqrt(4 / 3)
    assert np.log(7) - Z80 * prior.years_log_sd == pytest.approx(low, rel=1e-4)
    assert prior.source == "s, 2021-2023"
    assert told(path) == [(5, "year", "input_after_as_of")]


def test_rows_that_cannot_be_used_are_told_and_the_others_stand(tmp_path):
    path = tmp_path / "y.csv"
    path.write_text(
        HEADER + "maize,2022,6.1,x\nmaize,2023,-,x\nmaize,2021,412,x\nmaize,2020,0,x\n"
        "unicorn,2022,6,x\nmaize,soon,6,x\nmaize,2019,many,x\nrice,2022,0.3,x\n"
    )
    assert told(path) == [
        (2, "yield_t_ha", "input_missing"), (3, "yield_t_ha", "input_implausible"),
        (4, "yield_t_ha", "input_implausible"), (5, "crop", "input_unknown_crop"),
        (6, "year", "input_not_a_number"), (7, "yield_t_ha", "input_not_a_number"),
        (8, "yield_t_ha", "input_implausible"),
    ]  # fmt: skip
    found = county_priors(path, AUTUMN, 3)
    assert {crop: prior.mean_t_ha for crop, prior in found.items()} == {"maize": 6.1}


def test_a_yield_a_decimal_place_off_is_not_averaged_in_and_other_crops_tell_nothing_of_it(
    tmp_path,
):
    path = tmp_path / "y.csv"
    years = [(2018, 0.9), (2019, 1.1), (2020, 1.0), (2021, 0.95), (2022, 1.05), (2023, 10.5)]
    text = HEADER + "".join(f"potato,{year},{40 * value},s\n" for year, value in years[:5])
    text += "".join(f"maize,{year},{value},s\n" for year, value in years)
    path.write_text(text)
    assert told(path) == [(11, "yield_t_ha", "input_implausible")]
    assert county_priors(path, AUTUMN, 3)["maize"].mean_t_ha == pytest.approx(1.0)
    head, *rows = text.splitlines()
    path.write_text(
        "\n".join([f"{head},confirmed", *(f"{r},{r.endswith('10.5,s')}" for r in rows)])
    )
    assert told(path) == []
    assert county_priors(path, AUTUMN, 3)["maize"].mean_t_ha == pytest.approx(12.5 / 3)


def test_a_lost_harvest_is_told_counts_and_makes_the_prior_the_worse_the_worse_it_was(tmp_path):
    path, usual = tmp_path / "y.csv", [9.0, 11.0, 10.0, 9.5, 10.5, 9.8, 10.2, 10.6]
    found = {}
    for last in (9.9, 4.0, 1.05):
        rows = [f"maize,{2015 + n},{value},s\n" for n, value in enumerate([*usual, last])]
        path.write_text(HEADER + "".join(rows))
        found[last] = county_priors(path, AUTUMN, 9)["maize"]
        unusual = [(9, "yield_t_ha", "input_far_from_usual")] if last == 1.05 else []
        assert told(path) == unusual
    assert found[9.9].mean_t_ha > found[4.0].mean_t_ha > found[1.05].mean_t_ha
    assert found[9.9].years_log_sd < found[4.0].years_log_sd < found[1.05].years_log_sd
    assert found[1.05].mean_t_ha == pytest.approx(np.mean([*usual, 1.05]))


def dry(values, first=2016, crop="winter_wheat", tail=",s"):
    return "".join(f"{crop},{first + n},{value}{tail}\n" for n, value in enumerate(values))


def test_a_disaster_under_the_crops_range_counts_where_the_other_years_show_the_unit(tmp_path):
    path = tmp_path / "y.csv"
    # No county has less than .5 t/ha of wheat by the crops' table; 2019 brought .4 of usual 2.
    path.write_text(HEADER + dry([2.1, 1.8, 2.4, 0.4, 1.6]))
    assert told(path) == [(4, "yield_t_ha", "input_far_from_usual")]
    prior = county_priors(path, AUTUMN, 5)["winter_wheat"]
    assert prior.mean_t_ha == pytest.approx((2.1 + 1.8 + 2.4 + 0.4 + 1.6) / 5)
    path.write_text(HEADER + dry([2.1, 1.8, 2.4, 1.6]))
    usual = county_priors(path, AUTUMN, 5)["winter_wheat"]
    low, before = (p.mean_t_ha * np.exp(-Z80 * p.years_log_sd) for p in (prior, usual))
    assert low < 0.7 * before
    path.write_text(HEADER + dry([1.8, 2.4, 0.4, 1.6], 2017))  # three others tell no unit
    assert told(path) == [(3, "yield_t_ha", "input_implausible")]
    path.write_text(HEADER + dry([2.1, 1.8, 2.4, 0.4], 2017) + dry([1.6], 2024))  # nor a later one
    assert told(path) == [(4, "yield_t_ha", "input_implausible"), (5, "year", "input_after_as_of")]


@pytest.mark.parametrize(
    ("yields", "refused"),
    [
        # Four years in t/ha and five in t/mu, the last two of them, and every second one.
        ([6, 6.2, 5.9, 6.1, 0.41, 0.42, 0.40, 0.41, 0.40], [5, 6, 7, 8, 9]),
        ([6, 6.2, 5.9, 6.1, 6.3, 6.0, 6.2, 0.42, 0.40], [8, 9]),
        ([6, 0.41, 6.2, 0.4, 5.9, 0.42, 6.1], [2, 4, 6]),
        # One of five and two of eight that do not follow each other are seasons.
        ([6, 6.2, 0.4, 5.9, 6.1], []),
        ([6, 6.2, 0.4, 5.9, 6.1, 0.42, 6, 6.1], []),
    ],
)  # fmt: skip
def test_a_county_whose_table_changes_its_unit_has_no_disasters(tmp_path, yields, refused):
    path = tmp_path / "y.csv"
    path.write_text(HEADER + dry(yields, 2015, "maize"))
    low = [row + 1 for row, value in enumerate(yields) if value < 1]
    code = "input_implausible" if refused else "input_far_from_usual"
    assert told(path) == [(row, "yield_t_ha", code) for row in low]
    kept = yields if not refused else [value for value in yields if value > 1]
    assert county_priors(path, AUTUMN, 9)["maize"].mean_t_ha == pytest.approx(np.mean(kept))


def test_years_show_the_unit_and_not_rows_that_say_one_year_twice(tmp_path):
    path = tmp_path / "y.csv"
    twice = "".join(f"maize,{year},{value},{who}\n" for year, value in ((2021, 6), (2022, 6.2))
                    for who in "ab")  # fmt: skip
    path.write_text(HEADER + twice + "maize,2023,0.41,a\n")
    assert told(path) == [
        (1, "yield_t_ha", "input_repeated"), (3, "yield_t_ha", "input_repeated"),
        (5, "yield_t_ha", "input_implausible"),
    ]  # fmt: skip
    # A low year that two offices tell alike is one of five.
    path.write_text(HEADER + dry([6, 6.2, 5.9, 6.1], 2015, "maize") + 2 * "maize,2023,0.41,a\n")
    assert told(path) == [
        (5, "yield_t_ha", "input_far_from_usual"), (5, "yield_t_ha", "input_repeated"),
        (6, "yield_t_ha", "input_far_from_usual"),
    ]  # fmt: skip


def test_a_confirmed_total_loss_counts_and_one_that_nobody_confirms_does_not(tmp_path):
    path, head = tmp_path / "y.csv", HEADER.replace("\n", ",confirmed\n")
    usual, found = dry([6, 6.2, 5.9, 6.1], 2019, "maize", ",s,"), {}
    for word, last in (("", 0), ("yes", 0), ("yes", 1.2)):
        path.write_text(f"{head}{usual}maize,2023,{last},s,{word}\n")
        assert told(path) == ([] if word else [(5, "yield_t_ha", "input_implausible")])
        found[word, last] = county_priors(path, AUTUMN, 5)["maize"]
    lost, left_out, poor = found["yes", 0], found["", 0], found["yes", 1.2]
    assert lost.mean_t_ha == pytest.approx(24.2 / 5)
    assert left_out.mean_t_ha == pytest.approx(24.2 / 4)
    assert lost.years_log_sd > 1.5 * poor.years_log_sd > 3 * left_out.years_log_sd
    # A loss lies where a twentieth of the mean does: by hand, as of any other years.
    logs = np.log([6, 6.2, 5.9, 6.1, 0.05 * 24.2 / 5])
    spread = np.sqrt((3 * 0.13**2 + 4 * logs.var(ddof=1)) / 7)
    low = logs.mean() - spread * 1.4149 * np.sqrt(6 / 5)
    assert np.log(24.2 / 5) - Z80 * lost.years_log_sd == pytest.approx(low, rel=1e-3)


def test_nothing_but_lost_years_promises_nothing_and_a_loss_elsewhere_breaks_no_other(tmp_path):
    path, head = tmp_path / "y.csv", HEADER.replace("\n", ",confirmed\n")
    path.write_text(head + dry([0, 0, 0, 0, 0], 2019, "maize", ",s,yes"))
    assert told(path) == []
    assert county_priors(path, AUTUMN, 3) == {}
    rows = [f"{crop}\n" for crop in dry([6, 0, 0, 0, 5, 6], 2018, "maize", ",s,yes").splitlines()]
    path.write_text(head + "".join(rows))
    assert np.isfinite(county_priors(path, AUTUMN, 3)["maize"].years_log_sd)
    table = "crop,county,year,yield_t_ha,source,confirmed\n"
    for name in "abc":
        values = [6, 6.1, 5.8, 6.3, 6, 5.9, 6.2, 6, 6.1, 0 if name != "c" else 6.2]
        table += "".join(f"maize,{name},{2014 + n},{v},s,yes\n" for n, v in enumerate(values))
    path.write_text(table + "".join(f"maize,d,{2014 + n},0,s,yes\n" for n in range(10)))
    for name in "ac":
        knowing = Knowing(dt.date(2024, 9, 30), 2024, (name,), published_days=90)
        prior = county_priors(path, knowing, 5)["maize"]
        assert 0 < prior.mean_t_ha * np.exp(-Z80 * prior.years_log_sd) < prior.mean_t_ha


def test_a_run_of_low_years_counts_where_all_but_one_are_confirmed(tmp_path):
    path = tmp_path / "y.csv"
    rows = dry([6, 6.2, 5.9, 6.1], 2017, "maize", ",s,")
    path.write_text(HEADER.replace("\n", ",confirmed\n") + rows
                    + "maize,2021,0.4,s,yes\nmaize,2022,0.42,s,\n")  # fmt: skip
    assert told(path) == [(6, "yield_t_ha", "input_far_from_usual")]


def test_tonnes_per_mu_are_no_disasters_unless_somebody_says_so(tmp_path):
    path, small = tmp_path / "y.csv", [0.41, 0.42, 0.39, 0.44, 0.40, 0.43]
    path.write_text(HEADER + dry(small))
    assert [code for _, _, code in told(path)] == ["input_implausible"] * 6
    assert county_priors(path, AUTUMN, 5) == {}
    path.write_text(HEADER.replace("\n", ",confirmed\n") + dry(small, tail=",office,yes"))
    assert told(path) == []
    assert county_priors(path, AUTUMN, 6)["winter_wheat"].mean_t_ha == pytest.approx(0.415)


def test_a_confirmed_disaster_counts_and_a_tenth_that_others_contradict_does_not(tmp_path):
    path = tmp_path / "y.csv"
    head = "crop,county,year,yield_t_ha,source,confirmed\n"
    rows = [
        f"rice,{county},{2015 + n},{value},s,\n"
        for county in "abcd"
        for n, value in enumerate([6.0, 6.4, 6.2, 6.6, 6.1, 6.3, 6.2])
    ]
    knowing = Knowing(dt.date(2024, 9, 30), 2024, ("a",), published_days=90)
    for word, row, codes in (("", 0.49, ["input_implausible"]), ("yes", 0.49, [])):
        path.write_text(head + "".join(rows) + f"rice,a,2022,{row},s,{word}\n"
                        + "".join(f"rice,{c},2022,6.2,s,\n" for c in "bcd"))  # fmt: skip
        assert [code for _, _, code in told(path, knowing)] == codes
    assert county_priors(path, knowing, 5)["rice"].mean_t_ha < 6.0


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("yield_kg_mu", "412"), ("单产(公斤/亩)", "412"), ("单产（公斤／亩）", "４１２"),
        ("yield_t_ha", "412 kg/mu"), ("单产", "412公斤/亩"), ("单产(斤/亩)", "824"),
        ("yield (kg/ha)", "6180"), ("Ertrag (dt/ha)", "61.8"), ("Ertrag [t/ha]", "6.18"),
        ("yield_kg_ha", '"6,180"'),
    ],
)  # fmt: skip
def test_a_stated_unit_is_converted(tmp_path, header, cell):
    path = tmp_path / "y.csv"
    path.write_text(f"作物,年份,{header},来源\n玉米,2023,{cell},统计局\n")
    assert county_priors(path, AUTUMN, 3)["maize"].mean_t_ha == pytest.approx(412 * 15 / 1000)


def test_a_table_whose_unit_nobody_states_gives_no_prior(tmp_path):
    path = tmp_path / "y.csv"
    path.write_text("作物,年份,亩产\n玉米,2023,412\n")
    assert told(path) == [(1, "yield_t_ha", "input_unknown_unit")]
    assert county_priors(path, AUTUMN, 3) == {}


def test_a_year_said_twice_counts_once_and_contradicted_not_at_all(tmp_path):
    path = tmp_path / "y.csv"
    path.write_text(
        HEADER + "maize,2021,6,x\nCorn,2021,6,y\nmaize,2022,7,x\nmaize,2022,9,x\nmaize,2023,8,x\n"
    )
    assert told(path) == [
        (1, "yield_t_ha", "input_repeated"), (3, "yield_t_ha", "input_contradicted"),
        (4, "yield_t_ha", "input_contradicted"),
    ]  # fmt: skip
    assert county_priors(path, AUTUMN, 3)["maize"].mean_t_ha == 7.0


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_the_table_of_a_statistics_office_is_read(tmp_path, encoding):
    path = tmp_path / "y.csv"
    text = "作物名称;年份;单产(吨/公顷);数据来源\n玉米;2022年;6,1;统计局\n玉米;2023年;6,3;统计局\n"
    path.write_bytes(text.encode(encoding))
    prior = county_priors(path, AUTUMN, 3)["maize"]
    assert prior.mean_t_ha == pytest.approx(6.2)
    assert prior.source == "统计局, 2022-2023"
