"""Configuration sections of the crops room: each stage's choices, with unit and reason."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from fieldline.crops.ring_settings import CutSettings
from fieldline.pipeline.records.settings import ModelFolder, Section, TableName, WeightsFile


class FieldsSettings(Section):
    """Planted share inside the drawn ring."""

    min_peak: float = Field(0.35, ge=0, le=1)
    """A pixel shows a crop cycle when its NDVI peaks here or higher (drought stunts crops) ..."""
    min_amplitude: float = Field(0.2, ge=0, le=1)
    """... and its NDVI rises by at least this much above its own low."""
    max_bare: float = Field(0.4, ge=0, le=1)
    """... and its NDVI falls below this value once: a crop field is bare at least once a year."""
    step_days: int = Field(15, ge=1, le=60)
    """Step of the pixels' curves, days: their memory is steps x pixels, whatever the dates."""
    reach_pixels: int = Field(4, ge=1, le=20)
    """How far around the ring other land is sampled, pixels."""
    min_around: int = Field(8, ge=1)
    """Rings with fewer clear pixels of other land around them get no planted share."""
    noise: float = Field(0.06, gt=0, le=0.5)
    """Distance between two curves (root mean square NDVI) that is within-field variation at least;
    the ring's own inner pixels may show more ..."""
    noise_most: float = Field(0.12, gt=0, le=0.5)
    """... up to this: beyond it a ring holds more than one thing."""
    inner_noise: float = Field(3.0, ge=1)
    """The ring's own noise is this many times what half of its inner pixels keep to: a median, for
    a ring drawn over other land has some of it among its inner pixels."""
    min_inner_pixels: int = Field(6, ge=2)
    """Inner pixels from which a ring's own noise is measured."""
    uneven_noise: float = Field(0.08, gt=0, le=1)
    """A ring whose inner pixels lie further apart than this (root mean square NDVI, median) ..."""
    uneven_amplitude: float = Field(0.5, gt=0, le=1)
    """... and whose own curve moves less than this over a season is houses, gardens or loose wood,
    no field (two areas of Germany: 0 of 429 and 1 in 84 outlines of fields, half of the other
    land)."""
    edge_own: float = Field(0.6, gt=0, le=1)
    """A pixel on the edge or next to it loses nothing while this share of it is the ring's own: the
    sensor and the map blur about one pixel together."""
    min_second_pixels: int = Field(6, ge=2)
    """Other land of this many pixels in a ring may be a second crop of the same field ..."""
    min_continued: float = Field(0.25, ge=0, le=1)
    """... unless this share of the land just across the ring's edge is like it."""
    cut: CutSettings = CutSettings()
    block_pixels: int = Field(256, ge=64)
    """Edge of the square image block whose rings are worked on together."""
    held_mb: int = Field(400, ge=1)
    """Memory for composites, MB: a scene is opened once for all the blocks of pixels it holds."""
    min_bins: int = Field(3, ge=2)
    """Rings seen in fewer time steps get the outcome fields_no_dates."""
    edge_tolerance: float = Field(0.25, ge=0, lt=1)
    """A pixel loses nothing while it is this nearly as planted as the ring covers it."""
    min_core_pixels: float = Field(4.0, gt=0)
    """Rings with fewer coverage-weighted pixels are judged as a whole, not pixel by pixel."""

    @model_validator(mode="after")
    def _in_order(self) -> FieldsSettings:
        """A least above the most would judge every ring by the most alone, without saying so."""
        if self.noise > self.noise_most:
            raise ValueError(f"noise {self.noise} lies above noise_most {self.noise_most}")
        return self


class SegmentSettings(Section):
    """Field polygons by a network."""

    model: Annotated[Path | None, ModelFolder] = None
    """Folder of an approved network (`fieldline fields gate`); empty takes one that is trained on
    the county's own outlines, or the one that ships, which learnt from simulated counties."""
    pseudo_steps: int = Field(150, ge=0)
    """Where the county gives outlines to learn from (`inputs.field_outlines`): steps on its own
    pseudo-fields, which cost no label ..."""
    steps: int = Field(250, ge=1)
    """... and on the outlines (minutes on a processor)."""
    outlines_complete: bool = False
    """The outlines are every field within their hull, as an official field register's are: the
    network then learns which land is no field. Never of a few dozen fields that somebody drew."""
    seed: int = Field(1, ge=0)
    """Seed of that training."""
    enabled: bool = True
    """Look for field polygons; without torch and safetensors the stage says so and goes on."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: the GPU where there is one."""
    threads: int = Field(2, ge=1)
    """Threads on the processor, claimed from the scheduler."""
    dates: int = Field(8, ge=1, le=60)
    """Dates read at most: the least cloudy of as many equal parts of the season."""
    tile: int = Field(128, ge=16, multiple_of=4)
    """Edge of the square tile that the network sees at once, pixels ..."""
    halo: int = Field(16, ge=4, multiple_of=4)
    """... and the land around it that it sees too."""
    batch: int = Field(4, ge=1)
    """Tiles at once; a GPU takes four times as many, and fewer where its memory runs out."""
    smooth: float = Field(1.0, ge=0, le=5)
    """Smoothing of the border map, output pixels of half the grid's resolution."""
    stop: float = Field(0.5, gt=0, lt=1)
    """Regions merge while the pairs across their border are of one field with this probability; one
    half by construction of the loss, whatever the area."""
    least_m2: float = Field(200.0, ge=0)
    """Smaller regions are no field (0.3 mu), m2."""
    simplify_m: float = Field(5.0, ge=0, le=30)
    """Outlines lose corners up to about this size, m; neighbours keep one common border."""
    least_green: float = Field(0.35, ge=0, le=1)
    """A polygon whose mean greenest NDVI stays below this in a season that is over is no field:
    houses, roads, greenhouses, idle land ..."""
    water_nir: float = Field(0.1, ge=0, le=1)
    """... or water, where its mean near infrared is lower than this."""
    always_green: float = Field(0.4, ge=0, le=1)
    """A polygon whose mean least green NDVI stays above this is grass, orchard or wood ..."""
    wood_green: float = Field(0.35, ge=0, le=1)
    """... and one above this, which trees without leaves still are, is a wood where its mean near
    infrared ..."""
    wood_nir: float = Field(0.26, ge=0, le=1)
    """... is lower than this (two areas of Germany)."""


class ClassifySettings(Section):
    """Crop classifier."""

    model: Annotated[Path | None, ModelFolder] = None
    """Folder of an approved crop model (`fieldline crops gate`), which then serves instead of one
    that is trained from the county's own labels."""
    step_days: int = Field(10, ge=1, le=60)
    """Step of the regularised series, days."""
    min_labels_per_class: int = Field(3, ge=2)
    """Classes with fewer labels are not learnt and are named in the model card."""
    max_labels_per_class: int = Field(2000, ge=10)
    """More labels of one class are drawn down to this number: time to train stays bounded."""
    folds: int = Field(5, ge=2)
    """Cross-validation folds, grouped by village or farm."""
    min_peak: float = Field(0.35, ge=0, le=1)
    """Where only annual crops were learnt, a parcel whose NDVI never reaches this ..."""
    max_bare: float = Field(0.45, ge=0, le=1)
    """... or never falls under this is none of them: the answer is `cannot tell`."""
    cannot_tell_below: float = Field(0.5, ge=0, le=1)
    """Top probability under which the answer is `cannot tell`."""
    set_coverage: float = Field(0.9, gt=0, lt=1)
    """Target coverage of the conformal prediction set."""
    block_m: float = Field(1000.0, ge=10)
    """Edge of the square blocks that group folds where places are known and villages are too few,
    metres."""
    augment: int = Field(2, ge=0, le=50)
    """Jittered copies of each labelled series that are tried where labels are few; they stay only
    where held-out folds gain."""
    augment_below: int = Field(60, ge=0)
    """Mean labels per class under which copies are tried."""
    augment_shift_days: float = Field(4.0, ge=0, le=40)
    """Standard deviation of the time shift of a copy, days."""
    augment_gain: float = Field(0.05, ge=0, le=0.5)
    """Standard deviation of a copy's log gain, per band and common."""
    trees: int = Field(300, ge=20)
    """Trees of the extra-trees member."""
    rounds: int = Field(180, ge=10)
    """Boosting rounds of the xgboost member."""
    learning_rate: float = Field(0.12, gt=0, le=1)
    """Shrinkage of the xgboost member."""
    depth: int = Field(5, ge=1, le=12)
    """Depth of the xgboost member's trees."""
    column_share: float = Field(0.2, gt=0, le=1)
    """Share of the features that each boosted tree sees."""
    network: Literal["auto", "always", "never"] = "auto"
    """Series network as a further member: `auto` where torch is installed, `always` refuses
    to run without it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the network runs: `auto` takes a GPU where there is one."""
    network_steps: int = Field(600, ge=1)
    """Optimiser steps of each fold's network ..."""
    network_many: int = Field(1000, ge=1)
    """... and from this many labels ..."""
    network_steps_many: int = Field(1500, ge=1)
    """... this many."""
    network_pretrain_steps: int = Field(0, ge=0)
    """Steps of masked pre-training on the county's unlabelled series, tried beside a start from
    chance and kept where held-out folds gain; 0 does not try it (it doubles the time to train)."""
    presto: Annotated[Path | None, WeightsFile] = None
    """Weights of the public encoder Presto, as data/pretrained_encoders.csv knows them: its word
    joins the blend where held-out folds gain. Needs torch; empty: off."""
    population: int = Field(6000, ge=0)
    """Unlabelled parcels of the county, drawn evenly, that class shares and the refusal of other
    land are learnt from."""
    shares_from: int = Field(200, ge=1)
    """Fewer unlabelled parcels than this leave the class shares those of the labels."""
    shares_prior: float = Field(20.0, ge=0)
    """Parcels' worth of the labels' own shares that the re-estimated shares start from."""
    refuse_known: float = Field(0.05, ge=0, lt=0.5)
    """Share of the known crops that may be lost to the refusal of other land; 0 refuses none."""
    survey_next: int = Field(50, ge=0, le=5000)
    """Parcels on the list of those to survey next."""
    threads: int = Field(1, ge=1)
    """Threads for training; results do not depend on it."""
    seed: int = 17
    """Random seed."""


class GrowSettings(Section):
    """Growth curve and phenology."""

    step_days: int = Field(5, ge=1, le=30)
    """Step of the smoothed curve, days."""
    threshold: float = Field(0.25, gt=0, lt=1)
    """Share of amplitude that marks start and end of season (HR-VPP definition: 0.25 and 0.15)."""
    end_threshold: float = Field(0.15, gt=0, lt=1)
    """Share of amplitude that marks the end of season."""
    min_peak: float = Field(0.35, ge=0, le=1)
    """Least NDVI at the peak of a crop cycle."""
    min_amplitude: float = Field(0.2, gt=0, le=1)
    """Least rise to and fall from the peak of a crop cycle, NDVI."""
    max_between: float = Field(0.5, ge=0, le=1)
    """A low above this NDVI is a cut or a pause of one canopy, not the land between two crops; a
    field that is greener still carries something."""
    stood_days: int = Field(40, ge=0)
    """A crop whose rise was not seen counts where it stood this long in the record, days: less is
    another season's crop that was being cut as the record began."""
    peak_passed: float = Field(0.1, gt=0, lt=1)
    """A peak has a date where the curve lies this share of the amplitude lower on both sides."""
    spike_drop: float = Field(0.1, gt=0, le=1)
    """A value this far under both neighbours is a missed cloud, NDVI."""
    spike_reach_days: int = Field(30, ge=1)
    """Neighbours farther than this do not judge a value, days."""
    sudden_drop: float = Field(0.3, gt=0, le=1)
    """A fall by this much NDVI at the end of the record is not believed before it has lasted
    `confirm_days`: a cut and a cloud look alike on the day itself."""
    penalty: float = Field(3.16, gt=0)
    """Whittaker penalty on the curve's step. Fixed: a ladder from 0.1 to 3.16 chose its top rung in
    460 of 467 real curves, and days left out are foretold within 6 % (the coast: 11 %) of the best
    penalty of each of five sets (0.03 to 100 tried)."""
    bare_share: float = Field(0.2, gt=0, lt=1)
    """Share of the right-hand amplitude under which a field is bare ..."""
    max_bare: float = Field(0.4, ge=0, le=1)
    """... and the NDVI above which it is not, whatever the amplitude."""
    confirm_days: int = Field(14, ge=1)
    """Days after the first bare one on which no crop may be seen before a field is harvested: ripe
    cereals look bare up to two weeks before they are cut."""
    gap_days: int = Field(30, ge=5)
    """A harvest in a longer span without a clear date is told as the middle of it, with its
    deviation, and from radar where that tells more (the line between the clear dates was 20 to 33
    days off in made gaps of 40 to 120 days, the middle 10 to 21; France 2023, docs/agronomy.md)."""
    plateau_share: float = Field(0.9, gt=0, lt=1)
    """Share of the amplitude above which the canopy is at its plateau."""
    heading_after_middle: float = 7.0
    """Days from the middle of the plateau to a cereal's heading, BBCH 55 (mean of six winter wheat
    fields, Switzerland 2022; leave-one-out in docs/agronomy.md) ..."""
    heading_before_fall: float = 18.0
    """... and from heading to the plateau's end, for a record that does not show the rise."""
    heading_sd: float = Field(2.4, ge=0)
    """Spread of fields about those offsets, days (the same fields)."""
    min_norm_parcels: int = Field(8, ge=3)
    """Least parcels of a crop in the county that make a norm to compare with."""


class HazardSettings(Section):
    """Weather hazards."""

    dry_day_mm: float = Field(1.0, ge=0)
    """A day with less rain counts as dry (WMO)."""
    soil_water_mm: float = Field(120.0, gt=0)
    """Plant-available water of the root zone, mm (loam of 0.8 m; FAO-56 table 19 order)."""
    crop_coefficient: float = Field(0.9, gt=0, le=2)
    """Mean crop coefficient over the growing season (FAO-56 table 12 order)."""
    irrigation_share: float = Field(1.0, ge=0, le=3)
    """Share of the crops' usual irrigation (data/hazard_thresholds.csv) that the county can give; 0
    where nobody irrigates."""
    irrigation_dose_mm: float = Field(60.0, gt=0)
    """Water of one irrigation, mm (surface irrigation; order of magnitude)."""
    drainage_mm: float = Field(30.0, gt=0)
    """Standing water that leaves a field in a day, mm (AquaCrop's drainage of a loam of 0.8 m from
    saturation, first days)."""
    aeration_lag_days: int = Field(3, ge=0)
    """First days of a wet spell that do no harm (AquaCrop's lag of deficient aeration)."""
    ordinary_loss: float = Field(0.1, ge=0, lt=1)
    """Loss share up to which a year is ordinary: index 0 (China's disaster statistics count a crop
    as affected from 10 %)."""
    failure_loss: float = Field(0.8, gt=0, le=1)
    """Loss share from which a crop is lost: index 100 (same statistics, 80 %)."""
    hardening_days: int = Field(15, ge=1)
    """Days whose mean temperature tells what frost a plant has hardened to (expert setting)."""
    dehardened_c: float = Field(6.0)
    """That mean temperature from which a crop stands no frost beyond its threshold, Celsius: winter
    cereals lose their hardiness and grow stems above it (expert setting)."""
    frost_loss_per_degree_day: float = Field(0.04, gt=0, le=1)
    """Yield share that a degree-day of harmful frost costs (expert setting)."""
    heat_loss_per_degree_day: float = Field(0.01, gt=0, le=1)
    """Yield share that a degree-day of harmful heat costs (Lobell et al. 2011: 1 % per degree day
    above 30 C for maize with enough water)."""
    dry_wind_loss: float = Field(0.02, ge=0, le=1)
    """Yield share that a day of dry hot wind costs a small grain that fills (expert setting) ..."""
    heavy_dry_wind_loss: float = Field(0.04, ge=0, le=1)
    """... and a heavy day."""
    growth_weight: float = Field(0.4, ge=0)
    """Weight of an unmet or hot day before flowering (FAO-33 table 24, maize by stage) ..."""
    flowering_weight: float = Field(1.5, ge=0)
    """... within `flowering_days` of the canopy's peak ..."""
    filling_weight: float = Field(0.5, ge=0)
    """... while grain fills ..."""
    ripening_weight: float = Field(0.2, ge=0)
    """... and while it ripens; all the same where the curve shows no whole season."""
    flowering_days: int = Field(15, ge=0)
    """Days on each side of the peak that count as flowering."""
    ripening_share: float = Field(0.25, ge=0, le=1)
    """Last share of the time from the peak to the end of season in which a crop ripens."""
    climate_years: int = Field(10, ge=4)
    """Earlier seasons of weather from which a place's usual season is known: then drought counts
    beyond it, and the SPEI is given."""
    min_days: int = Field(30, ge=1)
    """Fewer weather days inside the growing season make no index."""


class YieldSettings(Section):
    """Yield and value."""

    interval: float = Field(0.8, gt=0, lt=1)
    """Coverage of the yield interval (q10 to q90)."""
    prior_years: int = Field(5, ge=2)
    """Last years of the county's own statistics that form its mean."""
    published_days: int = Field(90, ge=0)
    """Days after the end of a year until a county's yield is public, where the table does not say
    (`published_on`); assumption: the spring after."""
    min_cuts: int = Field(20, ge=8)
    """Fewer crop cuts than this train no model: the prior and its documented spread stand."""
    folds: int = Field(40, ge=2)
    """Parts in which crop cuts are left out, whole parcels each (fewer parcels: one by one)."""
    skill_margin: float = Field(1.0, ge=0)
    """Standard errors by which the model must beat the prior on unseen cuts, else the prior
    stands (one-standard-error rule)."""
    error_pool_cuts: float = Field(8.0, gt=0)
    """Cuts' worth of all others in the error of a season and of a crop (partial pooling)."""
    price_stale_days: int = Field(90, ge=1)
    """Prices older than this at the as-of date are flagged."""
    price_months: int = Field(72, ge=12)
    """Months of past prices that show how much they move."""
    price_horizon_days: int = Field(180, ge=1)
    """Days from the as-of date to the sale: how far the price may still move."""
    price_log_sd_default: float = Field(0.2, gt=0)
    """Log sd of a price to the sale where its series is too short to show it (assumption)."""
    small_parcel_pixels: float = Field(10.0, gt=0)
    """A parcel of this many pixels keeps half of its curve's departure from the norm."""
    size_band_pixels: tuple[float, ...] = (20.0, 67.0)
    """Parcels of fewer pixels have errors of their own (3 mu and 10 mu at 10 m)."""
    cost_file: Annotated[str, TableName] = "crop_calendars.csv"
    """Cash costs by crop and region (crop, region, cash_cost_per_ha, currency, basis): a table of
    data/, or a path of your own."""
    cost_region: str | None = None
    """Region of the cost file that applies, its costs in the county's currency; rows of a region
    that is called as the county come first. Empty: `sim` in a simulated county, and no cost in a
    real one: its crops keep a gross value, and have no net income to lend against."""
    area_value_file: Annotated[str | None, TableName] = None
    """Gross value a year of a hectare of permanent crops and greenhouses (crop, region as of the
    costs, gross_per_ha, currency, log_sd between parcels, published_on, source), a path of your
    own; empty: they are not valued."""
    area_value_days: int = Field(730, ge=1)
    """A value by area that was published longer ago than this values nothing."""
    calendar_file: Annotated[str, TableName] = "crop_calendars.csv"
    """Days of sowing and harvest by crop and region (crop, region, sow_start, sow_end,
    harvest_start, harvest_end as MM-DD): a table of data/, or a path of your own."""
    calendar_region: str | None = None
    """Region of the calendar file that applies; empty: that of the costs."""
    draws: int = Field(4000, ge=200)
    """Joint draws where a quantile of a sum is needed."""
    seed: int = 29
    """Random seed."""


class PhotoSettings(Section):
    """Photographs of fields that are handed in (`inputs.photos`)."""

    within_m: float = Field(100.0, gt=0)
    """A photograph is of a parcel where it was taken no further than this from its outline, metres:
    who stands on the road beside a field is near enough, and a phone errs by ten. Assumption."""
    most_mb: float = Field(25.0, gt=0)
    """A larger file is not opened, MB ..."""
    most_megapixels: float = Field(110.0, gt=0)
    """... nor one of more pixels (millions) decoded: the largest of today's phones are just below,
    and their memory, four bytes a pixel, is what a small file may claim."""


class CropsSettings(Section):
    """All stages of the crops room."""

    segment: SegmentSettings = SegmentSettings()
    """Field polygons."""
    fields: FieldsSettings = FieldsSettings()
    """Planted area."""
    classify: ClassifySettings = ClassifySettings()
    """Crop classifier."""
    grow: GrowSettings = GrowSettings()
    """Growth curves."""
    hazards: HazardSettings = HazardSettings()
    """Weather hazards."""
    yields: YieldSettings = YieldSettings()
    """Yield and value."""
    photos: PhotoSettings = PhotoSettings()
    """Photographs of fields."""
