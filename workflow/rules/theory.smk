# Input: the block `theory` of params.yaml, training images of one study, and trained models. Output: results/theory/: a
# table of each part, summary.csv, their union, and figures. Targets: theory, theory_landscape, theory_molrg,
# theory_jacobian, theory_editing, theory_bypass, theory_watermark, theory_families,
# theory_stages.

OF_LANDSCAPE, OF_MOLRG = PARAMS.theory.landscape, PARAMS.theory.molrg
OF_JACOBIAN, OF_EDITING = PARAMS.theory.jacobian, PARAMS.theory.editing
OF_BYPASS, OF_WATERMARK = PARAMS.theory.bypass, PARAMS.theory.watermark
OF_FAMILIES, OF_STAGES = PARAMS.theory.families, PARAMS.theory.stages

# {part: {name of a figure: title in the report}}. A figure's function: depthbias/report/theory_figures.py.
THEORY_FIGURES = {
    "landscape": {
        "merging": "minima that merge: simulation and two laws",
        "laws": "kappa of the laws, beside that of studies",
        "surface": "one energy at several levels",
        "energy": "minima and curvature of the energy of training images",
    },
    "molrg": {
        "phases": "subspaces recovered, against dimension and points",
        "boundary": "the boundary of recovery, and the learned denoiser",
    },
    "jacobian": {
        "rank": "rank and asymmetry of the Jacobian against noise level",
        "rank-depth": "rank of the Jacobian against depth",
        "local": "local linearity against the length of a step",
    },
    "editing": {
        "edit-properties": "what edits do, beside random directions",
    },
    "bypass": {"bypass": "the mid block bypassed, by schedule and percentage"},
    "watermark": {
        "watermark": "a watermark found again, against its noise level",
        "watermark-roc": "a watermark found again, against false alarms",
        "tradeoff": "a watermark seen and found: measured and predicted",
    },
    "families": {
        "families": "the same image of the same noise, by family",
        "family-grid": "the same image of the same noise, by training images and width",
    },
    "stages": {"stages": "noise levels treated by stages: similarity, loss, cost"},
}


use rule compute as measure_landscape with:
    input:
        images=IMAGES.format(study=OF_LANDSCAPE.study),
        subsets=expand(
            SUBSET,
            study=OF_LANDSCAPE.study,
            ratio=STUDIES[OF_LANDSCAPE.study].ratios,
            seed=STUDIES[OF_LANDSCAPE.study].seeds[0],
        ),
    output:
        THEORY_PARTS["landscape"],
    params:
        **calls(
            "measure_landscape",
            flags(
                OF_LANDSCAPE.model_dump(exclude={"study", "kappa_of"}),
                seed=PARAMS.theory.seed,
            ),
        ),


use rule compute as measure_molrg with:
    output:
        THEORY_PARTS["molrg"],
    params:
        **calls("measure_molrg", flags(OF_MOLRG.model_dump(), seed=PARAMS.theory.seed)),


use rule on_gpu as measure_jacobian with:
    input:
        model=MODEL,
        meta=MODEL_META,
        images=of_base(IMAGES),
        subset=SUBSET,
    output:
        JACOBIAN_RUN,
    params:
        **calls(
            "measure_jacobian",
            lambda w: flags(
                OF_JACOBIAN.model_dump(exclude={"study"}),
                noise_seed=study_of(w).sampling.noise_seeds[0],
                seed=PARAMS.theory.seed,
                batch_size=study_of(w).sampling.batch_size,
                run=dict(w.items()),
            ),
        ),


use rule on_gpu as measure_editing with:
    input:
        model=MODEL,
        meta=MODEL_META,
    output:
        EDITING_RUN,
    params:
        **calls(
            "measure_editing",
            lambda w: flags(
                OF_EDITING.model_dump(exclude={"study"}),
                noise_seed=study_of(w).sampling.noise_seeds[0],
                seed=PARAMS.theory.seed,
                batch_size=study_of(w).sampling.batch_size,
                run=dict(w.items()),
            ),
        ),


use rule script as estimate_jacobian with:
    input:
        measurements=of_study(JACOBIAN_RUN, OF_JACOBIAN),
    output:
        THEORY_PARTS["jacobian"],
    localrule: True
    params:
        **calls("estimate_theory", shlex.join(["jacobian", "--study", OF_JACOBIAN.study])),


use rule script as estimate_editing with:
    input:
        measurements=of_study(EDITING_RUN, OF_EDITING),
    output:
        THEORY_PARTS["editing"],
    localrule: True
    params:
        **calls("estimate_theory", shlex.join(["editing", "--study", OF_EDITING.study])),


# The pictures of one ratio and seed.
use rule script as plot_theory_edits with:
    input:
        edits=first_seed(EDITING_RUN, OF_EDITING, ratio=STUDIES[OF_EDITING.study].ratios[0]),
    output:
        **drawing(
            f"{THEORY_FIGURE}/edits",
            "theory-edits",
            "Theory",
            part="editing",
            figure="images with a region edited",
        ),
    localrule: True
    params:
        **calls("plot_edits"),


# The U-Nets of the first ratio that have a mid block.
BYPASSED = {
    "ratio": STUDIES[OF_BYPASS.study].ratios[0],
    "architecture": [
        name
        for name in STUDIES[OF_BYPASS.study].architectures
        if get_architecture(name).has_mid_block
    ],
}


use rule on_gpu as measure_bypass with:
    input:
        models=of_study(MODEL, OF_BYPASS, **BYPASSED),
        metas=of_study(MODEL_META, OF_BYPASS, **BYPASSED),
        subsets=of_study(SUBSET, OF_BYPASS, **BYPASSED),
        images=IMAGES.format(study=OF_BYPASS.study),
        split=SPLIT.format(study=OF_BYPASS.study),
        classifier=CLASSIFIER.format(study=OF_BYPASS.study),
        classifier_meta=CLASSIFIER_META.format(study=OF_BYPASS.study),
    output:
        THEORY_PARTS["bypass"],
    params:
        **calls(
            "measure_bypass",
            flags(
                OF_BYPASS.model_dump(exclude={"study", "images"}),
                count=OF_BYPASS.images,
                backbone=STUDIES[OF_BYPASS.study].diversity.backbone,
                quality_k=STUDIES[OF_BYPASS.study].quality.manifold_k,
                noise_seed=STUDIES[OF_BYPASS.study].sampling.noise_seeds[0],
                batch_size=STUDIES[OF_BYPASS.study].sampling.batch_size,
            ),
        ),


MARKED = {
    "study": OF_WATERMARK.study,
    "ratio": STUDIES[OF_WATERMARK.study].ratios[0],
    "architecture": OF_WATERMARK.architecture,
    "seed": STUDIES[OF_WATERMARK.study].seeds[0],
}


use rule on_gpu as measure_watermark with:
    input:
        model=MODEL.format(**MARKED),
        meta=MODEL_META.format(**MARKED),
        images=IMAGES.format(**MARKED),
        subset=SUBSET.format(**MARKED),
    output:
        THEORY_PARTS["watermark"],
    params:
        **calls(
            "measure_watermark",
            flags(
                OF_WATERMARK.model_dump(exclude={"study", "architecture", "images"}),
                count=OF_WATERMARK.images,
                noise_seed=STUDIES[OF_WATERMARK.study].sampling.noise_seeds[0],
                key_seed=PARAMS.theory.seed,
                batch_size=STUDIES[OF_WATERMARK.study].sampling.batch_size,
            ),
        ),


# Models of all families on two disjoint training sets of one seed, as many of each class.
use rule on_gpu as measure_families with:
    input:
        images=IMAGES.format(study=OF_FAMILIES.study),
        split=SPLIT.format(study=OF_FAMILIES.study),
    output:
        FAMILIES,
    params:
        **calls(
            "measure_families",
            lambda w: flags(
                OF_FAMILIES.model_dump(
                    include={"families", "sizes", "widths", "overrides"}, exclude_none=True
                ),
                width=STUDIES[OF_FAMILIES.study].width,
                training=STUDIES[OF_FAMILIES.study]
                .training_of(OF_FAMILIES.architecture)
                .model_dump(exclude={"snapshots", "objective"}),
                sampler=STUDIES[OF_FAMILIES.study].sampling.samplers[0],
                count=OF_FAMILIES.images,
                noise_seed=STUDIES[OF_FAMILIES.study].sampling.noise_seeds[0],
                batch_size=STUDIES[OF_FAMILIES.study].sampling.batch_size,
                run={
                    "study": OF_FAMILIES.study,
                    "ratio": "equal",
                    "architecture": OF_FAMILIES.architecture,
                    "seed": w.seed,
                },
            ),
        ),


use rule compute as estimate_families with:
    input:
        made=expand(FAMILIES, seed=OF_FAMILIES.seeds),
        images=IMAGES.format(study=OF_FAMILIES.study),
        split=SPLIT.format(study=OF_FAMILIES.study),
    output:
        THEORY_PARTS["families"],
    params:
        **calls("estimate_families", flags(study=OF_FAMILIES.study)),


use rule script as plot_families with:
    input:
        made=expand(FAMILIES, seed=OF_FAMILIES.seeds[:1]),
    output:
        **drawing(
            f"{THEORY_FIGURE}/family-samples",
            "theory-family-samples",
            "Theory",
            part="families",
            figure="what each family makes of the same noise",
        ),
    localrule: True
    params:
        **calls("plot_families", flags(study=OF_FAMILIES.study)),


# Three networks of one seed, on the training images of the study's first ratio.
use rule on_gpu as measure_stages with:
    input:
        images=IMAGES.format(study=OF_STAGES.study),
        split=SPLIT.format(study=OF_STAGES.study),
        subset=lambda w: SUBSET.format(
            study=OF_STAGES.study,
            ratio=STUDIES[OF_STAGES.study].ratios[0],
            seed=w.seed,
        ),
    output:
        STAGES,
    params:
        **calls(
            "measure_stages",
            lambda w: flags(
                OF_STAGES.model_dump(exclude={"study", "architecture"}),
                width=STUDIES[OF_STAGES.study].width,
                training=STUDIES[OF_STAGES.study]
                .training_of(OF_STAGES.architecture)
                .model_dump(exclude={"snapshots", "objective"}),
                noise_seed=STUDIES[OF_STAGES.study].denoising.noise_seed,
                run={
                    "study": OF_STAGES.study,
                    "ratio": STUDIES[OF_STAGES.study].ratios[0],
                    "architecture": OF_STAGES.architecture,
                    "seed": w.seed,
                },
            ),
        ),


use rule script as estimate_stages with:
    input:
        measurements=expand(STAGES, seed=STUDIES[OF_STAGES.study].seeds),
    output:
        THEORY_PARTS["stages"],
    localrule: True
    params:
        **calls("estimate_theory", shlex.join(["stages", "--study", OF_STAGES.study])),


use rule script as summarize_theory with:
    input:
        parts=list(THEORY_PARTS.values()),
    output:
        report(
            THEORY,
            caption="../report/theory-summary.rst",
            category="Theory",
            labels={"table": "every number (summary.csv)"},
        ),
    localrule: True
    params:
        **calls("summarize"),


for part, figures in THEORY_FIGURES.items():
    for name, title in figures.items():

        rule:
            name:
                f"plot_theory_{name}"
            input:
                rows=THEORY_PARTS[part],
                summaries=expand(SUMMARY, study=OF_LANDSCAPE.kappa_of if name == "laws" else []),
            output:
                **drawing(
                    f"{THEORY_FIGURE}/{name}",
                    f"theory-{name}",
                    "Theory",
                    part=part,
                    figure=title,
                ),
            localrule: True
            conda:
                "../../environment.yml"
            params:
                **calls("plot_theory", name),
            shell:
                'python "$DEPTHBIAS/scripts/{params.script}.py" {params.options} {params.files} &> {log:q}'
