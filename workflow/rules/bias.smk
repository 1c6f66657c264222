# Input: samples, held-out real images. Output: results/<study>/: the classifier with its confusion matrix, the classes of
# every sample, and bias.csv: class proportions, amplification, transitions, controls.


rule train_classifier:
    input:
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
        code=digest("train_classifier"),
        classifier=lambda w: flags(study_of(w).classifier),
    shell:
        "python $DEPTHBIAS/scripts/train_classifier.py --images {input.images:q} --split {input.split:q} {params.classifier}"
        " --threads {threads} --model {output.model:q} --meta {output.meta:q} --control {output.control:q} &> {log:q}"


rule classify:
    input:
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
    params:
        code=digest("classify"),
    shell:
        "python $DEPTHBIAS/scripts/classify.py --samples {input.samples:q} --model {input.model:q} --meta {input.meta:q}"
        " --threads {threads} --output {output:q} &> {log:q}"


rule measure_bias:
    input:
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
        code=digest("measure_bias"),
        bias=lambda w: flags(study_of(w).bias),
    shell:
        "python $DEPTHBIAS/scripts/measure_bias.py --meta {input.meta:q} --control {input.control:q} --subsets {input.subsets:q}"
        " --classes {input.classes:q} --study {wildcards.study} {params.bias} --output {output:q} &> {log:q}"
