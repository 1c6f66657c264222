# Input: summary.csv (and samples and logs for the image grids and loss curves). Output: results/<study>/figures/ (SVG
# and PNG) and results/<study>/tables/ (CSV and Markdown), captioned for `snakemake --report`.


rule plot_proportions:
    input:
        script="scripts/plot_proportions.py",
        code=modules("plot_proportions"),
        summary=SUMMARY,
        architectures=f"{TABLES}/architectures.csv",
    output:
        **figure(
            "proportions",
            "proportions",
            "Bias",
            figure="class proportions against depth",
        ),
    log:
        "logs/plot_proportions/{study}.log",
    benchmark:
        "logs/benchmarks/plot_proportions/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --architectures {input.architectures:q}"
        " --output {output:q} &> {log:q}"


rule plot_kappa:
    input:
        script="scripts/plot_kappa.py",
        code=modules("plot_kappa"),
        summary=SUMMARY,
    output:
        **figure(
            "kappa",
            "kappa",
            "Bias",
            figure="log-odds shift and amplification exponent",
        ),
    log:
        "logs/plot_kappa/{study}.log",
    benchmark:
        "logs/benchmarks/plot_kappa/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --output {output:q} &> {log:q}"


rule plot_grid:
    input:
        script="scripts/plot_grid.py",
        code=modules("plot_grid"),
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
    conda:
        "../../environment.yml"
    params:
        decidable=lambda w: study_of(w).bias.decidable,
    shell:
        "python {input.script} --classes {input.classes:q} --samples {input.samples:q}"
        " --decidable {params.decidable} --output {output:q} &> {log:q}"


rule plot_real:
    input:
        script="scripts/plot_real.py",
        code=modules("plot_real"),
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
    conda:
        "../../environment.yml"
    params:
        decidable=lambda w: study_of(w).bias.decidable,
    shell:
        "python {input.script} --images {input.images:q} --subset {input.subset:q} --samples {input.samples:q}"
        " --classes {input.classes:q} --decidable {params.decidable} --output {output:q} &> {log:q}"


rule plot_losses:
    input:
        script="scripts/plot_losses.py",
        code=modules("plot_losses"),
        logs=lambda w: of_study(TRAIN_LOG, w),
    output:
        **figure("losses", "losses", "Training", figure="training loss"),
    log:
        "logs/plot_losses/{study}.log",
    benchmark:
        "logs/benchmarks/plot_losses/{study}.tsv"
    conda:
        "../../environment.yml"
    params:
        labels=lambda w: of_study("{ratio}/{architecture}/seed{seed}", w),
    shell:
        "python {input.script} --study {wildcards.study} --logs {input.logs:q} --labels {params.labels:q}"
        " --output {output:q} &> {log:q}"


rule write_proportions:
    input:
        script="scripts/write_proportions.py",
        code=modules("write_proportions"),
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
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --output-csv {output.csv:q} --output-md {output.md:q}"
        " --output-html {output.html:q} &> {log:q}"


rule write_architectures:
    input:
        script="scripts/write_architectures.py",
        code=modules("write_architectures"),
    output:
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
    conda:
        "../../environment.yml"
    params:
        architectures=lambda w: study_of(w).architectures,
        channels=lambda w: study_of(w).data.channels,
        size=lambda w: study_of(w).data.size,
        width=lambda w: study_of(w).width,
    shell:
        "python {input.script} --architectures {params.architectures:q} --channels {params.channels} --size {params.size}"
        " --width {params.width} --output-csv {output.csv:q} --output-md {output.md:q}"
        " --output-html {output.html:q} &> {log:q}"


rule write_usage:
    input:
        script="scripts/write_usage.py",
        code=modules("write_usage"),
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
    conda:
        "../../environment.yml"
    params:
        train=lambda w: of_study("{ratio}/{architecture}/{seed}/train", w),
        sample=lambda w: of_study("{ratio}/{architecture}/{seed}/{sampler}", w),
    shell:
        "python {input.script} --study {wildcards.study} --usage {input.train:q} {input.sample:q}"
        " --labels {params.train:q} {params.sample:q} --output-csv {output.csv:q} --output-md {output.md:q}"
        " --output-html {output.html:q} &> {log:q}"
