# Input: samples with their classes, real images, the classifier. Output: embedded images beside the samples and in
# results/<study>/; there also diversity.csv, neighbors.csv, reproducibility.csv, and nearest-pairs.csv (the generated
# images nearest to a training image). All with the main sampler.


use rule on_gpu as embed_real with:
    input:
        images=IMAGES,
        split=SPLIT,
        model=of_classifier(CLASSIFIER),
        meta=of_classifier(CLASSIFIER_META),
    output:
        EMBEDDED_REAL,
    params:
        **calls("embed_real", embeddings_of),


use rule on_gpu as embed with:
    input:
        samples=SAMPLES,
        classes=CLASSES,
        model=of_classifier(CLASSIFIER),
        meta=of_classifier(CLASSIFIER_META),
    output:
        EMBEDDED,
    params:
        **calls("embed", embeddings_of),


use rule script as measure_diversity with:
    input:
        real=of_base(EMBEDDED_REAL),
        embedded=lambda w: of_study(EMBEDDED, w, sampler=main_sampler(w)),
        subsets=lambda w: of_study(SUBSET, w),
    output:
        output=DIVERSITY,
        about=DIVERSITY_ABOUT,
    params:
        **calls("measure_diversity", of_wildcards),


use rule on_gpu as measure_neighbors with:
    input:
        images=of_base(IMAGES),
        real=of_base(EMBEDDED_REAL),
        subsets=lambda w: of_study(SUBSET, w),
        samples=lambda w: of_study(SAMPLES, w, sampler=main_sampler(w)),
        embedded=lambda w: of_study(EMBEDDED, w, sampler=main_sampler(w)),
    output:
        output=NEIGHBORS,
        pairs=NEAREST_PAIRS,
        about=NEIGHBORS_ABOUT,
    params:
        **calls("measure_neighbors", lambda w: flags(study_of(w).neighbors, study=w.study)),


use rule script as measure_reproducibility with:
    input:
        embedded=lambda w: of_study(EMBEDDED, w, sampler=main_sampler(w)),
        about=NEIGHBORS_ABOUT,
    output:
        REPRODUCIBILITY,
    params:
        **calls("measure_reproducibility", of_wildcards),
