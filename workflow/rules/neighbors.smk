# Input: samples with their classes, real images, the classifier. Output: embedded images beside the samples and in
# results/<study>/; there also diversity.csv, neighbors.csv, reproducibility.csv, and nearest-pairs.csv (the generated
# images nearest to a training image). All with the main sampler.


rule embed_real:
    input:
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
        code=digest("embed_real"),
        embeddings=lambda w: study_of(w).neighbors.embeddings,
        backbone=lambda w: study_of(w).diversity.backbone,
    shell:
        'python "$DEPTHBIAS/scripts/embed_real.py" --images {input.images:q} --split {input.split:q} --embeddings {params.embeddings}'
        " --backbone {params.backbone} --model {input.model:q} --meta {input.meta:q} --threads {threads}"
        " --output {output:q} &> {log:q}"


rule embed:
    input:
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
        code=digest("embed"),
        embeddings=lambda w: study_of(w).neighbors.embeddings,
        backbone=lambda w: study_of(w).diversity.backbone,
    shell:
        'python "$DEPTHBIAS/scripts/embed.py" --samples {input.samples:q} --classes {input.classes:q}'
        " --embeddings {params.embeddings} --backbone {params.backbone} --model {input.model:q}"
        " --meta {input.meta:q} --threads {threads} --output {output:q} &> {log:q}"


rule measure_diversity:
    input:
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
    params:
        code=digest("measure_diversity"),
    shell:
        'python "$DEPTHBIAS/scripts/measure_diversity.py" --real {input.real:q} --embedded {input.embedded:q} --subsets {input.subsets:q}'
        " --study {wildcards.study} --output {output.table:q} --about {output.about:q} &> {log:q}"


rule measure_neighbors:
    input:
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
        code=digest("measure_neighbors"),
        embeddings=lambda w: study_of(w).neighbors.embeddings,
        k=lambda w: study_of(w).neighbors.k,
        copies=lambda w: json.dumps(study_of(w).neighbors.copies),
    shell:
        'python "$DEPTHBIAS/scripts/measure_neighbors.py" --images {input.images:q} --real {input.real:q} --subsets {input.subsets:q}'
        " --samples {input.samples:q} --embedded {input.embedded:q} --embeddings {params.embeddings} --k {params.k}"
        " --copies {params.copies:q} --study {wildcards.study} --threads {threads} --output {output.table:q}"
        " --pairs {output.pairs:q} --about {output.about:q} &> {log:q}"


rule measure_reproducibility:
    input:
        embedded=lambda w: of_study(EMBEDDED, w, sampler=main_sampler(w)),
        about=NEIGHBORS_ABOUT,
    output:
        REPRODUCIBILITY,
    log:
        "logs/measure_reproducibility/{study}.log",
    benchmark:
        "logs/benchmarks/measure_reproducibility/{study}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=digest("measure_reproducibility"),
    shell:
        'python "$DEPTHBIAS/scripts/measure_reproducibility.py" --embedded {input.embedded:q} --about {input.about:q} --study {wildcards.study}'
        " --output {output:q} &> {log:q}"
