# Input: the files of a data set as downloaded (data/raw/..., or bundled). Output: data/<study>/: prepared images,
# the split into training pool and held-out images, and one training subset (an index file) per ratio and seed.


rule prepare:
    input:
        labels=lambda w: study_of(w).data.labels or [],
    output:
        IMAGES,
    log:
        "logs/prepare/{study}.log",
    benchmark:
        "logs/benchmarks/prepare/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    threads: 4
    params:
        code=digest("prepare"),
        data=lambda w: flags(study_of(w).data.model_dump(exclude={"heldout", "seed"})),
    shell:
        "python $DEPTHBIAS/scripts/prepare.py {params.data} --workers {threads} --output {output:q} &> {log:q}"


rule split:
    input:
        images=IMAGES,
    output:
        SPLIT,
    log:
        "logs/split/{study}.log",
    benchmark:
        "logs/benchmarks/split/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("split"),
        classes=lambda w: json.dumps(
            {k: v.model_dump() for k, v in study_of(w).classes.items()}
        ),
        heldout=lambda w: study_of(w).data.heldout,
        seed=lambda w: study_of(w).data.seed,
    shell:
        "python $DEPTHBIAS/scripts/split.py --images {input.images:q} --classes {params.classes:q}"
        " --heldout {params.heldout} --seed {params.seed} --output {output:q} &> {log:q}"


rule subset:
    input:
        split=of_base(SPLIT),
    output:
        SUBSET,
    log:
        "logs/subset/{study}/{ratio}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/subset/{study}/{ratio}/seed{seed}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("subset"),
        size=lambda w: study_of(w).subset_size,
        disjoint=lambda w: "--disjoint" if study_of(w).disjoint else "",
    shell:
        "python $DEPTHBIAS/scripts/subset.py --split {input.split:q} --ratio {wildcards.ratio} --size {params.size}"
        " --seed {wildcards.seed} {params.disjoint} --output {output:q} &> {log:q}"
