"""What an audit says of its inputs: what was brought, what differs, what is left out and why."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from depthbias.report.lights import DOUBTFUL, FAILS, HOLDS, UNKNOWN, Light

Brought = Mapping[str, Any]  # {"real": of bring_images.py, "generated": [of bring_samples.py ...]}
PARTS = {
    "classes": "bias: it needs classes",
    "heldout": "membership: it needs held-out images",
    "diversity": "diversity: name a backbone in diversity.backbone",
    "models": "membership: it needs a model, not images alone",
}


def left_out(settings: Mapping[str, Any]) -> list[str]:
    """What the audit does not measure, and what it would need; settings: the study in full."""
    models = any(not one.get("images") for one in settings["subjects"].values())
    there = {name: bool(settings.get(name)) for name in ("classes", "heldout", "diversity")}
    there["models"] = models or not there["heldout"]  # one reason is enough
    return [text for name, text in PARTS.items() if not there[name]]


def notes(brought: Brought) -> list[str]:
    """Everything to know before the numbers are read, a line each."""
    real, found = brought["real"], []
    if repeated := real["training"]["repeated"]:
        found.append(
            f"{repeated} training images are copies of others; all count as training images"
        )
    if left := real.get("held-out", {}).get("left_out"):
        found.append(f"{left} held-out images are training images as well and were left out")
    for one in brought["generated"]:
        if one["repeated"]:
            found.append(
                f"{one['given']}: {one['repeated']} images are copies of others; they count"
            )
        if one["differs"]:
            found.append(f"{one['given']}: differs from the training images in {one['differs']}")
    return found


def own_lights(brought: Brought, settings: Mapping[str, Any]) -> Sequence[Light]:
    """Two lights of what was brought: is it decoded alike, and are there held-out images?"""
    differs = [one["given"] for one in brought["generated"] if one["differs"]]
    state = DOUBTFUL if differs else HOLDS if brought["generated"] else UNKNOWN
    told = f"Other sizes or formats: {', '.join(differs)}." if differs else "All are decoded alike."
    rule = (
        "Generated images should have the sizes and formats of the training images: another filter "
        "or compression moves every image away from them, and hides copies."
    )
    decoding = Light("decoding", "Decoding", state, told, rule, "")
    there = brought["real"].get("held-out")
    told = f"{there['images']} images." if there else "There are none."
    rule = (
        "Without held-out images nobody knows how near a new image would be: backgrounds are "
        "training images among each other, and quality is told by training images."
    )
    return [
        decoding,
        Light("heldout", "Held-out images", HOLDS if there else FAILS, told, rule, ""),
    ]


def inputs_of(brought: Brought, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What was brought, as audit.json tells it."""
    generated = {Path(one["given"]).as_posix(): one for one in brought["generated"]}
    return {**brought["real"], "generated": generated, "subjects": settings["subjects"]}
