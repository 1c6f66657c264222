# Input: trained weights and the images they were trained on. Output: beside the weights structure.npz (how linear and how
# Gaussian the denoiser is) and trajectories.npz (several denoisers sampled from the same noise); structure.csv.


rule measure_structure:
    input:
        model=MODEL,
        meta=MODEL_META,
        images=of_base(IMAGES),
        subset=SUBSET,
    output:
        measurements=STRUCTURE_RUN,
        trajectories=TRAJECTORIES,
    log:
        "logs/measure_structure/{study}/{ratio}/{architecture}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/measure_structure/{study}/{ratio}/{architecture}/seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=1,
    params:
        code=digest("measure_structure"),
        levels=lambda w: study_of(w).structure.levels,
        pairs=lambda w: study_of(w).structure.pairs,
        noisy_images=lambda w: study_of(w).structure.noisy_images,
        samples=lambda w: study_of(w).structure.samples,
        seed=lambda w: study_of(w).structure.seed,
        trajectories=lambda w: study_of(w).structure.trajectories,
        noise_seed=lambda w: study_of(w).sampling.noise_seeds[0],
        batch_size=lambda w: study_of(w).sampling.batch_size,
        run=lambda w: json.dumps(dict(w.items())),
    shell:
        'python "$DEPTHBIAS/scripts/measure_structure.py" --model {input.model:q} --meta {input.meta:q} --images {input.images:q}'
        " --subset {input.subset:q} --levels {params.levels} --pairs {params.pairs}"
        " --noisy-images {params.noisy_images} --samples {params.samples} --seed {params.seed}"
        " --count {params.trajectories} --noise-seed {params.noise_seed} --batch-size {params.batch_size}"
        " --threads {threads} --run {params.run:q} --output {output.measurements:q}"
        " --trajectories {output.trajectories:q} &> {log:q}"


rule estimate_structure:
    input:
        measurements=lambda w: of_study(STRUCTURE_RUN, w),
    output:
        STRUCTURE,
    log:
        "logs/estimate_structure/{study}.log",
    benchmark:
        "logs/benchmarks/estimate_structure/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("estimate_structure"),
    shell:
        'python "$DEPTHBIAS/scripts/estimate_structure.py" --measurements {input.measurements:q} --study {wildcards.study}'
        " --output {output:q} &> {log:q}"
