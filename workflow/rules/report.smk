# Input: summary.csv (and samples, logs and trajectories for what it does not hold). Output: results/<study>/figures/ (SVG
# and PNG) and results/<study>/tables/ (CSV, Markdown, HTML), captioned for `snakemake --report`; results/sweeps/;
# results/<study>/index.html, the page of a study.

# Figures drawn from the summary alone, and the descriptions beside it. A figure's function: depthbias/report/registry.py.
# category of the report: {name: (title there, files that say what its distances are)}
SUMMARY_FIGURES = {
    "Bias": {
        "proportions": ("class proportions against depth", []),
        "kappa": ("log-odds shift and amplification exponent", []),
        "thresholds": ("shares by several classifiers, against threshold", []),
        "bias-variance": ("bias and variance of k-NN and of U-Nets", []),
        "flips": ("flips of the class in round trips", []),
    },
    "Samples": {
        "quality": ("likeness to held-out images against depth", [QUALITY_ABOUT]),
    },
    "Diversity and memorisation": {
        "diversity": ("diversity against depth", [DIVERSITY_ABOUT]),
        "neighbors": ("nearest training images against depth", [NEIGHBORS_ABOUT]),
        "copied-training": (
            "copied training images against samples",
            [NEIGHBORS_ABOUT],
        ),
        "membership": ("membership attacks against noise level", []),
    },
    "Training": {
        "depth-use": ("what each stage is worth", []),
        "convergence": ("held-out and training loss by noise level", []),
    },
    "Gaussian structure": {
        "linearity": ("linearity against noise level", []),
        "structure": ("linearity against depth", []),
        "score-errors": ("distance to linear, Gaussian and multi-delta denoisers", []),
        "linear-maps": ("linear maps beside the Gaussian's", []),
    },
}

for category, figures in SUMMARY_FIGURES.items():
    for name, (title, provenance) in figures.items():

        rule:
            name:
                f"plot_{name.replace('-', '_')}"
            input:
                summary=SUMMARY,
                provenance=provenance,
            output:
                **figure(name, name, category, figure=title),
            localrule: True
            conda:
                "../../environment.yml"
            params:
                **calls("plot_summary", name),
            shell:
                'python "$DEPTHBIAS/scripts/{params.script}.py" {params.options} {params.files} &> {log:q}'


use rule script as plot_grid with:
    input:
        samples=lambda w: first_seed(SAMPLES, w, ratio=w.ratio),
        classes=lambda w: first_seed(CLASSES, w, ratio=w.ratio),
    output:
        **of_ratio("grid", "Samples", "same noise, every depth"),
    localrule: True
    params:
        **calls("plot_grid", lambda w: flags(decidable=study_of(w).bias.decidable)),


use rule script as plot_real with:
    input:
        images=of_base(IMAGES),
        subset=lambda w: first_seed(SUBSET, w, ratio=study_of(w).ratios[0]),
        samples=lambda w: first_seed(SAMPLES, w, ratio=study_of(w).ratios[0]),
        classes=lambda w: first_seed(CLASSES, w, ratio=study_of(w).ratios[0]),
    output:
        **figure("real", "real", "Samples", figure="training images and generated ones"),
    localrule: True
    params:
        **calls("plot_real", lambda w: flags(decidable=study_of(w).bias.decidable)),


use rule script as plot_losses with:
    input:
        logs=lambda w: of_study(TRAIN_LOG, w),
    output:
        **figure("losses", "losses", "Training", figure="training and held-out loss"),
    localrule: True
    params:
        **calls("plot_losses", of_wildcards),


use rule script as plot_nearest_pairs with:
    input:
        pairs=NEAREST_PAIRS,
        images=of_base(IMAGES),
        samples=lambda w: first_seed(SAMPLES, w, ratio=w.ratio),
    output:
        **of_ratio("nearest-pairs", "Diversity and memorisation", "nearest pairs"),
    localrule: True
    params:
        **calls(
            "plot_nearest_pairs",
            lambda w: flags(embedding=study_of(w).neighbors.embeddings[0]),
        ),


use rule script as plot_trajectories with:
    input:
        trajectories=lambda w: first_seed(TRAJECTORIES, w, ratio=w.ratio),
    output:
        **of_ratio(
            "trajectories",
            "Gaussian structure",
            "same noise, model, linear, Gaussian, multi-delta",
        ),
    localrule: True
    params:
        **calls("plot_trajectories"),


use rule script as plot_roc with:
    input:
        measurements=lambda w: of_study(DENOISING_RUN, w, ratio=w.ratio),
    output:
        **of_ratio("roc", "Diversity and memorisation", "membership attacks, ROC curves"),
    localrule: True
    params:
        **calls("plot_roc"),


use rule script as plot_disjoint with:
    input:
        first=lambda w: of_seed(TRAJECTORIES, w, 0),
        second=lambda w: of_seed(TRAJECTORIES, w, 1),
    output:
        **of_ratio(
            "disjoint",
            "Gaussian structure",
            "same noise, two training sets without a common image",
        ),
    localrule: True
    params:  # for the caption: a value of a sweep is no study of params.yaml
        **calls("plot_disjoint"),
        images=lambda w: study_of(w).subset_size,
        noises=lambda w: study_of(w).structure.trajectories,


use rule script as plot_sweep with:
    input:
        parts=lambda w: expand(
            [STRUCTURE, NEIGHBORS, REPRODUCIBILITY], study=PARAMS.points(w.sweep)
        ),
    output:
        **drawing(SWEEP_FIGURE, "sweep", "Sweeps", sweep="{sweep}"),
    localrule: True
    params:
        **calls(
            "plot_sweep",
            lambda w: flags(
                studies=list(PARAMS.points(w.sweep)),
                values=list(PARAMS.points(w.sweep).values()),
                label=SWEEPS[w.sweep].label,
            ),
        ),
        label=lambda w: SWEEPS[w.sweep].label,


# Tables of the summary, as the figures above.
SUMMARY_TABLES = {
    "proportions": ("class proportions (Table 2)", []),
    "neighbors": (
        "neighbours, diversity (Table 3)",
        [NEIGHBORS_ABOUT, DIVERSITY_ABOUT],
    ),
    "quality": ("precision, recall, density, coverage, KID", [QUALITY_ABOUT]),
    "classifiers": ("classifiers and their errors", []),
    "membership": ("membership attacks", []),
}

for name, (title, provenance) in SUMMARY_TABLES.items():

    rule:
        name:
            f"write_{name}"
        input:
            summary=SUMMARY,
            provenance=provenance,
        output:
            **table(name, title),
        localrule: True
        conda:
            "../../environment.yml"
        params:
            **calls("write_table", name),
        shell:
            'python "$DEPTHBIAS/scripts/{params.script}.py" {params.options} {params.files} &> {log:q}'


use rule script as write_architectures with:
    output:
        **table("architectures", "architectures (Table A)"),
        rows=PARAMETERS,
    localrule: True
    params:
        **calls(
            "write_architectures",
            lambda w: flags(
                study=w.study,
                architectures=study_of(w).architectures,
                channels=study_of(w).data.channels,
                size=study_of(w).data.size,
                width=study_of(w).width,
            ),
        ),


use rule script as write_usage with:
    input:
        usage=lambda w: [*of_study(TRAIN_USAGE, w), *of_study(SAMPLE_USAGE, w)],
    output:
        **table("usage", "time, memory and devices"),
    localrule: True
    params:
        **calls("write_usage", of_wildcards),


use rule script as write_page with:
    input:
        summary=SUMMARY,
        slopes=SLOPES,
        verdict=VERDICT,
        images=of_base(IMAGES),
        subsets=lambda w: of_study(SUBSET, w),
        samples=lambda w: of_study(SAMPLES, w, sampler=main_sampler(w)),
        classes=lambda w: of_study(CLASSES, w, sampler=main_sampler(w)),
        manifold=MANIFOLD,
        figures=lambda w: page_figures(w.study),
        meta=lambda w: of_study(MODEL_META, w),
        usage=lambda w: [*of_study(TRAIN_USAGE, w), *of_study(SAMPLE_USAGE, w)],
    output:
        PAGE,
    wildcard_constraints:
        **of_own(TRAINED),
    params:
        **calls(
            "write_page",
            lambda w: flags(study=w.study, settings=study_of(w).model_dump()),
        ),
