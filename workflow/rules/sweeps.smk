# Input: weights kept during training; measurements of the studies of a sweep. Output: the weights of a snapshot as those
# of a study; results/sweeps/: a figure against the varied value.


rule snapshot:
    input:
        script="scripts/snapshot.py",
        code=modules("snapshot"),
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
        run=lambda w: json.dumps(dict(w.items())),
        seen=lambda w: SNAPSHOT_OF[w.study],
    shell:
        "python {input.script} --kept-snapshots {input.snapshots:q} --whole {input.whole:q} --seen {params.seen} --run {params.run:q}"
        " --model {output.model:q} --meta {output.meta:q} &> {log:q}"


rule plot_sweep:
    input:
        script="scripts/plot_sweep.py",
        code=modules("plot_sweep"),
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
    conda:
        "../../environment.yml"
    params:
        studies=lambda w: list(PARAMS.points(w.sweep)),
        values=lambda w: list(PARAMS.points(w.sweep).values()),
        label=lambda w: SWEEPS[w.sweep].label,
    shell:
        "python {input.script} --parts {input.parts:q} --studies {params.studies:q} --values {params.values:q}"
        " --label {params.label:q} --output {output:q} &> {log:q}"
