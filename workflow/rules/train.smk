# Input: data/<study>/ images and subset. Output: results/<study>/<ratio>/<architecture>/seed<k>/: EMA weights (safetensors),
# their description (JSON), the training log (CSV) and what it took (JSON).


rule train:
    input:
        images=of_base(IMAGES),
        subset=SUBSET,
    output:
        model=MODEL,
        meta=MODEL_META,
        log=TRAIN_LOG,
        snapshots=SNAPSHOTS,
        usage=TRAIN_USAGE,
    log:
        "logs/train/{study}/{ratio}/{architecture}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/train/{study}/{ratio}/{architecture}/seed{seed}.tsv"
    wildcard_constraints:
        study=any_of(study for study in STUDIES if study not in SNAPSHOT_OF),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=1,
    params:
        code=digest("train"),
        run=lambda w: json.dumps(dict(w.items())),
        width=lambda w: study_of(w).width,
        training=lambda w: flags(study_of(w).training_of(w.architecture)),
    shell:
        'python "$DEPTHBIAS/scripts/train.py" --images {input.images:q} --subset {input.subset:q} --run {params.run:q}'
        " --width {params.width} --threads {threads} {params.training}"
        " --model {output.model:q} --meta {output.meta:q} --log {output.log:q} --kept-snapshots {output.snapshots:q}"
        " --usage {output.usage:q} &> {log:q}"


rule snapshot:
    input:
        snapshots=of_base(SNAPSHOTS),
        whole=of_base(MODEL_META),
    output:
        model=MODEL,
        meta=MODEL_META,
    log:
        "logs/snapshot/{study}/{ratio}/{architecture}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/snapshot/{study}/{ratio}/{architecture}/seed{seed}.tsv"
    wildcard_constraints:
        study=any_of(SNAPSHOT_OF),
    conda:
        "../../environment.yml"
    params:
        code=digest("snapshot"),
        run=lambda w: json.dumps(dict(w.items())),
        seen=lambda w: SNAPSHOT_OF[w.study],
    shell:
        'python "$DEPTHBIAS/scripts/snapshot.py" --kept-snapshots {input.snapshots:q} --whole {input.whole:q}'
        " --seen {params.seen} --run {params.run:q} --model {output.model:q} --meta {output.meta:q} &> {log:q}"
