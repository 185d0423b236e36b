"""The network and its tiles: the order of dates, missing dates, seams and seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.networks.machine import Machine
from fieldline.crops.segment.augment import Area
from fieldline.crops.segment.predict import predict
from fieldline.crops.segment.stack import Scenes, days_of_catalog, grid_of, mask_of
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.errors import UserError
from tests.crops.segment.farmland import BANDS, checks, write_archive

torch = pytest.importorskip("torch")
CPU = Machine("cpu", 1, False)


def _network(bands: int = 4):
    from fieldline.crops.segment.network import Architecture, PairNetwork

    torch.manual_seed(0)
    return PairNetwork(Architecture(bands, 8)).eval()


def test_order_and_doubling_of_dates_change_nothing_and_an_unseen_date_counts_for_nothing() -> None:
    network, stack = _network(), torch.rand(1, 3, 4, 16, 16)
    with torch.inference_mode():
        once = network(stack)
        turned = network(stack.flip(1))
        unseen = network(torch.cat([stack, torch.full((1, 2, 4, 16, 16), torch.nan)], dim=1))
        one_less = network(stack[:, :2])
    assert once.shape == (1, 8, 32, 32)
    assert torch.allclose(once, turned, atol=1e-5)
    assert torch.allclose(once, unseen, atol=1e-5)
    assert not torch.allclose(once, one_less, atol=1e-3)
    with torch.inference_mode():
        assert torch.isfinite(network(torch.full((1, 2, 4, 16, 16), torch.nan))).all()


def test_without_a_date_stand_mean_and_maximum_of_the_others_and_deviation_from_the_mean() -> None:
    from fieldline.crops.segment.network import _Dates

    torch.manual_seed(1)
    features, weight = torch.randn(2, 5, 3, 4, 4), (torch.rand(2, 5, 1, 4, 4) < 0.7).float()
    dates = _Dates(features, weight)
    mean = dates.of_all()[:, :3]
    for date in range(5):
        others = [other for other in range(5) if other != date]
        clear = weight[:, others]
        count = clear.sum(dim=1).clamp(min=1e-6)
        brute = _Dates(features[:, others], clear).of_all()
        without = dates.without(date)
        assert torch.allclose(without[:, :6], brute[:, :6], atol=1e-5)
        apart = ((features[:, others] - mean[:, None]).abs() * clear).sum(dim=1) / count
        assert torch.allclose(without[:, 6:], apart, atol=1e-5)
        assert torch.equal(dates.clear_without(date), (clear > 0).sum(dim=1))


def test_a_border_of_one_date_among_six_parts_no_field_and_one_of_every_date_does() -> None:
    from fieldline.crops.segment.learn import module_of
    from fieldline.crops.segment.shipped import shipped_network

    image, ids = checks(72, 24, 6)
    random = np.random.default_rng(2)
    stack = (image / np.nanmax(image) + random.normal(0, 0.01, image.shape)).astype(np.float32)
    tilled, column = stack.copy(), 35
    harvested = np.zeros(ids.shape, bool)
    harvested[24:48, 24 : column + 1] = True
    tilled[4][:, harvested] = 1.0 - tilled[4][:, harvested]
    network = module_of(shipped_network())
    with torch.inference_mode():
        looks = {
            name: torch.sigmoid(look(torch.from_numpy(land)[None]))[0, 2].numpy()
            for name, look, land in (
                ("plain", network, tilled), ("steady", network.steadiest, tilled),
            )
        }  # fmt: skip
    # Pairs 15 m apart that lie across the rim of the harvested half, and across the field's border.
    rim = {name: float(np.median(look[56:88, 2 * column])) for name, look in looks.items()}
    border = {name: float(np.median(look[56:88, 2 * 47])) for name, look in looks.items()}
    assert rim["plain"] < 0.5 < rim["steady"]
    assert border["steady"] < 0.5


def test_a_pixel_of_few_clear_dates_is_seen_on_all_of_them() -> None:
    from fieldline.crops.segment.network import STEADY_DATES

    network, stack = _network(), torch.rand(1, 5, 4, 16, 16)
    lost = stack.clone()
    lost[:, STEADY_DATES - 1 :, :, :, 12:] = torch.nan
    with torch.inference_mode():
        few = stack[:, :STEADY_DATES]
        assert torch.equal(network.steadiest(few), network(few))
        more = network.steadiest(lost) - network(lost)
    assert float(more[..., 24:].abs().max()) == 0.0
    assert float(more.min()) == 0.0
    assert float(more[..., :24].max()) > 0.0


class _Reds(torch.nn.Module):
    """Answers with the first band of the first date: every seam would show."""

    def steadiest(self, stack):
        fine = stack[:, 0, :1].nan_to_num(0.0).repeat_interleave(2, -1).repeat_interleave(2, -2)
        return torch.logit(fine.clamp(0.01, 0.99)).expand(-1, 8, -1, -1)


def test_overlapping_tiles_give_what_one_look_gives(tmp_path: Path) -> None:
    days = days_of_catalog(write_archive(tmp_path, checks(70, 9, 2)[0]), BANDS)
    grid = grid_of(days, "EPSG:32632")
    with Scenes(days, grid, BANDS, mask_of(days, MaskSettings())) as scenes:
        scaling = scenes.scaling()
        small, large = (
            predict(_Reds(), scenes, scaling, CPU, tmp_path / f"{tile}.npy", tile=tile, halo=4,
                    batch=2)
            for tile in (16, 128)
        )  # fmt: skip
    assert small.shape == (8, 2 * grid.height, 2 * grid.width)
    assert np.abs(small.astype(int) - large.astype(int)).max() <= 1
    assert small.std() > 20


def test_tiles_that_nobody_wants_stay_unknown(tmp_path: Path) -> None:
    days = days_of_catalog(write_archive(tmp_path, checks(64, 9, 1)[0]), BANDS)
    grid = grid_of(days, "EPSG:32632")
    with Scenes(days, grid, BANDS, mask_of(days, MaskSettings())) as scenes:
        found = predict(
            _Reds(), scenes, scenes.scaling(), CPU, tmp_path / "p.npy", tile=16, halo=4,
            wanted=lambda window: window.col_off < 16 and window.row_off < 16,
        )  # fmt: skip
    assert found[:, 2:30, 2:30].max() > 0
    assert found[:, 60:, 60:].max() == 0


def _learn(seed: int, steps: int):
    from fieldline.crops.segment.network import Architecture, PairNetwork
    from fieldline.crops.segment.training import Phase, Training, train

    image, ids = checks(64, 16, 3)
    area = Area((image * 2).astype(np.float32), ids.repeat(2, 0).repeat(2, 1).astype(np.int32) + 1)
    torch.manual_seed(seed)
    network, losses = PairNetwork(Architecture(4, 8)), []
    how = Training(batch=2, edge=32, rate=1e-2)
    phases = [Phase("drawn", [area], steps)]
    train(network, phases, how, CPU, seed, lambda *told: losses.append(told[3]))
    return network, losses


def test_equal_seeds_give_equal_weights_and_borders_are_learnt() -> None:
    first, losses = _learn(5, 30)
    again, _ = _learn(5, 30)
    other, _ = _learn(6, 2)
    for one, two in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not all(
        torch.equal(one, two)
        for one, two in zip(first.parameters(), other.parameters(), strict=True)
    )
    assert np.mean(losses[-6:]) < 0.9 * np.mean(losses[:4])


def test_a_network_of_fewer_bands_sees_what_the_whole_one_sees_where_the_others_show_nothing() -> (
    None
):
    from fieldline.crops.networks.folder import StoredNetwork, weights_of
    from fieldline.crops.segment.learn import module_of, narrowed
    from fieldline.crops.segment.network import Architecture, PairNetwork

    torch.manual_seed(2)
    config = {"bands": ["B02", "B04", "B08"], "width": 8}
    whole = StoredNetwork("v", config, weights_of(PairNetwork(Architecture(3, 8))), {})
    part = module_of(narrowed(whole, ("B08", "B02")))
    stack = torch.rand((1, 2, 3, 16, 16))
    stack[:, :, 1] = 0.0
    with torch.inference_mode():
        both = part(stack[:, :, [2, 0]]), module_of(whole)(stack)
    assert torch.allclose(*both, atol=1e-5)
    assert narrowed(whole, ("B02", "B04", "B08")) is whole
    with pytest.raises(UserError, match="never saw B11"):
        narrowed(whole, ("B02", "B11"))
