"""Under which terms the data sets may be used and passed on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """Terms of a data set.

    name: an SPDX identifier, or words where there is none; "" where nobody has said. link: to the
    terms; source: where the data come from; citation: who made them; shared: whether its images
    may be passed on.
    """

    name: str = ""
    link: str = ""
    source: str = ""
    citation: str = ""
    shared: bool = True


LICENCES = {
    "digits": Licence(
        "CC-BY-4.0",
        "https://creativecommons.org/licenses/by/4.0/",
        "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        "E. Alpaydin and C. Kaynak: Optical Recognition of Handwritten Digits. UCI Machine "
        "Learning Repository, 1998",
    ),
    "mnist": Licence(
        "CC-BY-SA-3.0",
        "https://creativecommons.org/licenses/by-sa/3.0/",
        "http://yann.lecun.com/exdb/mnist/",
        "Y. LeCun, C. Cortes and C. Burges: The MNIST database of handwritten digits",
    ),
    "celeba": Licence(
        "non-commercial research only",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        "Z. Liu, P. Luo, X. Wang and X. Tang: Deep Learning Face Attributes in the Wild, ICCV 2015",
        shared=False,
    ),
}


def licence_of(data_set: str, given: str = "") -> Licence:
    """The terms of a data set; given: a name or link for one whose terms are not known here."""
    known = LICENCES.get(data_set, Licence())
    if known.name or not given:
        return known
    return Licence(given, given if "://" in given else "")
