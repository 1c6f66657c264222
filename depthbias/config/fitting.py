"""What must fit together in a study: every rule yields what is wrong, a line each."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from depthbias.config.blocks import Training
from depthbias.config.checks import told
from depthbias.config.theory import Bypass, Families, Stages, Watermark
from depthbias.data.subsets import check_counts, class_counts, percentages
from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.sampler_names import MOST_STEPS, SAMPLERS, samplers_for
from depthbias.diffusion.unet import UNETS
from depthbias.estimates.arm_names import slope_names
from depthbias.system.errors import suggestion
from depthbias.theory.family_names import FAMILIES
from depthbias.theory.region import check_region
from depthbias.vision.other_classifiers import NETWORK

if TYPE_CHECKING:
    from depthbias.config.audit import Audit
    from depthbias.config.study import Params, Study


def study_problems(study: "Study") -> Iterator[str]:
    """All that does not fit together in a study whose single values are right."""
    yield from _sizes(study)
    yield from _ratios_and_models(study)
    for name in study.overrides:
        yield from _override(study, name)
    yield from _samplers(study)
    yield from _endpoint(study)
    yield from _neighbors(study)
    yield from _quality(study)
    yield from _classifiers(study)


def _sizes(study: "Study") -> Iterator[str]:
    pixels = study.data.channels * study.data.size**2
    if study.structure.samples <= pixels:
        yield (
            f"structure.samples: {study.structure.samples} noisy images cannot fix a linear map "
            f"of {pixels} pixels: take more, {10 * pixels} if there is time"
        )
    if any(seen >= study.training.budget for seen in study.training.snapshots):
        yield "training.snapshots: must all be below training.budget"
    if max(study.neighbors.k) >= study.subset_size:
        yield f"neighbors.k: {max(study.neighbors.k)} needs more than {study.subset_size} images"
    least = 2 * len(study.classes)
    for key, count in (
        ("denoising.heldout_images", study.denoising.heldout_images),
        ("denoising.training_images", study.denoising.training_images),
        ("flips.images", study.flips.images),
    ):
        if count < least:
            yield f"{key}: {count} are not 2 of each of {len(study.classes)} classes: take {least}"


def _ratios_and_models(study: "Study") -> Iterator[str]:
    for ratio in study.ratios:
        parts = len(ratio.split("-"))
        if ratio != "natural" and parts != len(study.classes):
            yield f"ratios: {ratio!r}: {parts} parts, {len(study.classes)} classes"
        elif ratio != "natural":
            fractions = [percent / 100 for percent in percentages(ratio)]
            counts = class_counts(fractions, study.subset_size)
            names = list(study.classes)
            yield from told(check_counts, ratio, names, counts, key="subset_size: ")
    for name in study.architectures:
        fits = get_architecture(name).check
        yield from told(fits, study.data.size, study.width, key="architectures: ")


def _override(study: "Study", architecture: str) -> Iterator[str]:
    if architecture not in study.architectures:
        yield (
            f"overrides: no architecture {architecture!r} here"
            f"{suggestion(architecture, study.architectures)}"
        )
        return
    unknown = [key for key in study.overrides[architecture] if key not in Training.model_fields]
    for key in unknown:
        hint = suggestion(key, Training.model_fields)
        yield f"overrides.{architecture}: unknown key {key!r}{hint}"
    if unknown:
        return
    try:
        training = study.training_of(architecture)
    except ValidationError as error:
        for one in error.errors():
            key = ".".join(["overrides", architecture, *map(str, one["loc"])])
            yield f"{key}: {one['msg']}, not {one['input']!r}"
        return
    if training.objective != study.training.objective:
        yield f"overrides.{architecture}.objective: one objective a study"
    if any(seen >= training.budget for seen in training.snapshots):
        yield f"overrides.{architecture}.budget: must be above all training.snapshots"


def _samplers(study: "Study") -> Iterator[str]:
    objective = study.training.objective
    usable, most = samplers_for(objective), MOST_STEPS.get(objective)
    for sampler in study.sampling.samplers:
        name, _, steps = sampler.partition("-")
        if name not in usable:
            yield (
                f"sampling.samplers: {name} needs training.objective "
                f"{' or '.join(SAMPLERS[name].objectives)}; use {' or '.join(usable)}"
            )
        if most and int(steps) > most:
            yield (
                f"sampling.samplers: {sampler}: a model of training.objective {objective} has "
                f"{most} noise levels: take at most {name}-{most}"
            )


def _endpoint(study: "Study") -> Iterator[str]:
    known = slope_names()
    for name in study.endpoint.secondary:
        if name not in known:
            yield f"endpoint.secondary: no slope {name!r}{suggestion(name, known)}"


def _neighbors(study: "Study") -> Iterator[str]:
    if "pixels" not in study.neighbors.embeddings and not study.neighbors.copies:
        yield "neighbors.embeddings: nothing tells copies: add pixels, or give neighbors.copies"


def manifold_problems(study: "Study | Audit") -> Iterator[str]:
    """What does not fit the embedding that says what lies on the manifold."""
    name = study.quality.manifold_embedding
    if name not in study.neighbors.embeddings:
        yield f"quality.manifold_embedding: {name!r} is not among neighbors.embeddings"


def _quality(study: "Study") -> Iterator[str]:
    yield from manifold_problems(study)
    most = max(study.quality.k)
    if isinstance(study.data.heldout, int) and most >= study.data.heldout:
        yield (
            f"quality.k: {most} needs more than {study.data.heldout} held-out images a class: "
            "lower it, or raise data.heldout"
        )


def _classifiers(study: "Study") -> Iterator[str]:
    for name in study.classifiers.others:
        kind, _, of = name.partition("-")
        if kind != NETWORK and of not in study.neighbors.embeddings:
            yield f"classifiers.others: {name}: {of!r} is not in neighbors.embeddings"
        if name == f"{NETWORK}-{study.classifier.seed}":
            yield f"classifiers.others: {name} is the study's own: another seed"


def params_problems(params: "Params") -> Iterator[str]:
    """All that does not fit together in a params.yaml whose studies are right."""
    there = [*params.studies, *params.audits]
    if not there:
        yield "studies: there is none: add one"
        return
    for name in params.active:
        if name not in there:
            yield f"active: no study {name!r}{suggestion(name, there)}"
    yield from _theory(params)
    for name in params.sweeps:
        yield from _sweep(params, name)
    for name, audit in params.audits.items():
        for group in audit.groups(name):
            if group in there:
                yield f"studies.{group}: {name} makes it: rename one of them"


def _theory(params: "Params") -> Iterator[str]:
    if params.theory is None:
        return
    landscape, molrg, editing = params.theory.landscape, params.theory.molrg, params.theory.editing
    named = [(f"{key}.study", part.study) for key, part in params.theory.on_studies()]
    for key, name in [*named, *(("landscape.kappa_of", name) for name in landscape.kappa_of)]:
        if name not in params.studies:
            yield f"theory.{key}: no study {name!r}{suggestion(name, params.studies)}"
    if editing.study in params.studies:
        size = params.studies[editing.study].data.size
        yield from told(check_region, editing.rows, editing.columns, size, key="theory.editing: ")
    for name in landscape.kappa_of:
        if name in params.studies and len(params.studies[name].ratios) < 2:
            yield f"theory.landscape.kappa_of: {name} has one ratio, and kappa needs two"
    if 2 * max(molrg.dimensions) > molrg.space:
        yield (
            f"theory.molrg.dimensions: two subspaces of {max(molrg.dimensions)} do not fit "
            f"into a space of {molrg.space}: lower them, or raise theory.molrg.space"
        )
    rules: tuple[tuple[Any, Callable[[Study, Any], Iterator[str]]], ...] = (
        (params.theory.bypass, _bypass),
        (params.theory.watermark, _watermark),
        (params.theory.families, _families),
        (params.theory.stages, _stages),
    )
    for part, rule in rules:
        if part.study in params.studies:
            yield from rule(params.studies[part.study], part)


def _bypass(study: "Study", bypass: Bypass) -> Iterator[str]:
    if not any(get_architecture(name).has_mid_block for name in study.architectures):
        yield (
            f"theory.bypass.study: no architecture of {bypass.study} has a mid block: name "
            "another study"
        )


def _watermark(study: "Study", watermark: Watermark) -> Iterator[str]:
    name = watermark.architecture
    if name not in study.architectures:
        hint = suggestion(name, study.architectures)
        yield f"theory.watermark.architecture: no {name!r} in {watermark.study}{hint}"
    if watermark.radius > study.data.size / 2:
        yield (
            f"theory.watermark.radius: {watermark.radius:g} in images of {study.data.size} "
            f"pixels: at most {study.data.size / 2:g}"
        )


def _families(study: "Study", families: Families) -> Iterator[str]:
    name = families.architecture
    if name not in study.architectures:
        hint = suggestion(name, study.architectures)
        yield f"theory.families.architecture: no {name!r} in {families.study}{hint}"
        return
    for family in families.overrides:
        if family not in families.families:
            hint = suggestion(family, families.families)
            yield f"theory.families.overrides: {family!r} is not among the families{hint}"
    for width in families.widths:
        fits = get_architecture(name).check
        yield from told(fits, study.data.size, width, key="theory.families.widths: ")
    for family in families.families:
        fits = get_architecture(FAMILIES[family].architecture or name).check
        yield from told(fits, study.data.size, study.width, key="theory.families.families: ")


def _stages(study: "Study", stages: Stages) -> Iterator[str]:
    name = stages.architecture
    if name not in UNETS or name not in study.architectures:
        hint = suggestion(name, [one for one in study.architectures if one in UNETS])
        yield f"theory.stages.architecture: no U-Net {name!r} in {stages.study}{hint}"
        return
    if len(stages.widths) != stages.stages:
        given = len(stages.widths)
        yield f"theory.stages.widths: {given} for {stages.stages} stages: give one each"
    if stages.stages > len(stages.sigmas):
        yield f"theory.stages.stages: {stages.stages} of {len(stages.sigmas)} levels: take fewer"
    for width in stages.widths:
        fits = get_architecture(name).check
        yield from told(fits, study.data.size, width, key="theory.stages.widths: ")


def _sweep(params: "Params", name: str) -> Iterator[str]:
    base = params.sweeps[name].study
    if base not in params.studies:
        yield f"sweeps.{name}.study: no study {base!r}{suggestion(base, params.studies)}"
        return
    for point, value in params.points(name).items():
        try:
            params.study(name, point, value)
        except ValidationError as error:
            for one in error.errors():
                reasons = getattr(one.get("ctx", {}).get("error"), "found", [one["msg"]])
                where = ".".join(map(str, ["values", *one["loc"]]))
                yield from (f"sweeps.{name}.{where}: {value:g}: {reason}" for reason in reasons)
        except ValueError as error:
            yield f"sweeps.{name}.values: {error}"
        if point in {*params.studies, *params.audits} and point != base:
            yield f"studies.{point}: sweep {name} makes it: rename one of them"
