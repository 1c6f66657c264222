# Input: the files of a data set as downloaded (data/raw/..., or bundled). Output: data/<study>/: prepared images,
# the split into training pool and held-out images, and one training subset (an index file) per ratio and seed.


rule prepare:
    input:
        script="scripts/prepare.py",
        code=modules("prepare"),
        labels=lambda w: study_of(w).data.labels or [],
    output:
        IMAGES,
    log:
        "logs/prepare/{study}.log",
    benchmark:
        "logs/benchmarks/prepare/{study}.tsv"
    conda:
        "../../environment.yml"
    threads: 4
    params:
        data=lambda w: flags(study_of(w).data.model_dump(exclude={"heldout", "seed"})),
    shell:
        "python {input.script} {params.data} --workers {threads} --output {output:q} &> {log:q}"


rule split:
    input:
        script="scripts/split.py",
        code=modules("split"),
        images=IMAGES,
    output:
        SPLIT,
    log:
        "logs/split/{study}.log",
    benchmark:
        "logs/benchmarks/split/{study}.tsv"
    conda:
        "../../environment.yml"
    params:
        classes=lambda w: json.dumps(
            {k: v.model_dump() for k, v in study_of(w).classes.items()}
        ),
        heldout=lambda w: study_of(w).data.heldout,
        seed=lambda w: study_of(w).data.seed,
    shell:
        "python {input.script} --images {input.images:q} --classes {params.classes:q}"
        " --heldout {params.heldout} --seed {params.seed} --output {output:q} &> {log:q}"


rule subset:
    input:
        script="scripts/subset.py",
        code=modules("subset"),
        split=of_base(SPLIT),
    output:
        SUBSET,
    log:
        "logs/subset/{study}/{ratio}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/subset/{study}/{ratio}/seed{seed}.tsv"
    conda:
        "../../environment.yml"
    params:
        size=lambda w: study_of(w).subset_size,
        disjoint=lambda w: "--disjoint" if study_of(w).disjoint else "",
    shell:
        "python {input.script} --split {input.split:q} --ratio {wildcards.ratio} --size {params.size}"
        " --seed {wildcards.seed} {params.disjoint} --output {output:q} &> {log:q}"
