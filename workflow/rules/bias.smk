# Input: samples, held-out real images, which samples lie on their manifold, effective depths. Output: results/<study>/:
# the classifier with its confusion matrix, the classes of every sample, and bias.csv: class proportions, amplification,
# transitions, controls. Of classifiers of other kinds opinions.npz, what they say, and classifiers.csv, what follows.


use rule on_gpu as train_classifier with:
    input:
        images=IMAGES,
        split=SPLIT,
    output:
        model=CLASSIFIER,
        meta=CLASSIFIER_META,
        control=CONTROL,
    params:
        **calls("train_classifier", lambda w: flags(study_of(w).classifier)),


use rule compute as classify with:
    input:
        samples=SAMPLES,
        model=of_base(CLASSIFIER),
        meta=of_base(CLASSIFIER_META),
    output:
        CLASSES,
    wildcard_constraints:
        **of_own(study for study, block in STUDIES.items() if block.classes),
    params:
        **calls("classify"),


use rule script as measure_bias with:
    input:
        meta=of_base(CLASSIFIER_META),
        control=of_base(CONTROL),
        subsets=lambda w: of_study(SUBSET, w),
        classes=lambda w: of_study(CLASSES, w),
        manifold=MANIFOLD,
        denoising=effective_depths,
    output:
        BIAS,
    params:
        **calls("measure_bias", lambda w: flags(study_of(w).bias, study=w.study)),


# One job: every classifier is fitted once and asked about all runs.
use rule on_gpu as compare_classifiers with:
    input:
        images=of_base(IMAGES),
        split=of_base(SPLIT),
        real=of_base(EMBEDDED_REAL),
        model=of_base(CLASSIFIER),
        meta=of_base(CLASSIFIER_META),
        samples=lambda w: of_study(SAMPLES, w),
        classes=lambda w: of_study(CLASSES, w),
        embedded=lambda w: of_study(EMBEDDED, w),
    output:
        OPINIONS,
    params:
        **calls(
            "compare_classifiers",
            lambda w: flags(
                others=study_of(w).classifiers.others,
                training_images=study_of(w).classifiers.training_images,
                study=w.study,
            ),
        ),


use rule script as measure_classifiers with:
    input:
        opinions=OPINIONS,
        subsets=lambda w: of_study(SUBSET, w),
        manifold=MANIFOLD,
    output:
        CLASSIFIERS,
    params:
        **calls(
            "measure_classifiers",
            lambda w: flags(study=w.study, bootstrap=study_of(w).bias.bootstrap),
        ),
