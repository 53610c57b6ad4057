"""Numbers as the published programs of other projects print them, each with the quantisation of that program.

An adaptor's measures stay what they are whatever the protocol says about rounding and compositing: they look at the
composite, brought to 256 levels as that program's own output is. What a program cannot tell us (pictures, masks,
weights) is in the adaptor's note. Facts were read in the programs; no code was taken over.
"""

import math
from dataclasses import dataclass

from mendpix.evaluation.definitions import (
    ALL_PIXELS,
    CHANNELS,
    DECIBELS,
    GAUSSIAN_11,
    GREY,
    INSIDE,
    OF_RANGE,
    PADDED,
    UNIFORM_51,
)
from mendpix.evaluation.views import Measure, Quantisation, Views
from mendpix.metrics.l1 import l1, l1_hole, l1_relative_to_sum
from mendpix.metrics.ssim import Window

GDN = "test.py of https://github.com/Evergrow/GDN_Inpainting"
EDGECONNECT = "scripts/metrics.py of https://github.com/knazeri/edge-connect"
PENNET = "core/metric.py of https://github.com/researchmm/PEN-Net-for-Inpainting"
LAMA = "saicinpainting/evaluation/losses/ssim.py of https://github.com/advimman/lama"
MAT = "evaluatoin/cal_psnr_ssim_l1.py of https://github.com/fenglinglwb/MAT"
MMAGIC = "mmagic/evaluation/metrics of https://github.com/open-mmlab/mmagic"

TRUNCATED = "of the composite truncated to 256 levels"
ROUNDED = "of the composite rounded to 256 levels"


@dataclass(frozen=True)
class Adaptor:
    """What one program prints, and which measure gives it."""

    title: str
    """Such as "as in LaMa"."""
    rows: tuple[tuple[str, str], ...]
    """Label as printed there, and name of the measure."""
    note: str
    """What cannot be known, and what differs."""


def _composite_psnr(views: Views, quantisation: Quantisation, *, grey: bool = False) -> float:
    return views.psnr(grey=grey, quantisation=quantisation, image="composite", most_db=math.inf)


def _composite_ssim(views: Views, window: Window, quantisation: Quantisation, *, grey: bool = False) -> float:
    return views.ssim(window, grey=grey, quantisation=quantisation, image="composite")


ADAPTOR_MEASURES: dict[str, Measure] = {
    "gdn-l1": Measure(
        title="ℓ1 as in GDN",
        unit="%",
        digits=3,
        sign=-1,
        definition=f"Mean of |a − b| {ALL_PIXELS}, {OF_RANGE}, {TRUNCATED}. Neither paper nor program "
        "says which of the four meanings of ℓ1 is printed; this is the mean over the whole picture. Equal pictures: 0.",
        source="Zhang et al. 2020, https://arxiv.org/abs/2011.02293",
        compute=lambda views: l1(views.shown("truncate", "composite"), views.target),
        equal=0,
    ),
    "gdn-psnr": Measure(
        title="PSNR as in GDN",
        unit="dB",
        digits=2,
        sign=1,
        definition=f"{DECIBELS} {ALL_PIXELS}, data range 1, without a limit, {TRUNCATED}. Equal pictures: infinite.",
        source=GDN,
        compute=lambda views: _composite_psnr(views, "truncate"),
        equal=math.inf,
    ),
    "gdn-ssim": Measure(
        title="SSIM as in GDN",
        unit="",
        digits=4,
        sign=1,
        definition=f"{UNIFORM_51}; {INSIDE}, {CHANNELS}, {TRUNCATED}. Equal pictures: 1.",
        source=GDN,
        compute=lambda views: _composite_ssim(views, "uniform-51", "truncate"),
        equal=1,
    ),
    "edgeconnect-psnr": Measure(
        title="PSNR as in EdgeConnect",
        unit="dB",
        digits=2,
        sign=1,
        definition=f"{DECIBELS} over all pixels of {GREY}, data range 1, without a limit, {TRUNCATED}. Equal "
        "pictures: infinite.",
        source=EDGECONNECT,
        compute=lambda views: _composite_psnr(views, "truncate", grey=True),
        equal=math.inf,
    ),
    "edgeconnect-ssim": Measure(
        title="SSIM as in EdgeConnect",
        unit="",
        digits=4,
        sign=1,
        definition=f"{UNIFORM_51}; {INSIDE}, {GREY}, {TRUNCATED}. Equal pictures: 1.",
        source=EDGECONNECT,
        compute=lambda views: _composite_ssim(views, "uniform-51", "truncate", grey=True),
        equal=1,
    ),
    "edgeconnect-mae": Measure(
        title="MAE as in EdgeConnect",
        unit="",
        digits=4,
        sign=-1,
        definition=f"Σ|a − b| / Σ(a + b) over all pixels of {GREY}, {TRUNCATED}; a share, not a "
        "percentage. Equal pictures: 0, also two black ones, where the program divides 0 by 0.",
        source=EDGECONNECT,
        compute=lambda views: l1_relative_to_sum(views.shown("truncate", "composite"), views.target, grey=True) / 100,
        equal=0,
    ),
    "pennet-psnr": Measure(
        title="PSNR as in PEN-Net",
        unit="dB",
        digits=2,
        sign=1,
        definition=f"{DECIBELS} {ALL_PIXELS}, data range 1, without a limit, {TRUNCATED}. Equal pictures: infinite.",
        source=PENNET,
        compute=lambda views: _composite_psnr(views, "truncate"),
        equal=math.inf,
    ),
    "pennet-ssim": Measure(
        title="SSIM as in PEN-Net",
        unit="",
        digits=4,
        sign=1,
        definition=f"{UNIFORM_51}; {INSIDE}, {CHANNELS}, {TRUNCATED}. Equal pictures: 1.",
        source=PENNET,
        compute=lambda views: _composite_ssim(views, "uniform-51", "truncate"),
        equal=1,
    ),
    "pennet-mae": Measure(
        title="MAE as in PEN-Net",
        unit="",
        digits=4,
        sign=-1,
        definition=f"Σ|a − b| / Σ(a + b) {ALL_PIXELS}, {TRUNCATED}; a share, not a percentage. Equal "
        "pictures: 0, also two black ones, where the program divides 0 by 0.",
        source=PENNET,
        compute=lambda views: l1_relative_to_sum(views.shown("truncate", "composite"), views.target) / 100,
        equal=0,
    ),
    "lama-ssim": Measure(
        title="SSIM as in LaMa",
        unit="",
        digits=4,
        sign=1,
        definition=f"{GAUSSIAN_11}; {PADDED}, {CHANNELS}, {TRUNCATED}. Equal pictures: 1.",
        source=LAMA,
        compute=lambda views: _composite_ssim(views, "gaussian-11-zero", "truncate"),
        equal=1,
    ),
    "mat-psnr": Measure(
        title="PSNR as in MAT",
        unit="dB",
        digits=2,
        sign=1,
        definition=f"{DECIBELS} {ALL_PIXELS}, data range 1, without a limit, {ROUNDED}. Equal pictures: infinite.",
        source=MAT,
        compute=lambda views: _composite_psnr(views, "round"),
        equal=math.inf,
    ),
    "mat-ssim": Measure(
        title="SSIM as in MAT",
        unit="",
        digits=4,
        sign=1,
        definition=f"{GAUSSIAN_11}; {INSIDE}, {CHANNELS}, {ROUNDED}. Equal pictures: 1.",
        source=MAT,
        compute=lambda views: _composite_ssim(views, "gaussian-11", "round"),
        equal=1,
    ),
    "mat-l1": Measure(
        title="ℓ1 as in MAT",
        unit="",
        digits=4,
        sign=-1,
        definition=f"Mean of |a − b| {ALL_PIXELS}, {ROUNDED}; a share of the data range, not a "
        "percentage. Equal pictures: 0.",
        source=MAT,
        compute=lambda views: l1(views.shown("round", "composite"), views.target) / 100,
        equal=0,
    ),
    "mmagic-mae": Measure(
        title="MAE as in MMagic",
        unit="%",
        digits=3,
        sign=-1,
        definition=f"Mean of |a − b| over the pixels of the hole and all channels, {OF_RANGE}, {ROUNDED}. Equal "
        "pictures: 0; empty hole: no value, where the program gives 0.",
        source=MMAGIC,
        compute=lambda views: l1_hole(views.shown("round", "composite"), views.target, views.hole),
        equal=0,
    ),
    "mmagic-psnr": Measure(
        title="PSNR as in MMagic",
        unit="dB",
        digits=2,
        sign=1,
        definition=f"{DECIBELS} {ALL_PIXELS}, data range 1, without a limit, {ROUNDED}. Equal pictures: infinite.",
        source=MMAGIC,
        compute=lambda views: _composite_psnr(views, "round"),
        equal=math.inf,
    ),
    "mmagic-ssim": Measure(
        title="SSIM as in MMagic",
        unit="",
        digits=4,
        sign=1,
        definition=f"{GAUSSIAN_11}; {INSIDE}, {CHANNELS}, {ROUNDED}. Equal pictures: 1.",
        source=MMAGIC,
        compute=lambda views: _composite_ssim(views, "gaussian-11", "round"),
        equal=1,
    ),
}
"""Measures of one pair by name; a is the composite as the program writes it, b the true picture."""

ADAPTORS: dict[str, Adaptor] = {
    "gdn": Adaptor(
        title="as in GDN",
        rows=(("ℓ1 (%)", "gdn-l1"), ("PSNR", "gdn-psnr"), ("SSIM", "gdn-ssim"), ("FID", "fid")),
        note="The program prints PSNR and SSIM of one picture, composite and true picture both cast to bytes; its PSNR "
        "of equal pictures is infinite. What made the paper's ℓ1 and FID is not published: their exact meaning, the "
        "pairing of pictures with masks and the number of pictures per bin are not known. FID here follows the "
        "protocol's rounding.",
    ),
    "edgeconnect": Adaptor(
        title="as in EdgeConnect",
        rows=(
            ("PSNR", "edgeconnect-psnr"),
            ("SSIM", "edgeconnect-ssim"),
            ("MAE", "edgeconnect-mae"),
            ("FID", "fid"),
        ),
        note="All but FID on grey. The program computes in single precision and we in double: the difference lies "
        "below the digits that it prints. It reads the true pictures from files, whose size it leaves to the user. The "
        "MAE that is logged in training is another one: in colour and relative to the true picture alone. FID here "
        "follows the protocol's rounding.",
    ),
    "pennet": Adaptor(
        title="as in PEN-Net",
        rows=(("MAE", "pennet-mae"), ("PSNR", "pennet-psnr"), ("SSIM", "pennet-ssim"), ("FID", "fid")),
        note="The program takes both pictures through [−1, 1] in single precision before it truncates them, by which "
        "63 of the 256 levels come out one lower in both; that is not repeated here. Its masks are those of Liu et al. "
        "by number, or a square in the centre; pictures are resized by Pillow's default, which changed with version 7. "
        "FID here follows the protocol's rounding.",
    ),
    "lama": Adaptor(
        title="as in LaMa",
        rows=(("SSIM", "lama-ssim"), ("LPIPS", "lpips-vgg"), ("FID", "fid")),
        note="The program writes truncated composites and measures the files, SSIM in single precision. Pictures are "
        "30,000 of Places with masks drawn without a fixed seed. LPIPS and FID here follow the protocol's rounding.",
    ),
    "mat": Adaptor(
        title="as in MAT",
        rows=(
            ("PSNR", "mat-psnr"),
            ("SSIM", "mat-ssim"),
            ("L1", "mat-l1"),
            ("LPIPS", "lpips-alex"),
            ("FID", "fid"),
        ),
        note="FID of the paper is computed over 36,500 pictures of Places by the program of StyleGAN2-ADA, with a copy "
        "of Inception's weights of its own; P-IDS and U-IDS are not measured here. LPIPS and FID here follow the "
        "protocol's rounding.",
    ),
    "mmagic": Adaptor(
        title="as in MMagic",
        rows=(("L1", "mmagic-mae"), ("PSNR", "mmagic-psnr"), ("SSIM", "mmagic-ssim")),
        note="Published rows were made with random crops and random masks, drawn anew in each run. Which of two "
        "programs made a row is not stated: MMEditing 0.x takes PSNR and SSIM of rounded composites, as here, but ℓ1 "
        "of the unrounded answer with pictures in [−1, 1], which doubles it; MMagic 1.x takes ℓ1 on the scale used "
        "here, and rounds nothing.",
    ),
}
"""Programs by name; the group of each program's measures is ``as-in-<name>``."""
