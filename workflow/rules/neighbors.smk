# Input: samples with their classes, real images, the classifier. Output: embedded images beside the samples and in
# results/<study>/; there also diversity.csv, neighbors.csv and reproducibility.csv (parts of summary.csv), nearest-pairs.csv
# (generated images nearest to a training image), and figures and a table of them. All with the main sampler.


rule embed_real:
    input:
        script="scripts/embed_real.py",
        code=modules("embed_real"),
        images=IMAGES,
        split=SPLIT,
        model=CLASSIFIER,
        meta=CLASSIFIER_META,
    output:
        EMBEDDED_REAL,
    log:
        "logs/embed_real/{study}.log",
    benchmark:
        "logs/benchmarks/embed_real/{study}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=1,
    params:
        embeddings=lambda w: study_of(w).neighbors.embeddings,
        backbone=lambda w: study_of(w).diversity.backbone,
    shell:
        "python {input.script} --images {input.images:q} --split {input.split:q} --embeddings {params.embeddings}"
        " --backbone {params.backbone} --model {input.model:q} --meta {input.meta:q} --threads {threads}"
        " --output {output:q} &> {log:q}"


rule embed:
    input:
        script="scripts/embed.py",
        code=modules("embed"),
        samples=SAMPLES,
        classes=CLASSES,
        model=of_base(CLASSIFIER),
        meta=of_base(CLASSIFIER_META),
    output:
        EMBEDDED,
    log:
        "logs/embed/{study}/{ratio}/{architecture}/seed{seed}/{sampler}.log",
    benchmark:
        "logs/benchmarks/embed/{study}/{ratio}/{architecture}/seed{seed}/{sampler}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=1,
    params:
        embeddings=lambda w: study_of(w).neighbors.embeddings,
        backbone=lambda w: study_of(w).diversity.backbone,
    shell:
        "python {input.script} --samples {input.samples:q} --classes {input.classes:q}"
        " --embeddings {params.embeddings} --backbone {params.backbone} --model {input.model:q}"
        " --meta {input.meta:q} --threads {threads} --output {output:q} &> {log:q}"


rule measure_diversity:
    input:
        script="scripts/measure_diversity.py",
        code=modules("measure_diversity"),
        real=EMBEDDED_REAL,
        embedded=lambda w: of_study(EMBEDDED, w, sampler=main_sampler(w)),
        subsets=lambda w: of_study(SUBSET, w),
    output:
        table=DIVERSITY,
        about=DIVERSITY_ABOUT,
    log:
        "logs/measure_diversity/{study}.log",
    benchmark:
        "logs/benchmarks/measure_diversity/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --real {input.real:q} --embedded {input.embedded:q} --subsets {input.subsets:q}"
        " --study {wildcards.study} --output {output.table:q} --about {output.about:q} &> {log:q}"


rule measure_neighbors:
    input:
        script="scripts/measure_neighbors.py",
        code=modules("measure_neighbors"),
        images=of_base(IMAGES),
        real=of_base(EMBEDDED_REAL),
        subsets=lambda w: of_study(SUBSET, w),
        samples=lambda w: of_study(SAMPLES, w, sampler=main_sampler(w)),
        embedded=lambda w: of_study(EMBEDDED, w, sampler=main_sampler(w)),
    output:
        table=NEIGHBORS,
        pairs=NEAREST_PAIRS,
        about=NEIGHBORS_ABOUT,
    log:
        "logs/measure_neighbors/{study}.log",
    benchmark:
        "logs/benchmarks/measure_neighbors/{study}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=1,
    params:
        embeddings=lambda w: study_of(w).neighbors.embeddings,
        k=lambda w: study_of(w).neighbors.k,
        copies=lambda w: json.dumps(study_of(w).neighbors.copies),
    shell:
        "python {input.script} --images {input.images:q} --real {input.real:q} --subsets {input.subsets:q}"
        " --samples {input.samples:q} --embedded {input.embedded:q} --embeddings {params.embeddings} --k {params.k}"
        " --copies {params.copies:q} --study {wildcards.study} --threads {threads} --output {output.table:q}"
        " --pairs {output.pairs:q} --about {output.about:q} &> {log:q}"


rule measure_reproducibility:
    input:
        script="scripts/measure_reproducibility.py",
        code=modules("measure_reproducibility"),
        embedded=lambda w: of_study(EMBEDDED, w, sampler=main_sampler(w)),
    output:
        REPRODUCIBILITY,
    log:
        "logs/measure_reproducibility/{study}.log",
    benchmark:
        "logs/benchmarks/measure_reproducibility/{study}.tsv"
    conda:
        "../../environment.yml"
    params:
        copies=lambda w: json.dumps(study_of(w).neighbors.copies),
    shell:
        "python {input.script} --embedded {input.embedded:q} --copies {params.copies:q} --study {wildcards.study}"
        " --output {output:q} &> {log:q}"


rule plot_diversity:
    input:
        script="scripts/plot_diversity.py",
        code=modules("plot_diversity"),
        summary=SUMMARY,
        about=DIVERSITY_ABOUT,
    output:
        **figure(
            "diversity",
            "diversity",
            "Diversity and memorisation",
            figure="diversity against depth",
        ),
    log:
        "logs/plot_diversity/{study}.log",
    benchmark:
        "logs/benchmarks/plot_diversity/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --about {input.about:q} --output {output:q} &> {log:q}"


rule plot_neighbors:
    input:
        script="scripts/plot_neighbors.py",
        code=modules("plot_neighbors"),
        summary=SUMMARY,
        about=NEIGHBORS_ABOUT,
    output:
        **figure(
            "neighbors",
            "neighbors",
            "Diversity and memorisation",
            figure="nearest training images against depth",
        ),
    log:
        "logs/plot_neighbors/{study}.log",
    benchmark:
        "logs/benchmarks/plot_neighbors/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --about {input.about:q} --output {output:q} &> {log:q}"


rule plot_nearest_pairs:
    input:
        script="scripts/plot_nearest_pairs.py",
        code=modules("plot_nearest_pairs"),
        pairs=NEAREST_PAIRS,
        images=of_base(IMAGES),
        samples=lambda w: first_seed(SAMPLES, w, ratio=w.ratio),
    output:
        **figure(
            "nearest-pairs-{ratio}",
            "nearest_pairs",
            "Diversity and memorisation",
            figure="nearest pairs",
            ratio="{ratio}",
        ),
    log:
        "logs/plot_nearest_pairs/{study}/{ratio}.log",
    benchmark:
        "logs/benchmarks/plot_nearest_pairs/{study}/{ratio}.tsv"
    conda:
        "../../environment.yml"
    params:
        embedding=lambda w: study_of(w).neighbors.embeddings[0],
    shell:
        "python {input.script} --pairs {input.pairs:q} --images {input.images:q} --samples {input.samples:q}"
        " --embedding {params.embedding} --output {output:q} &> {log:q}"


rule write_neighbor_table:
    input:
        script="scripts/write_neighbor_table.py",
        code=modules("write_neighbor_table"),
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
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --about {input.about:q} --output-csv {output.csv:q}"
        " --output-md {output.md:q} --output-html {output.html:q} &> {log:q}"
