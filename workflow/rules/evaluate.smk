# Input: samples, held-out real images. Output: results/<study>/: the classifier with its confusion matrix, classes of
# every sample, bias.csv (class proportions, amplification, transitions, controls) and summary.csv, the union of all;
# metrics/<study>: its headline numbers for DVC.


rule train_classifier:
    input:
        script="scripts/train_classifier.py",
        code=modules("train_classifier"),
        images=IMAGES,
        split=SPLIT,
    output:
        model=CLASSIFIER,
        meta=CLASSIFIER_META,
        control=CONTROL,
    log:
        "logs/train_classifier/{study}.log",
    benchmark:
        "logs/benchmarks/train_classifier/{study}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=1,
    params:
        classifier=lambda w: flags(study_of(w).classifier),
    shell:
        "python {input.script} --images {input.images:q} --split {input.split:q} {params.classifier}"
        " --threads {threads} --model {output.model:q} --meta {output.meta:q} --control {output.control:q} &> {log:q}"


rule classify:
    input:
        script="scripts/classify.py",
        code=modules("classify"),
        samples=SAMPLES,
        model=of_base(CLASSIFIER),
        meta=of_base(CLASSIFIER_META),
    output:
        CLASSES,
    log:
        "logs/classify/{study}/{ratio}/{architecture}/seed{seed}/{sampler}.log",
    benchmark:
        "logs/benchmarks/classify/{study}/{ratio}/{architecture}/seed{seed}/{sampler}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        "python {input.script} --samples {input.samples:q} --model {input.model:q} --meta {input.meta:q}"
        " --threads {threads} --output {output:q} &> {log:q}"


rule measure_bias:
    input:
        script="scripts/measure_bias.py",
        code=modules("measure_bias"),
        meta=CLASSIFIER_META,
        control=CONTROL,
        subsets=lambda w: of_study(SUBSET, w),
        classes=lambda w: of_study(CLASSES, w),
    output:
        BIAS,
    log:
        "logs/measure_bias/{study}.log",
    benchmark:
        "logs/benchmarks/measure_bias/{study}.tsv"
    conda:
        "../../environment.yml"
    params:
        bias=lambda w: flags(study_of(w).bias),
    shell:
        "python {input.script} --meta {input.meta:q} --control {input.control:q} --subsets {input.subsets:q}"
        " --classes {input.classes:q} --study {wildcards.study} {params.bias} --output {output:q} &> {log:q}"


rule summarize:
    input:
        script="scripts/summarize.py",
        code=modules("summarize"),
        parts=[BIAS, DIVERSITY, NEIGHBORS, REPRODUCIBILITY, STRUCTURE],
    output:
        report(
            SUMMARY,
            caption="../report/summary.rst",
            category="Tables",
            labels={"study": "{study}", "table": "every measurement (summary.csv)"},
        ),
    log:
        "logs/summarize/{study}.log",
    benchmark:
        "logs/benchmarks/summarize/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --parts {input.parts:q} --output {output:q} &> {log:q}"


rule write_metrics:
    input:
        script="scripts/write_metrics.py",
        code=modules("write_metrics"),
        summary=SUMMARY,
    output:
        metrics=METRICS,
        plot=METRICS_PLOT,
    log:
        "logs/write_metrics/{study}.log",
    benchmark:
        "logs/benchmarks/write_metrics/{study}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python {input.script} --summary {input.summary:q} --metrics {output.metrics:q} --plot {output.plot:q}"
        " &> {log:q}"
