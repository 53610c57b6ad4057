"""The measures of pairs that a protocol can name, in one literal table: name, unit, exact definition, source.

Measures of sets are in `set_measure_table.py`, what programs of papers do in a way of their own in `adaptors.py`;
`measures.py` puts everything together.
"""

from mendpix.evaluation.definitions import (
    ALL_PIXELS,
    CANNY,
    CHANNELS,
    DECIBELS,
    EDGECONNECT,
    GAUSSIAN_11,
    GDN,
    GREY,
    HANLEY,
    INSIDE,
    MANNING,
    MARKED,
    OF_RANGE,
    OURS,
    PADDED,
    SEAM,
    SKIMAGE,
    TEXTURE,
    UNIFORM_7,
    UNIFORM_51,
    WANG,
    ZHANG,
)
from mendpix.evaluation.views import Measure
from mendpix.metrics.border import WIDTH_PX, border_mae
from mendpix.metrics.detection import (
    iou,
    ranked_auc,
    ranked_average_precision,
    share_marked,
)
from mendpix.metrics.l1 import l1, l1_hole, l1_relative_to_sum, l1_relative_to_target
from mendpix.metrics.texture import off_by

PAIR_MEASURES: dict[str, Measure] = {
    "l1": Measure(
        title="ℓ1, whole picture",
        unit="%",
        digits=3,
        sign=-1,
        definition=f"Mean of |a − b| {ALL_PIXELS}, {OF_RANGE}. Equal pictures: 0.",
        source="Liu et al. 2018, https://arxiv.org/abs/1804.07723",
        compute=lambda views: l1(views.shown(), views.target),
        equal=0,
    ),
    "l1-hole": Measure(
        title="ℓ1, hole only",
        unit="%",
        digits=3,
        sign=-1,
        definition=f"Mean of |a − b| over the pixels of the hole and all channels, {OF_RANGE}. Equal pictures: 0; "
        "empty hole: no value.",
        source="MMagic's MAE, https://github.com/open-mmlab/mmagic",
        compute=lambda views: l1_hole(views.shown(), views.target, views.hole),
        equal=0,
    ),
    "l1-sum": Measure(
        title="ℓ1, relative to both",
        unit="%",
        digits=3,
        sign=-1,
        definition=f"Σ|a − b| / Σ(a + b) {ALL_PIXELS}, in percent. Equal pictures: 0, also two black ones.",
        source="PEN-Net's core/metric.py, https://github.com/researchmm/PEN-Net-for-Inpainting",
        compute=lambda views: l1_relative_to_sum(views.shown(), views.target),
        equal=0,
    ),
    "l1-target": Measure(
        title="ℓ1, relative to truth",
        unit="%",
        digits=3,
        sign=-1,
        definition=f"Σ|a − b| / Σb {ALL_PIXELS}, b being the true picture, in percent. Equal pictures: 0, also two "
        "black ones; only the true one black: no value.",
        source="DeepFill, https://github.com/JiahuiYu/generative_inpainting/issues/146",
        compute=lambda views: l1_relative_to_target(views.shown(), views.target),
        equal=0,
    ),
    "psnr": Measure(
        title="PSNR",
        unit="dB",
        digits=2,
        sign=1,
        definition=f"{DECIBELS} {ALL_PIXELS}, data range 1, at most 100 dB; a set's value is the mean of its pictures' "
        "values. Equal pictures: 100.",
        source="ITU-T J.340, https://www.itu.int/rec/T-REC-J.340",
        compute=lambda views: views.psnr(),
        equal=100,
    ),
    "psnr-grey": Measure(
        title="PSNR, grey",
        unit="dB",
        digits=2,
        sign=1,
        definition=f"{DECIBELS} over all pixels of {GREY}, data range 1, at most 100 dB; a set's value is the mean of "
        "its pictures' values. Equal pictures: 100.",
        source=EDGECONNECT,
        compute=lambda views: views.psnr(grey=True),
        equal=100,
    ),
    "ssim-gaussian-11": Measure(
        title="SSIM, Gaussian 11 × 11, valid",
        unit="",
        digits=4,
        sign=1,
        definition=f"{GAUSSIAN_11}; {INSIDE}, {CHANNELS}. Equal pictures: 1.",
        source=WANG,
        compute=lambda views: views.ssim("gaussian-11"),
        equal=1,
    ),
    "ssim-gaussian-11-grey": Measure(
        title="SSIM, Gaussian 11 × 11, valid, grey",
        unit="",
        digits=4,
        sign=1,
        definition=f"{GAUSSIAN_11}; {INSIDE}, {GREY}. Equal pictures: 1.",
        source=WANG,
        compute=lambda views: views.ssim("gaussian-11", grey=True),
        equal=1,
    ),
    "ssim-gaussian-11-zero": Measure(
        title="SSIM, Gaussian 11 × 11, zero-padded",
        unit="",
        digits=4,
        sign=1,
        definition=f"{GAUSSIAN_11}; {PADDED}, {CHANNELS}. Equal pictures: 1.",
        source="pytorch-ssim, https://github.com/Po-Hsun-Su/pytorch-ssim",
        compute=lambda views: views.ssim("gaussian-11-zero"),
        equal=1,
    ),
    "ssim-gaussian-11-zero-grey": Measure(
        title="SSIM, Gaussian 11 × 11, zero-padded, grey",
        unit="",
        digits=4,
        sign=1,
        definition=f"{GAUSSIAN_11}; {PADDED}, {GREY}. Equal pictures: 1.",
        source="pytorch-ssim, https://github.com/Po-Hsun-Su/pytorch-ssim",
        compute=lambda views: views.ssim("gaussian-11-zero", grey=True),
        equal=1,
    ),
    "ssim-uniform-51": Measure(
        title="SSIM, uniform 51 × 51",
        unit="",
        digits=4,
        sign=1,
        definition=f"{UNIFORM_51}; {INSIDE}, {CHANNELS}. Equal pictures: 1.",
        source=SKIMAGE,
        compute=lambda views: views.ssim("uniform-51"),
        equal=1,
    ),
    "ssim-uniform-51-grey": Measure(
        title="SSIM, uniform 51 × 51, grey",
        unit="",
        digits=4,
        sign=1,
        definition=f"{UNIFORM_51}; {INSIDE}, {GREY}. Equal pictures: 1.",
        source=EDGECONNECT,
        compute=lambda views: views.ssim("uniform-51", grey=True),
        equal=1,
    ),
    "ssim-uniform-7": Measure(
        title="SSIM, uniform 7 × 7",
        unit="",
        digits=4,
        sign=1,
        definition=f"{UNIFORM_7}; {INSIDE}, {CHANNELS}. Equal pictures: 1.",
        source=SKIMAGE,
        compute=lambda views: views.ssim("uniform-7"),
        equal=1,
    ),
    "ssim-uniform-7-grey": Measure(
        title="SSIM, uniform 7 × 7, grey",
        unit="",
        digits=4,
        sign=1,
        definition=f"{UNIFORM_7}; {INSIDE}, {GREY}. Equal pictures: 1.",
        source=SKIMAGE,
        compute=lambda views: views.ssim("uniform-7", grey=True),
        equal=1,
    ),
    "edge-ratio": Measure(
        title="Edge ratio",
        unit="%",
        digits=2,
        sign=0,
        definition=f"Share of pixels that are edges, in percent ({CANNY}). Neither more nor less is better; what "
        "counts is how near it comes to the true picture's. Equal pictures: the true picture's.",
        source=GDN,
        compute=lambda views: views.edge_ratio(),
    ),
    "edge-ratio-off": Measure(
        title="Edge ratio, off by",
        unit="%",
        digits=2,
        sign=-1,
        definition=f"|share of pixels that are edges − that of the true picture|, in percentage points ({CANNY}). "
        "Equal pictures: 0.",
        source=GDN,
        compute=lambda views: abs(views.edge_ratio() - views.true_edge_ratio()),
        equal=0,
    ),
    "border-mae": Measure(
        title="ℓ1 at the border",
        unit="%",
        digits=3,
        sign=-1,
        definition=f"Mean of |a − b| over all channels of the pixels at most {WIDTH_PX} px from the hole's border, "
        f"inside it and outside, {OF_RANGE}; the distance is Euclidean, to the centre of the nearest pixel of the "
        "other kind. Equal pictures: 0; no border (empty hole, or nothing known): no value.",
        source=OURS,
        compute=lambda views: border_mae(views.shown(), views.target, views.hole),
        equal=0,
    ),
    "texture-ratio": Measure(
        title="Texture ratio",
        unit="",
        digits=2,
        sign=0,
        definition=f"{TEXTURE}. 1: as textured as the surroundings; neither more nor less is better. Looks at the "
        "filled picture alone. Equal pictures: the true picture's; empty hole, or one without room for nine pixels, or "
        "nothing around it: no value.",
        source=OURS,
        compute=lambda views: views.texture_ratio(),
    ),
    "texture-ratio-off": Measure(
        title="Texture ratio, off by",
        unit="",
        digits=2,
        sign=-1,
        definition=f"|log2 of the texture ratio|: 1 is half or twice the texture of the surroundings. {TEXTURE}. Equal "
        "pictures: the true picture's, seldom 0; empty hole, or one without room for nine pixels, or nothing around "
        "it: no value.",
        source=OURS,
        compute=lambda views: off_by(views.texture_ratio()),
    ),
    "border-gradient": Measure(
        title="Gradient at the border",
        unit="",
        digits=2,
        sign=0,
        definition=f"{SEAM}. 1: no seam; more: a visible one, or a fill much smoother than what it meets; less: "
        "blurred there. Looks at the filled picture alone. Equal pictures: the true picture's; empty hole, or nothing "
        "known: no value.",
        source=OURS,
        compute=lambda views: views.border_gradient(),
    ),
    "border-gradient-off": Measure(
        title="Gradient at the border, off by",
        unit="",
        digits=2,
        sign=-1,
        definition=f"|log2 of the gradient at the border|: 1 is half or twice the steps beside it. {SEAM}. Equal "
        "pictures: the true picture's, seldom 0; empty hole, or nothing known: no value.",
        source=OURS,
        compute=lambda views: off_by(views.border_gradient()),
    ),
    "features": Measure(
        title="SqueezeNet feature distance × 1000",
        unit="",
        digits=1,
        sign=-1,
        definition="At every pixel of each of the nine activations of SqueezeNet v1.0 (after ReLU) both vectors are "
        "scaled to length 1; their squared distance, mean over the pixels of a layer and then over the layers, times "
        "1000. Not LPIPS, and not comparable with it: nothing is learnt from judgements. Equal pictures: 0.",
        source=ZHANG,
        compute=lambda views: 1000 * views.feature_distance(),
        needs="backbone",
        equal=0,
    ),
    "detector-score": Measure(
        title="Artifact score",
        unit="%",
        digits=1,
        sign=-1,
        definition="Mean over the hole of the detector's probability that a pixel was filled, in percent. Says how far "
        "the fill looks filled to that detector, not whether it is right. Empty hole: no value.",
        source=GDN,
        compute=lambda views: 100 * views.artifact_score(),
        needs="detector",
    ),
    "detector-auc": Measure(
        title="Detector, ROC-AUC",
        unit="",
        digits=3,
        sign=0,
        definition="Chance that the detector rates a pixel of the hole above a known one, a tie counting half. 0.5: it "
        "finds nothing; 1: it finds the hole without fail. Empty or full hole: no value.",
        source=HANLEY,
        compute=lambda views: ranked_auc(views.ranks()),
        needs="detector",
    ),
    "detector-ap": Measure(
        title="Detector, average precision",
        unit="",
        digits=3,
        sign=0,
        definition="Σ (rₖ − rₖ₋₁) pₖ over the thresholds k of the detector's ratings, with recall r and precision p of "
        "the hole's pixels; no interpolation. A blind detector gets the share of the hole. Empty hole: no value; full "
        "hole: 1.",
        source=MANNING,
        compute=lambda views: ranked_average_precision(views.ranks()),
        needs="detector",
    ),
    "detector-iou": Measure(
        title="Detector, IoU",
        unit="",
        digits=3,
        sign=0,
        definition=f"Pixels both marked and of the hole, by pixels either marked or of the hole; marked is {MARKED}. "
        "Nothing marked and an empty hole: 1.",
        source=OURS,
        compute=lambda views: iou(views.detected(), views.hole),
        needs="detector",
    ),
    "lpips-alex": Measure(
        title="LPIPS, AlexNet",
        unit="",
        digits=4,
        sign=-1,
        definition="Learned perceptual distance, version 0.1, AlexNet, pictures scaled to [−1, 1]. Equal pictures: 0.",
        source=ZHANG,
        compute=lambda views: views.lpips["alex"](views.shown(), views.target),
        needs="lpips-alex",
        equal=0,
    ),
    "lpips-vgg": Measure(
        title="LPIPS, VGG16",
        unit="",
        digits=4,
        sign=-1,
        definition="Learned perceptual distance, version 0.1, VGG16, pictures scaled to [−1, 1]. Equal pictures: 0.",
        source=ZHANG,
        compute=lambda views: views.lpips["vgg"](views.shown(), views.target),
        needs="lpips-vgg",
        equal=0,
    ),
}
"""Measures of one pair by name, on the picture that the protocol shows; a is what is measured, b the true picture."""

TRUTH_MEASURES: dict[str, Measure] = {
    "clean-marked": Measure(
        title="Marked of the untouched picture",
        unit="%",
        digits=2,
        sign=-1,
        definition=f"Share of pixels that are marked, in percent; marked is {MARKED}. Measured of the untouched "
        "pictures, where every mark is a false alarm.",
        source=OURS,
        compute=lambda views: 100 * share_marked(views.detected()),
        needs="detector",
    ),
}
"""Measured of the untouched pictures alone, whenever there is a detector; cannot be asked for."""
