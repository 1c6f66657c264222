# Input: trained weights and the images they were trained on. Output: beside the weights structure.npz (how linear and
# Gaussian the denoiser is) and trajectories.npz (it, its linear map, the Gaussian and the multi-delta sampled from the
# same noise); results/<study>/: structure.csv, a part of summary.csv, and the figures of both.


rule measure_structure:
    input:
        script="scripts/measure_structure.py",
        code=modules("measure_structure"),
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
        levels=lambda w: study_of(w).structure.levels,
        pairs=lambda w: study_of(w).structure.pairs,
        noisy_images=lambda w: study_of(w).structure.noisy_images,
        samples=lambda w: study_of(w).structure.samples,
        seed=lambda w: study_of(w).structure.seed,
        trajectories=lambda w: study_of(w).structure.trajectories,
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


rule estimate_structure:
    input:
        script="scripts/estimate_structure.py",
        code=modules("estimate_structure"),
        measurements=lambda w: of_study(STRUCTURE_RUN, w),
    output:
        STRUCTURE,
    log:
        "logs/estimate_structure/{study}.log",
    benchmark:
        "logs/benchmarks/estimate_structure/{study}.tsv"
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


rule plot_linear_maps:
    input:
        script="scripts/plot_linear_maps.py",
        code=modules("plot_linear_maps"),
        summary=SUMMARY,
    output:
        **figure(
            "linear-maps",
            "linear_maps",
            "Gaussian structure",
            figure="linear maps beside the Gaussian's",
        ),
    log:
        "logs/plot_linear_maps/{study}.log",
    benchmark:
        "logs/benchmarks/plot_linear_maps/{study}.tsv"
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


rule plot_disjoint:
    input:
        script="scripts/plot_disjoint.py",
        code=modules("plot_disjoint"),
        first=lambda w: of_seed(TRAJECTORIES, w, 0),
        second=lambda w: of_seed(TRAJECTORIES, w, 1),
    output:
        **figure(
            "disjoint-{ratio}",
            "disjoint",
            "Gaussian structure",
            figure="same noise, two training sets without a common image",
            ratio="{ratio}",
        ),
    log:
        "logs/plot_disjoint/{study}/{ratio}.log",
    benchmark:
        "logs/benchmarks/plot_disjoint/{study}/{ratio}.tsv"
    conda:
        "../../environment.yml"
    params:  # for the caption: a value of a sweep is no study of params.yaml
        images=lambda w: study_of(w).subset_size,
        noises=lambda w: study_of(w).structure.trajectories,
    shell:
        "python {input.script} --first {input.first:q} --second {input.second:q} --output {output:q} &> {log:q}"
