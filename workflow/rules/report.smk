# Input: summary.csv (and samples, logs and trajectories for what it does not hold). Output: results/<study>/figures/ (SVG
# and PNG) and results/<study>/tables/ (CSV, Markdown, HTML), captioned for `snakemake --report`; results/sweeps/.

# Figures drawn from the summary alone, and the descriptions beside it. A figure's function: depthbias/report/registry.py.
# name: (category of the report, title there, files that say what its distances are)
SUMMARY_FIGURES = {
    "proportions": ("Bias", "class proportions against depth", []),
    "kappa": ("Bias", "log-odds shift and amplification exponent", []),
    "diversity": (
        "Diversity and memorisation",
        "diversity against depth",
        [DIVERSITY_ABOUT],
    ),
    "neighbors": (
        "Diversity and memorisation",
        "nearest training images against depth",
        [NEIGHBORS_ABOUT],
    ),
    "linearity": ("Gaussian structure", "linearity against noise level", []),
    "structure": ("Gaussian structure", "linearity against depth", []),
    "score-errors": (
        "Gaussian structure",
        "distance to linear, Gaussian and multi-delta denoisers",
        [],
    ),
    "linear-maps": ("Gaussian structure", "linear maps beside the Gaussian's", []),
}

for name, (category, title, about) in SUMMARY_FIGURES.items():

    rule:
        name:
            f"plot_{name.replace('-', '_')}"
        input:
            summary=SUMMARY,
            about=about,
        output:
            **figure(name, name, category, figure=title),
        log:
            f"logs/plot_{name}/{{study}}.log",
        benchmark:
            f"logs/benchmarks/plot_{name}/{{study}}.tsv"
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=digest("plot_summary"),
            name=name,
            provenance="--provenance" if about else "",
        # No f-string here: it would be evaluated when the job runs, with the last values of the loop.
        shell:
            'python "$DEPTHBIAS/scripts/plot_summary.py" {params.name} --summary {input.summary:q}'
            " {params.provenance} {input.about:q} --output {output:q} &> {log:q}"


rule plot_grid:
    input:
        samples=lambda w: first_seed(SAMPLES, w, ratio=w.ratio),
        classes=lambda w: first_seed(CLASSES, w, ratio=w.ratio),
    output:
        **figure(
            "grid-{ratio}",
            "grid",
            "Samples",
            figure="same noise, every depth",
            ratio="{ratio}",
        ),
    log:
        "logs/plot_grid/{study}/{ratio}.log",
    benchmark:
        "logs/benchmarks/plot_grid/{study}/{ratio}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("plot_grid"),
        decidable=lambda w: study_of(w).bias.decidable,
    shell:
        'python "$DEPTHBIAS/scripts/plot_grid.py" --classes {input.classes:q} --samples {input.samples:q}'
        " --decidable {params.decidable} --output {output:q} &> {log:q}"


rule plot_real:
    input:
        images=of_base(IMAGES),
        subset=lambda w: first_seed(SUBSET, w, ratio=study_of(w).ratios[0]),
        samples=lambda w: first_seed(SAMPLES, w, ratio=study_of(w).ratios[0]),
        classes=lambda w: first_seed(CLASSES, w, ratio=study_of(w).ratios[0]),
    output:
        **figure("real", "real", "Samples", figure="training images and generated ones"),
    log:
        "logs/plot_real/{study}.log",
    benchmark:
        "logs/benchmarks/plot_real/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("plot_real"),
        decidable=lambda w: study_of(w).bias.decidable,
    shell:
        'python "$DEPTHBIAS/scripts/plot_real.py" --images {input.images:q} --subset {input.subset:q} --samples {input.samples:q}'
        " --classes {input.classes:q} --decidable {params.decidable} --output {output:q} &> {log:q}"


rule plot_losses:
    input:
        logs=lambda w: of_study(TRAIN_LOG, w),
    output:
        **figure("losses", "losses", "Training", figure="training loss"),
    log:
        "logs/plot_losses/{study}.log",
    benchmark:
        "logs/benchmarks/plot_losses/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("plot_losses"),
    shell:
        'python "$DEPTHBIAS/scripts/plot_losses.py" --study {wildcards.study} --logs {input.logs:q}'
        " --output {output:q} &> {log:q}"


rule plot_nearest_pairs:
    input:
        pairs=NEAREST_PAIRS,
        images=of_base(IMAGES),
        samples=lambda w: first_seed(SAMPLES, w, ratio=w.ratio),
    output:
        **figure(
            "nearest-pairs-{ratio}",
            "nearest-pairs",
            "Diversity and memorisation",
            figure="nearest pairs",
            ratio="{ratio}",
        ),
    log:
        "logs/plot_nearest_pairs/{study}/{ratio}.log",
    benchmark:
        "logs/benchmarks/plot_nearest_pairs/{study}/{ratio}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("plot_nearest_pairs"),
        embedding=lambda w: study_of(w).neighbors.embeddings[0],
    shell:
        'python "$DEPTHBIAS/scripts/plot_nearest_pairs.py" --pairs {input.pairs:q} --images {input.images:q} --samples {input.samples:q}'
        " --embedding {params.embedding} --output {output:q} &> {log:q}"


rule plot_trajectories:
    input:
        trajectories=lambda w: first_seed(TRAJECTORIES, w, ratio=w.ratio),
    output:
        **figure(
            "trajectories-{ratio}",
            "trajectories",
            "Gaussian structure",
            figure="same noise, model, linear, Gaussian, multi-delta",
            ratio="{ratio}",
        ),
    log:
        "logs/plot_trajectories/{study}/{ratio}.log",
    benchmark:
        "logs/benchmarks/plot_trajectories/{study}/{ratio}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("plot_trajectories"),
    shell:
        'python "$DEPTHBIAS/scripts/plot_trajectories.py" --trajectories {input.trajectories:q} --output {output:q} &> {log:q}'


rule plot_disjoint:
    input:
        first=lambda w: of_seed(TRAJECTORIES, w, 0),
        second=lambda w: of_seed(TRAJECTORIES, w, 1),
    output:
        **figure(
            "disjoint-{ratio}",
            "disjoint",
            "Gaussian structure",
            figure="same noise, two training sets without a common image",
            ratio="{ratio}",
        ),
    log:
        "logs/plot_disjoint/{study}/{ratio}.log",
    benchmark:
        "logs/benchmarks/plot_disjoint/{study}/{ratio}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:  # for the caption: a value of a sweep is no study of params.yaml
        code=digest("plot_disjoint"),
        images=lambda w: study_of(w).subset_size,
        noises=lambda w: study_of(w).structure.trajectories,
    shell:
        'python "$DEPTHBIAS/scripts/plot_disjoint.py" --first {input.first:q} --second {input.second:q} --output {output:q} &> {log:q}'


rule plot_sweep:
    input:
        parts=lambda w: expand(
            [STRUCTURE, NEIGHBORS, REPRODUCIBILITY], study=PARAMS.points(w.sweep)
        ),
    output:
        svg=f"{SWEEP_FIGURE}.svg",
        png=report(
            f"{SWEEP_FIGURE}.png",
            caption="../report/sweep.rst",
            category="Sweeps",
            labels={"sweep": "{sweep}"},
        ),
    log:
        "logs/plot_sweep/{sweep}.log",
    benchmark:
        "logs/benchmarks/plot_sweep/{sweep}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("plot_sweep"),
        studies=lambda w: list(PARAMS.points(w.sweep)),
        values=lambda w: list(PARAMS.points(w.sweep).values()),
        label=lambda w: SWEEPS[w.sweep].label,
    shell:
        'python "$DEPTHBIAS/scripts/plot_sweep.py" --parts {input.parts:q} --studies {params.studies:q} --values {params.values:q}'
        " --label {params.label:q} --output {output:q} &> {log:q}"


rule write_proportions:
    input:
        summary=SUMMARY,
    output:
        csv=f"{TABLES}/proportions.csv",
        md=f"{TABLES}/proportions.md",
        html=report(
            f"{TABLES}/proportions.html",
            caption="../report/table_proportions.rst",
            category="Tables",
            labels={"study": "{study}", "table": "class proportions (Table 2)"},
        ),
    log:
        "logs/write_proportions/{study}.log",
    benchmark:
        "logs/benchmarks/write_proportions/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("write_proportions"),
    shell:
        'python "$DEPTHBIAS/scripts/write_proportions.py" --summary {input.summary:q} --output-csv {output.csv:q} --output-md {output.md:q}'
        " --output-html {output.html:q} &> {log:q}"


rule write_neighbor_table:
    input:
        summary=SUMMARY,
        about=[NEIGHBORS_ABOUT, DIVERSITY_ABOUT],
    output:
        csv=f"{TABLES}/neighbors.csv",
        md=f"{TABLES}/neighbors.md",
        html=report(
            f"{TABLES}/neighbors.html",
            caption="../report/table_neighbors.rst",
            category="Tables",
            labels={"study": "{study}", "table": "neighbours, diversity (Table 3)"},
        ),
    log:
        "logs/write_neighbor_table/{study}.log",
    benchmark:
        "logs/benchmarks/write_neighbor_table/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("write_neighbor_table"),
    shell:
        'python "$DEPTHBIAS/scripts/write_neighbor_table.py" --summary {input.summary:q} --about {input.about:q} --output-csv {output.csv:q}'
        " --output-md {output.md:q} --output-html {output.html:q} &> {log:q}"


rule write_architectures:
    output:
        rows=PARAMETERS,
        csv=f"{TABLES}/architectures.csv",
        md=f"{TABLES}/architectures.md",
        html=report(
            f"{TABLES}/architectures.html",
            caption="../report/table_architectures.rst",
            category="Tables",
            labels={"study": "{study}", "table": "architectures (Table A)"},
        ),
    log:
        "logs/write_architectures/{study}.log",
    benchmark:
        "logs/benchmarks/write_architectures/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("write_architectures"),
        architectures=lambda w: study_of(w).architectures,
        channels=lambda w: study_of(w).data.channels,
        size=lambda w: study_of(w).data.size,
        width=lambda w: study_of(w).width,
    shell:
        'python "$DEPTHBIAS/scripts/write_architectures.py" --study {wildcards.study}'
        " --architectures {params.architectures:q} --channels {params.channels} --size {params.size}"
        " --width {params.width} --rows {output.rows:q} --output-csv {output.csv:q} --output-md {output.md:q}"
        " --output-html {output.html:q} &> {log:q}"


rule write_usage:
    input:
        train=lambda w: of_study(TRAIN_USAGE, w),
        sample=lambda w: of_study(SAMPLE_USAGE, w),
    output:
        csv=f"{TABLES}/usage.csv",
        md=f"{TABLES}/usage.md",
        html=report(
            f"{TABLES}/usage.html",
            caption="../report/table_usage.rst",
            category="Tables",
            labels={"study": "{study}", "table": "time, memory and devices"},
        ),
    log:
        "logs/write_usage/{study}.log",
    benchmark:
        "logs/benchmarks/write_usage/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("write_usage"),
    shell:
        'python "$DEPTHBIAS/scripts/write_usage.py" --study {wildcards.study} --usage {input.train:q} {input.sample:q}'
        " --output-csv {output.csv:q} --output-md {output.md:q}"
        " --output-html {output.html:q} &> {log:q}"
