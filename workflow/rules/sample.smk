# Input: trained weights. Output: samples-<sampler>-<steps>.npz beside them: generated images, image i of every model
# from the same noise; and what it took (JSON).


rule sample:
    input:
        model=MODEL,
        meta=MODEL_META,
    output:
        samples=SAMPLES,
        usage=SAMPLE_USAGE,
    log:
        "logs/sample/{study}/{ratio}/{architecture}/seed{seed}/{sampler}.log",
    benchmark:
        "logs/benchmarks/sample/{study}/{ratio}/{architecture}/seed{seed}/{sampler}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=1,
    params:
        code=digest("sample"),
        sampler=lambda w: w.sampler.split("-")[0],
        steps=lambda w: w.sampler.split("-")[1],
        images=lambda w: study_of(w).sampling.images,
        noise_seeds=lambda w: study_of(w).sampling.noise_seeds,
        batch_size=lambda w: study_of(w).sampling.batch_size,
        run=lambda w: json.dumps(dict(w.items())),
    shell:
        'python "$DEPTHBIAS/scripts/sample.py" --model {input.model:q} --meta {input.meta:q} --sampler {params.sampler}'
        " --steps {params.steps} --count {params.images} --noise-seeds {params.noise_seeds}"
        " --batch-size {params.batch_size} --threads {threads} --run {params.run:q} --output {output.samples:q}"
        " --usage {output.usage:q} &> {log:q}"
