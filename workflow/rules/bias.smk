# Input: samples, held-out real images, effective depths. Output: results/<study>/: the classifier with its confusion matrix, the classes of
# every sample, and bias.csv: class proportions, amplification, transitions, controls.


use rule on_gpu as train_classifier with:
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
    params:
        **calls("train_classifier", lambda w: flags(study_of(w).classifier)),


use rule compute as classify with:
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
    params:
        **calls("classify"),


use rule script as measure_bias with:
    input:
        meta=CLASSIFIER_META,
        control=CONTROL,
        subsets=lambda w: of_study(SUBSET, w),
        classes=lambda w: of_study(CLASSES, w),
        denoising=DENOISING,
    output:
        BIAS,
    log:
        "logs/measure_bias/{study}.log",
    benchmark:
        "logs/benchmarks/measure_bias/{study}.tsv"
    params:
        **calls("measure_bias", lambda w: flags(study_of(w).bias, study=w.study)),
