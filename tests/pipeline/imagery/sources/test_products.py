"""Sentinel-2 products as downloaded, as an archive of scenes.

Reflectances follow from the numbers by ESA's formula: (digital number + BOA_ADD_OFFSET) divided by
the quantification value; 1500 of baseline 04.00 is 0.05, 500 of an older one too.
"""

from __future__ import annotations

import datetime as dt
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.windows import Window
from shapely.geometry import shape

from fieldline.pipeline.imagery.mosaic import read_day
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.safe.files import ProductFiles
from fieldline.pipeline.imagery.safe.product import product_items
from fieldline.pipeline.imagery.scene_days import read_scene_days
from fieldline.pipeline.imagery.scenes import plan_scenes, run_scenes
from fieldline.pipeline.imagery.settings import PullSettings, SceneSettings
from fieldline.pipeline.imagery.sources.archive import archive_items
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.pulling import told
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    EAGER,
    GRID,
    SEASON,
    TinyScene,
    X,
    Y,
    outlines,
    pixel_box,
    scene_settings,
    tiny_grid,
    write_archive,
    write_parcels,
)
from tests.pipeline.imagery.tiny_safe import TinyProduct, write_safe, zipped

EDGE = 60
SCENES = scene_settings("B02", "B04", "B8A", collection="sentinel-2-l2a", mask=AS_DRAWN)


def numbers(seed: int, shift: int = 0) -> dict[str, Any]:
    """Return bands whose every pixel is another number, and one clouded corner."""
    generator = np.random.default_rng(seed)
    classes = np.full((EDGE // 2, EDGE // 2), 4)
    classes[:3, :5] = 9
    full = {band: generator.integers(200, 6000, (EDGE, EDGE)) + shift for band in ("B02", "B04")}
    half = generator.integers(1500, 6000, (EDGE // 2, EDGE // 2)) + shift
    return {**full, "B8A": half, "SCL": classes}


def run(folder: Path, catalog: Path, scenes: SceneSettings = SCENES) -> Path:
    """Choose and observe two parcels; return the results folder."""
    shapes = {"a": pixel_box(0.3, 0.6, 11.5, 9.2), "b": pixel_box(20.1, 14.0, 31.7, 33.3)}
    parcels = write_parcels(folder / "parcels.parquet", shapes)
    results = folder / "results"
    run_scenes(
        catalog=catalog, parcels=parcels, season=SEASON, scenes=scenes,
        out=results / "scenes.parquet", outcomes=results / "chosen.parquet",
    )  # fmt: skip
    run_observe(
        scenes=results / "scenes.parquet", parcels=parcels, grid=GRID, scene_settings=scenes,
        settings=EAGER, out=results / "observations.parquet",
        outcomes=results / "observed.parquet",
    )  # fmt: skip
    return results


def pixels(results: Path) -> list[Any]:
    """Return the county's pixels of every day."""
    whole = Window(0, 0, EDGE, EDGE)
    return [
        read_day(day, tiny_grid(EDGE, EDGE), whole, SCENES.bands, SCENES.mask)
        for day in read_scene_days(results / "scenes.parquet")
    ]


def test_each_product_is_reflectance_by_its_own_metadata(tmp_path: Path) -> None:
    """The same ground before and after January 2022: 500 and 1500 are both 0.05."""
    old, new = numbers(1), numbers(1, shift=1000)
    write_safe(tmp_path / "in" / "2021", TinyProduct(old))
    write_safe(
        tmp_path / "in" / "2022" / "deep",
        TinyProduct(new, day=dt.date(2021, 6, 10), baseline="04.00", offset=-1000),
    )
    first, second = pixels(run(tmp_path, tmp_path / "in"))
    expected = old["B04"] / 10000
    clear = np.repeat(np.repeat(old["SCL"] == 4, 2, axis=0), 2, axis=1)
    np.testing.assert_allclose(first[1][clear], expected[clear], atol=1e-6)
    np.testing.assert_allclose(second[1][clear], expected[clear], atol=1e-6)
    assert np.isnan(first[1][~clear]).all()
    coarse = np.repeat(np.repeat(old["B8A"], 2, axis=0), 2, axis=1) / 10000
    np.testing.assert_allclose(first[2][clear], coarse[clear], atol=1e-6)


def test_a_zip_gives_what_its_folder_gives(tmp_path: Path) -> None:
    for name in ("folder", "zip"):
        safe = write_safe(tmp_path / name / "in", TinyProduct(numbers(3)))
        if name == "zip":
            zipped(safe)
    folder, packed = (run(tmp_path / n, tmp_path / n / "in") for n in ("folder", "zip"))
    left, right = (read_table(r / "observations.parquet") for r in (folder, packed))
    assert len(left) == 2
    assert left.equals(right)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_plan_tells_the_sizes_of_a_products_files(tmp_path: Path, packed: bool) -> None:
    safe = write_safe(tmp_path / "in", TinyProduct(numbers(3)))
    wanted = ("B02_10m", "B04_10m", "B8A_20m", "SCL_20m")
    sizes = [p.stat().st_size for p in safe.rglob("*.jp2") if p.stem.endswith(wanted)]
    if packed:
        zipped(safe)
    plan = plan_scenes(
        catalog=tmp_path / "in", outlines=outlines({"a": pixel_box(0.3, 0.6, 11.5, 9.2)}),
        season=SEASON, scenes=SCENES, grid=GRID, pull=PullSettings(), folder=tmp_path / "out",
    )  # fmt: skip
    assert [(scene.files, scene.unknown_files) for scene in plan.scenes] == [(4, 0)]
    assert len(sizes) == 4
    assert plan.scenes[0].bytes_there == sum(sizes)


def test_scenes_of_a_zip_move_with_the_work_folder(tmp_path: Path) -> None:
    zipped(write_safe(tmp_path / "one" / "in", TinyProduct(numbers(3))))
    results = run(tmp_path / "one", tmp_path / "one" / "in")
    shutil.move(tmp_path / "one", tmp_path / "two")
    (there,) = pixels(tmp_path / "two" / results.relative_to(tmp_path / "one"))
    assert np.isfinite(there).any()


def test_metadata_of_early_products_are_read(tmp_path: Path) -> None:
    """Elements and files carried `L2A_` until 2018."""
    write_safe(tmp_path / "in", TinyProduct(numbers(5), early=True, baseline="02.06"))
    results = run(tmp_path, tmp_path / "in")
    (seen,) = pixels(results)
    assert seen[0][-1, -1] == pytest.approx(numbers(5)["B02"][-1, -1] / 10000)
    assert set(read_table(results / "observations.parquet")["baseline"]) == {"02.06"}


def test_a_renamed_folder_and_a_folder_around_the_folder_are_found(tmp_path: Path) -> None:
    safe = write_safe(tmp_path / "in", TinyProduct(numbers(1)))
    safe.rename(tmp_path / "in" / "may")
    other = write_safe(tmp_path / "x", TinyProduct(numbers(2), day=dt.date(2021, 6, 10)))
    shutil.move(other, tmp_path / "in" / other.name / other.name)
    chosen = told(run(tmp_path, tmp_path / "in") / "chosen.parquet")
    assert [code for code, _ in chosen.values()] == ["ok", "ok"]
    assert set(chosen) == {TinyProduct({}).name, other.stem}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [("metadata", "absent"), ("xml", "not_xml"), ("short", "_bytes"), ("zip", "not_a_whole_zip"),
     ("images", "no_image")],
)  # fmt: skip
def test_a_product_half_downloaded_costs_one_scene(
    tmp_path: Path, damage: str, reason: str
) -> None:
    write_safe(tmp_path / "in", TinyProduct(numbers(1)))
    half = write_safe(tmp_path / "in", TinyProduct(numbers(2), day=dt.date(2021, 6, 10)))
    _break(half, damage)
    chosen = told(run(tmp_path, tmp_path / "in") / "chosen.parquet")
    assert chosen[TinyProduct({}).name][0] == "ok"
    code, words = chosen[half.stem]
    assert code == "scene_broken_product"
    assert reason in words


def _break(safe: Path, damage: str) -> None:
    metadata = safe / "MTD_MSIL2A.xml"
    if damage == "metadata":
        metadata.unlink()
    elif damage == "xml":
        metadata.write_bytes(metadata.read_bytes()[:900])
    elif damage == "short":
        image = next(safe.rglob("*_B04_10m.jp2"))
        image.write_bytes(image.read_bytes()[:-50])
    elif damage == "zip":
        path = zipped(safe)
        path.write_bytes(path.read_bytes()[:-500])
    else:
        shutil.rmtree(safe / "GRANULE")


@pytest.mark.parametrize("left", ["MSK_DETFOO", "MSK_QUALIT", ""])
def test_quality_masks_of_a_band_are_never_the_band(tmp_path: Path, left: str) -> None:
    """From baseline 04.00 on masks are images whose names end like those of bands."""
    made = TinyProduct(numbers(1, shift=1000), baseline="04.00", offset=-1000)
    safe = write_safe(tmp_path / "in", made)
    for mask in safe.rglob("MSK_*.jp2"):
        if left and not mask.name.startswith(left):
            mask.unlink()
    (item,) = product_items(ProductFiles(safe))
    assert set(item["assets"]) == {"B02_10m", "B04_10m", "B8A_20m", "SCL_20m"}
    results = run(tmp_path, tmp_path / "in")
    assert told(results / "chosen.parquet")[safe.stem][0] == "ok"
    assert len(read_table(results / "observations.parquet")) == 2


def test_scene_classes_among_the_quality_data_are_the_mask(tmp_path: Path) -> None:
    safe = write_safe(tmp_path / "in", TinyProduct(numbers(1), early=True, baseline="02.06"))
    classes = next(safe.rglob("*_SCL_20m.jp2"))
    quality = classes.parents[2] / "QI_DATA"
    quality.mkdir()
    shutil.move(classes, quality / classes.name)
    (item,) = product_items(ProductFiles(safe))
    assert item["assets"]["SCL_20m"]["href"] == (quality / classes.name).as_posix()
    (seen,) = pixels(run(tmp_path, tmp_path / "in"))
    assert np.isnan(seen[0][0, 0])
    assert seen[0][-1, -1] == pytest.approx(numbers(1)["B02"][-1, -1] / 10000)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("seed", range(6))
def test_a_zip_with_damaged_bytes_costs_one_scene(tmp_path: Path, method: int, seed: int) -> None:
    """Packed data raise what their own library raises, beside what `zipfile` does."""
    write_safe(tmp_path / "in", TinyProduct(numbers(1)))
    safe = write_safe(tmp_path / "x", TinyProduct(numbers(2), day=dt.date(2021, 6, 10)))
    target = tmp_path / "in" / f"{safe.stem}.zip"
    with zipfile.ZipFile(target, "w", method) as packed:
        packed.write(safe / "MTD_MSIL2A.xml", f"{safe.name}/MTD_MSIL2A.xml")
    data = bytearray(target.read_bytes())
    start, size = 30 + len(f"{safe.name}/MTD_MSIL2A.xml"), 300
    data[start : start + size] = np.random.default_rng(seed).bytes(size)
    target.write_bytes(data)
    found = archive_items(tmp_path / "in", "sentinel-2-l2a")
    assert [source.name for source in found.sources] == [TinyProduct({}).name]
    assert [(b.name, b.reason, b.code) for b in found.broken] == [
        (safe.stem, "unreadable", "scene_broken_product")
    ]


@pytest.mark.parametrize("version", [99, 255])
def test_a_zip_of_a_later_kind_costs_one_scene(tmp_path: Path, version: int) -> None:
    write_safe(tmp_path / "in", TinyProduct(numbers(1)))
    made = zipped(write_safe(tmp_path / "in", TinyProduct(numbers(2), day=dt.date(2021, 6, 10))))
    data = bytearray(made.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = version  # needed to extract the first member
    made.write_bytes(data)
    (broken,) = archive_items(tmp_path / "in", "sentinel-2-l2a").broken
    assert (broken.reason, broken.code) == ("not_a_whole_zip", "scene_broken_product")


def test_a_band_that_was_not_downloaded_is_named(tmp_path: Path) -> None:
    safe = write_safe(tmp_path / "in", TinyProduct(numbers(1)))
    next(safe.rglob("*_B8A_20m.jp2")).unlink()
    chosen = told(run(tmp_path, tmp_path / "in") / "chosen.parquet")
    assert chosen[safe.stem] == ("scene_missing_band", "bands=B8A")


def test_another_level_is_one_outcome_beside_usable_products(tmp_path: Path) -> None:
    write_safe(tmp_path / "in", TinyProduct(numbers(1)))
    top = write_safe(tmp_path / "in", TinyProduct(numbers(1), level="1C"))
    chosen = told(run(tmp_path, tmp_path / "in") / "chosen.parquet")
    assert chosen[top.stem][0] == "scene_not_level_2a"


def test_a_folder_of_another_level_only_is_refused(tmp_path: Path) -> None:
    write_safe(tmp_path / "in", TinyProduct(numbers(1), level="1C"))
    with pytest.raises(UserError, match=r"no Level-2A product.*download the L2A products"):
        run(tmp_path, tmp_path / "in")


def test_a_folder_without_products_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UserError, match=r"no Sentinel-2 product and no catalog\.json"):
        run(tmp_path, tmp_path / "in")


def test_products_are_no_other_collection(tmp_path: Path) -> None:
    write_safe(tmp_path / "in", TinyProduct(numbers(1)))
    with pytest.raises(UserError, match=r"set scenes\.collection to sentinel-2-l2a"):
        run(tmp_path, tmp_path / "in", SCENES.model_copy(update={"collection": "other"}))


def test_a_folder_with_a_catalog_is_the_catalog(tmp_path: Path) -> None:
    bands = {"B04": np.full((EDGE, EDGE), 700)}
    write_archive(tmp_path / "in", [TinyScene("a", bands)])
    results = run(tmp_path, tmp_path / "in", scene_settings("B04"))
    assert told(results / "chosen.parquet")["a"][0] == "ok"


def test_a_footprint_over_the_antimeridian_is_cut_there(tmp_path: Path) -> None:
    safe = write_safe(tmp_path, TinyProduct(numbers(1)))
    metadata = safe / "MTD_MSIL2A.xml"
    text = metadata.read_text()
    start, end = text.index("<EXT_POS_LIST>") + 14, text.index("</EXT_POS_LIST>")
    ring = "-17 179 -17 -179.5 -18 -179.5 -18 179 -17 179"
    metadata.write_text(text[:start] + ring + text[end:])
    (item,) = product_items(ProductFiles(safe))
    assert item["bbox"] == [-180.0, -18.0, 180.0, -17.0]
    footprint = shape(item["geometry"])
    assert footprint.area == pytest.approx(1.5)
    assert sorted(part.bounds for part in footprint.geoms) == [
        (-180.0, -18.0, -179.5, -17.0),
        (179.0, -18.0, 180.0, -17.0),
    ]


def test_of_two_baselines_of_a_datatake_the_newest_usable_one_counts(tmp_path: Path) -> None:
    made = [
        TinyProduct(numbers(1)),
        TinyProduct(numbers(1, 1000), baseline="05.00", offset=-1000, processed="20230401T000000"),
        TinyProduct(numbers(1, 1000), baseline="05.10", offset=-1000, processed="20240401T000000"),
    ]
    *_, newest = [write_safe(tmp_path / "in", product) for product in made]
    next(newest.rglob("*_B04_10m.jp2")).unlink()
    results = run(tmp_path, tmp_path / "in")
    chosen = told(results / "chosen.parquet")
    assert [chosen[product.name] for product in made[:2]] == [
        ("scene_duplicate", f"id={made[1].name}"),
        ("ok", "cloud=7.5 baseline=05.00"),
    ]
    assert chosen[made[2].name][0] == "scene_missing_band"
    assert set(read_table(results / "observations.parquet")["baseline"]) == {"05.00"}


def test_pieces_of_a_datatake_that_complete_each_other_are_kept(tmp_path: Path) -> None:
    """A tile cut by the end of a datastrip comes as two products of the same datatake."""
    first = TinyProduct(numbers(1))
    second = TinyProduct(numbers(2), corner=(X + 300, Y), processed="20210602T000000")
    for product in (first, second):
        write_safe(tmp_path / "in", product)
    chosen = told(run(tmp_path, tmp_path / "in") / "chosen.parquet")
    assert {code for code, _ in chosen.values()} == {"ok"}
