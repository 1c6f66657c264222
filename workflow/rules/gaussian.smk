# Input: trained weights and the images they were trained on. Output: beside the weights gaussian.npz (how linear and
# Gaussian the denoiser is) and trajectories.npz (it, its linear map, the Gaussian and the multi-delta sampled from the
# same noise); results/<study>/: gaussian.csv, a part of summary.csv, and the figures of both.


rule measure_gaussian:
    input:
        script="scripts/measure_gaussian.py",
        code=modules("measure_gaussian"),
        model=MODEL,
        meta=MODEL_META,
        images=of_base(IMAGES),
        subset=SUBSET,
    output:
        measurements=GAUSSIAN_RUN,
        trajectories=TRAJECTORIES,
    log:
        "logs/measure_gaussian/{study}/{ratio}/{unet}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/measure_gaussian/{study}/{ratio}/{unet}/seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=1,
    params:
        levels=lambda w: study_of(w).gaussian.levels,
        pairs=lambda w: study_of(w).gaussian.pairs,
        noisy_images=lambda w: study_of(w).gaussian.noisy_images,
        samples=lambda w: study_of(w).gaussian.samples,
        seed=lambda w: study_of(w).gaussian.seed,
        trajectories=lambda w: study_of(w).gaussian.trajectories,
        noise_seed=lambda w: study_of(w).sampling.noise_seed,
        batch_size=lambda w: study_of(w).sampling.batch_size,
        run=lambda w: json.dumps(dict(w.items())),
    shell:
        "python {input.script} --model {input.model:q} --meta {input.meta:q} --images {input.images:q}"
        " --subset {input.subset:q} --levels {params.levels} --pairs {params.pairs}"
        " --noisy-images {params.noisy_images} --samples {params.samples} --seed {params.seed}"
        " --count {params.trajectories} --noise-seed {params.noise_seed} --batch-size {params.batch_size}"
        " --threads {threads} --run {params.run:q} --output {output.measurements:q}"
        " --trajectories {output.trajectories:q} &> {log:q}"


rule estimate_gaussian:
    input:
        script="scripts/estimate_gaussian.py",
        code=modules("estimate_gaussian"),
        measurements=lambda w: of_study(GAUSSIAN_RUN, w),
    output:
        GAUSSIAN,
    log:
        "logs/estimate_gaussian/{study}.log",
    benchmark:
        "logs/benchmarks/estimate_gaussian/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --measurements {input.measurements:q} --study {wildcards.study}"
        " --output {output:q} &> {log:q}"


rule plot_linearity:
    input:
        script="scripts/plot_linearity.py",
        code=modules("plot_linearity"),
        summary=SUMMARY,
    output:
        **figure(
            "linearity",
            "linearity",
            "Gaussian structure",
            figure="linearity against noise level",
        ),
    log:
        "logs/plot_linearity/{study}.log",
    benchmark:
        "logs/benchmarks/plot_linearity/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --output {output:q} &> {log:q}"


rule plot_structure:
    input:
        script="scripts/plot_structure.py",
        code=modules("plot_structure"),
        summary=SUMMARY,
    output:
        **figure(
            "structure",
            "structure",
            "Gaussian structure",
            figure="linearity against depth",
        ),
    log:
        "logs/plot_structure/{study}.log",
    benchmark:
        "logs/benchmarks/plot_structure/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --output {output:q} &> {log:q}"


rule plot_score_errors:
    input:
        script="scripts/plot_score_errors.py",
        code=modules("plot_score_errors"),
        summary=SUMMARY,
    output:
        **figure(
            "score-errors",
            "score_errors",
            "Gaussian structure",
            figure="distance to linear, Gaussian and multi-delta denoisers",
        ),
    log:
        "logs/plot_score_errors/{study}.log",
    benchmark:
        "logs/benchmarks/plot_score_errors/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --output {output:q} &> {log:q}"


rule plot_weights:
    input:
        script="scripts/plot_weights.py",
        code=modules("plot_weights"),
        summary=SUMMARY,
    output:
        **figure(
            "weights",
            "weights",
            "Gaussian structure",
            figure="linear maps beside the Gaussian's",
        ),
    log:
        "logs/plot_weights/{study}.log",
    benchmark:
        "logs/benchmarks/plot_weights/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --output {output:q} &> {log:q}"


rule plot_trajectories:
    input:
        script="scripts/plot_trajectories.py",
        code=modules("plot_trajectories"),
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
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --trajectories {input.trajectories:q} --output {output:q} &> {log:q}"


rule plot_halves:
    input:
        script="scripts/plot_halves.py",
        code=modules("plot_halves"),
        first=lambda w: seeds_apart(TRAJECTORIES, w, 0),
        second=lambda w: seeds_apart(TRAJECTORIES, w, 1),
    output:
        **figure(
            "halves-{ratio}",
            "halves",
            "Gaussian structure",
            figure="same noise, two training sets without a common image",
            ratio="{ratio}",
        ),
    log:
        "logs/plot_halves/{study}/{ratio}.log",
    benchmark:
        "logs/benchmarks/plot_halves/{study}/{ratio}.tsv"
    conda:
        "../../environment.yml"
    params:  # for the caption: a value of a sweep is no study of params.yaml
        images=lambda w: study_of(w).subset_size,
        noises=lambda w: study_of(w).gaussian.trajectories,
    shell:
        "python {input.script} --first {input.first:q} --second {input.second:q} --output {output:q} &> {log:q}"
