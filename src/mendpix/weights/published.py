"""Every method as one table to read: what it is, its facts, what can be imported, and where weights come from.

The numbers are those of the published sizes; tests compare them with the networks, which this module, being free of
torch, cannot ask. No published weights come with mendpix.
"""

from collections.abc import Mapping
from dataclasses import dataclass

NOTE = (
    "No published weights come with mendpix. Licences are those of the programs; what they say of the weights is for "
    "you to find out."
)
"""Said with the table: a licence of a program says nothing certain about weights."""


@dataclass(frozen=True)
class PublishedMethod:
    """One line of the table."""

    title: str
    """Method, authors and where it was published."""
    multiple_of: int
    """What height and width must be a multiple of, px; `mendpix inpaint` pads pictures to it."""
    minimum: int
    """Smallest height and width, px."""
    parameters: Mapping[str, int]
    """Networks by name, the one that fills first, with the numbers that each learns at its published size."""
    macs_g: float
    """Multiply-adds of the filling at 256 x 256 px, in 10⁹."""
    recipes: tuple[str, ...]
    """Files in the folder recipes, the small one first."""
    inputs: tuple[str, ...] = ("image", "hole")
    """What the network that fills is given."""
    preferred_px: int | None = None
    """Longest side that is filled at once, px; None = as `mendpix export` chooses."""
    local: bool = False
    """True if nothing in that network looks at the whole picture, so that a crop is filled as the whole would be."""
    half: bool = True
    """True if that network also gives its answer in float16,"""
    bfloat16: bool = True
    """or in bfloat16."""
    formats: tuple[str, ...] = ()
    """What `mendpix weights import --format` takes."""
    source: str = "none are published"
    """Where published weights come from."""
    licence: str = ""
    """Licence of the program that they belong to; empty if there is none to name."""
    embedded: tuple[str, ...] = ()
    """Models that come with mendpix, as `mendpix models` names them."""


METHODS: dict[str, PublishedMethod] = {
    "scenes": PublishedMethod(
        title="mendpix's own small network of the GDN family, with its detector",
        multiple_of=8, minimum=8,
        parameters={"scenes": 2_673_968, "scenes-detector": 304_312},
        macs_g=3.748,
        inputs=("image", "hole", "fills"), local=True,
        recipes=("scenes.toml", "scenes-finish.toml", "scenes-harmoniser.toml"),
        source="they come with mendpix",
        licence="Apache-2.0",
        embedded=("scenes", "scenes-detector", "exemplar-harmonised"),
    ),
    "gdn": PublishedMethod(
        title="GDN, pixel-wise dense detector; Zhang et al., Computer Graphics Forum 2020",
        multiple_of=4, minimum=12,
        parameters={"gdn": 10_779_328, "gdn-detector": 2_267_490, "gdn-discriminator": 2_764_737},
        macs_g=48.683,
        recipes=("gdn-scenes-small.toml", "gdn-places2.toml", "gdn-celebahq.toml", "gdn-paris.toml"),
        formats=("gdn-tf",),
        source="Evergrow/GDN_Inpainting on GitHub links TensorFlow checkpoints (CelebA-HQ, Places2)",
        licence="MIT",
    ),
    "isnet": PublishedMethod(
        title="ISNet, interactive separation network; Li et al., ICIP 2020",
        multiple_of=16, minimum=16, local=True,
        parameters={"isnet": 24_774_307, "patchgan": 2_763_776},
        macs_g=66.245,
        recipes=("isnet-small.toml", "isnet-places2.toml"),
        formats=("isnet",),
        source="GuardSkill/Large-Scale-Feature-Inpainting on GitHub links PyTorch files (Places2, CelebA)",
        licence="CC BY-NC 4.0",
        embedded=("isnet",),
    ),
    "pconv": PublishedMethod(
        title="partial convolution, U-Net of seven levels; Liu et al., ECCV 2018",
        multiple_of=128, minimum=128,
        parameters={"pconv": 25_779_796},
        macs_g=9.472,
        recipes=("pconv-small.toml", "pconv-places2.toml"),
        formats=("pconv-naoto",),
        source="the releases of naoto0804/pytorch-inpainting-with-partial-conv on GitHub have a PyTorch file",
        licence="MIT",
        embedded=("pconv",),
    ),
    "edgeconnect": PublishedMethod(
        title="EdgeConnect, edges first; Nazeri et al., 2019",
        multiple_of=4, minimum=12,
        parameters={"edgeconnect": 21_535_684, "patchgan": 2_763_776},
        macs_g=96.750,
        inputs=("image", "hole", "edges"),
        recipes=("edgeconnect-small.toml", "edgeconnect-places2.toml"),
        formats=("edgeconnect",),
        source="knazeri/edge-connect on GitHub links PyTorch files (Places2, CelebA, Paris StreetView)",
        licence="CC BY-NC 4.0",
        embedded=("edgeconnect",),
    ),
    "deepfill-v2": PublishedMethod(
        title="DeepFill v2, gated convolution; Yu et al., ICCV 2019",
        multiple_of=8, minimum=16, preferred_px=512,
        parameters={"deepfill-v2": 4_052_478, "deepfill-v2-critic": 5_946_816},
        macs_g=27.734,
        recipes=("deepfill-v2-small.toml", "deepfill-v2-places2.toml"),
        formats=("deepfillv2-torch",),
        source="nipponjo/deepfillv2-pytorch on GitHub links PyTorch files (Places2, CelebA-HQ): the authors' weights "
        "of JiahuiYu/generative_inpainting converted, and its own",
        licence="CC BY-NC 4.0 (the authors' program), none given (the port)",
        embedded=("deepfill-v2",),
    ),
    "deepfill-v1": PublishedMethod(
        title="DeepFill v1, contextual attention; Yu et al., CVPR 2018",
        multiple_of=8, minimum=16, preferred_px=512,
        parameters={
            "deepfill-v1": 3_601_542, "deepfill-v1-local-critic": 4_339_329, "deepfill-v1-global-critic": 2_733_441,
        },
        macs_g=25.810,
        recipes=("deepfill-v1-small.toml", "deepfill-v1-places2.toml"),
        formats=("deepfillv1-torch",),
        source="daa233/generative-inpainting-pytorch on GitHub links PyTorch files, one of them the authors' weights "
        "of JiahuiYu/generative_inpainting converted",
        licence="MIT (the port), CC BY-NC 4.0 (the authors' program)",
        embedded=("deepfill-v1",),
    ),
    "pennet": PublishedMethod(
        title="PEN-Net, pyramid-context encoder; Zeng et al., CVPR 2019",
        multiple_of=64, minimum=64, preferred_px=256,
        parameters={"pennet": 10_231_538, "pennet-discriminator": 4_318_401},
        macs_g=25.659,
        recipes=("pennet-small.toml", "pennet-places2.toml"),
        formats=("pennet",),
        source="researchmm/PEN-Net-for-Inpainting on GitHub links folders of PyTorch files (CelebA-HQ, DTD, Facade, "
        "Places2), all trained with square holes",
        licence="MIT",
        embedded=("pennet",),
    ),
    "glcic": PublishedMethod(
        title="GLCIC, globally and locally consistent completion; Iizuka et al., SIGGRAPH 2017",
        multiple_of=4, minimum=4,
        parameters={"glcic": 6_072_131, "glcic-discriminator": 45_063_681},
        macs_g=32.554,
        recipes=("glcic-small.toml", "glcic-places2.toml"),
        formats=("glcic",),
        source="otenim/GLCIC-PyTorch on GitHub links PyTorch files of a port",
        licence="MIT (the port), CC BY-NC-SA 4.0 (the authors' program)",
        embedded=("glcic",),
    ),
    "informed": PublishedMethod(
        title="informed mask generation, blind: finds mask, edges and fill; anonymous submission",
        multiple_of=8, minimum=16,
        parameters={"informed": 14_819_567, "mpn": 1_354_669, "ipn-critic": 5_948_416},
        macs_g=76.175,
        inputs=("image", "hole", "edges"), preferred_px=512,
        recipes=("informed-small.toml", "informed-psv.toml"),
    ),
}  # fmt: skip
"""To add a method: its line here, besides its network's and its training's."""
