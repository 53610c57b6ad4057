"""The measures of sets that a protocol can name, in one literal table: name, unit, exact definition, source.

How they come from what was kept of every picture is in `gather.py`; `measures.py` puts everything together.
"""

from mendpix.evaluation.definitions import FRECHET, HANLEY, MANNING
from mendpix.evaluation.views import SetMeasure
from mendpix.metrics.crops import MARGIN, SIDE_PX
from mendpix.metrics.detection import CALIBRATION_BINS, TALLY_BINS
from mendpix.metrics.learned import KID_SEED, KID_SUBSET_SIZE, KID_SUBSETS

SET_MEASURES: dict[str, SetMeasure] = {
    "frechet-squeezenet": SetMeasure(
        title="Fréchet distance, SqueezeNet",
        unit="",
        digits=0,
        sign=-1,
        definition=f"{FRECHET} of the last activation (fire9, 512 channels, mean over its pixels) of SqueezeNet v1.0, "
        "of filled and of true pictures, a true one as often as it has pairs. Not FID, and not comparable with it. "
        "With up to 512 pairs the covariances are singular, and the fewer pairs the larger the value: compare only "
        "values from the same pairs, never two bins with each other. Equal sets: 0.",
        source="Heusel et al. 2017, https://arxiv.org/abs/1706.08500",
        least_pairs=256,
        vector="squeezenet",
    ),
    "frechet-hole": SetMeasure(
        title="Fréchet distance of hole crops, SqueezeNet",
        unit="",
        digits=0,
        sign=-1,
        definition=f"{FRECHET} of the last activation (fire9, 512 channels, mean over its pixels) of SqueezeNet v1.0, "
        "of crops around the holes of the filled pictures and the same crops of the true ones: a square of the longer "
        f"side of the hole's bounding box with a margin of {MARGIN:.1%} of that on every side, as far as the picture "
        f"reaches, resized to {SIDE_PX} × {SIDE_PX} px (OpenCV, by area where it shrinks, bilinear otherwise). Not "
        "FID, and not comparable with it. With up to 512 pairs the covariances are singular, and the fewer pairs the "
        "larger the value: compare only values from the same pairs, never two bins with each other. Equal sets: 0.",
        source="Heusel et al. 2017, https://arxiv.org/abs/1706.08500",
        least_pairs=50,
        vector="squeezenet-hole",
    ),
    "fid": SetMeasure(
        title="FID",
        unit="",
        digits=2,
        sign=-1,
        definition=f"{FRECHET} of the 2048 pooled features of the first FID program's Inception v3, of filled and of "
        "true pictures, rounded to 8 bits and resized to 299 × 299 px as that program did. Fewer than some 10,000 "
        "pairs make it too large: compare only values from the same pairs. Equal sets: 0.",
        source="Heusel et al. 2017, https://arxiv.org/abs/1706.08500",
        least_pairs=2048,
        vector="inception",
    ),
    "kid": SetMeasure(
        title="KID",
        unit="",
        digits=5,
        sign=-1,
        definition="Squared maximum mean discrepancy with the kernel (x·y / 2048 + 1)³ of the features that FID is "
        f"computed of, mean over {KID_SUBSETS} random subsets of {KID_SUBSET_SIZE} pictures (all, where there are "
        f"fewer), seed {KID_SEED}, each true picture once. It can come out below 0; papers often print a thousand "
        "times the number.",
        source="Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401",
        least_pairs=100,
        vector="inception",
    ),
    "detector-auc-pooled": SetMeasure(
        title="Detector, ROC-AUC of all pixels",
        unit="",
        digits=3,
        sign=0,
        definition="Chance that the detector rates a pixel of any hole above any known one of any picture, a tie "
        f"counting half; ratings counted in {TALLY_BINS} bins. 0.5: it finds nothing; 1: it finds the holes without "
        "fail.",
        source=HANLEY,
        least_pairs=1,
        vector="detector",
    ),
    "detector-ap-pooled": SetMeasure(
        title="Detector, average precision of all pixels",
        unit="",
        digits=3,
        sign=0,
        definition="Σ (rₖ − rₖ₋₁) pₖ over the thresholds k of the detector's ratings, with recall r and precision p "
        f"of the holes' pixels of all pictures together; ratings counted in {TALLY_BINS} bins.",
        source=MANNING,
        least_pairs=1,
        vector="detector",
    ),
    "detector-ece": SetMeasure(
        title="Detector, calibration error",
        unit="",
        digits=4,
        sign=-1,
        definition=f"Expected calibration error over the pixels of all pictures: |mean rating − share of hole| of each "
        f"of {CALIBRATION_BINS} equally wide bins of ratings, weighed by its pixels. Calibrated: 0.",
        source="Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602",
        least_pairs=1,
        vector="detector",
    ),
}
"""Measures of whole sets by name."""
