"""Words and sources that the definitions of several measures share.

Every definition is whole by itself: a report prints only those of the measures that it holds.
"""

from mendpix.metrics.texture import BAND_PX, FLOOR, RING_PX

ALL_PIXELS = "over all pixels and channels"
GREY = "one channel, grey = 0.2125 R + 0.7154 G + 0.0721 B"
OF_RANGE = "in percent of the data range"
DECIBELS = "10 log10(1 / mean of (a − b)²)"
GAUSSIAN_11 = (
    "Mean structural similarity, Gaussian window of 11 × 11 px with σ = 1.5 px, population covariance, data range 1, "
    "k1 = 0.01, k2 = 0.03"
)
UNIFORM_51, UNIFORM_7 = (
    f"Mean structural similarity, uniform window of {px} × {px} px, sample covariance, data range 1, k1 = 0.01, "
    "k2 = 0.03"
    for px in (51, 7)
)
INSIDE = "over the pixels whose window lies inside the picture"
PADDED = "over all pixels, the picture continuing black beyond its border"
CHANNELS = "mean of the three channels"
CANNY = "Canny's method, Gaussian with σ = 1 px, thresholds 0.1 and 0.2 on the Sobel norm of the picture in grey"
FRECHET = "‖μ − ν‖² + tr(A + B − 2 (A B)^½) of means and unbiased covariances"
MARKED = "what the detector rates above 0.5"
TEXTURE = (
    "Mean of |mean of the four diagonal neighbours − pixel| in grey over the pixels of the hole whose nine lie in it, "
    f"by that over the known pixels up to {RING_PX} px from the hole whose nine are known; either at least {FLOOR:g} "
    "of the data range"
)
SEAM = (
    "Mean of |difference of two neighbours in a row or column| in grey over the steps across the hole's border, by the "
    f"mean of those of up to {BAND_PX} steps further in, and of those further out, in the same lines; either at least "
    f"{FLOOR:g} of the data range"
)

OURS = "mendpix"
ZHANG = "Zhang et al. 2018, https://arxiv.org/abs/1801.03924"
WANG = "Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861"
GDN = "Zhang et al. 2020, https://arxiv.org/abs/2011.02293"
SKIMAGE = "scikit-image, https://scikit-image.org"
EDGECONNECT = "EdgeConnect's scripts/metrics.py, https://github.com/knazeri/edge-connect"
HANLEY = "Hanley and McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747"
MANNING = "Manning et al. 2008, section 8.4, https://nlp.stanford.edu/IR-book/"
