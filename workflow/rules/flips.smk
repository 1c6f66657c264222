# Input: trained weights, training and held-out images, the classifier. Output: beside the weights flips.npz (classes of images
# that were sent through noise and back); flips.csv: flips, bias and variance of the class, beside neighbours that vote.


use rule on_gpu as measure_flips with:
    input:
        model=MODEL,
        meta=MODEL_META,
        classifier=of_base(CLASSIFIER),
        classifier_meta=of_base(CLASSIFIER_META),
        images=of_base(IMAGES),
        split=of_base(SPLIT),
        subset=SUBSET,
        first_subset=lambda w: of_study(SUBSET, w, ratio=w.ratio, seed=study_of(w).seeds[0]),
    output:
        FLIPS_RUN,
    params:
        **calls(
            "measure_flips",
            lambda w: flags(
                study_of(w).flips.model_dump(exclude={"images"}),
                count=study_of(w).flips.images,
                batch_size=study_of(w).sampling.batch_size,
                run=dict(w.items()),
            ),
        ),


# One job: neighbours of all training sets vote.
use rule on_gpu as estimate_flips with:
    input:
        images=of_base(IMAGES),
        subsets=lambda w: of_study(SUBSET, w),
        flips=lambda w: of_study(FLIPS_RUN, w),
        classes=lambda w: of_study(CLASSES, w, sampler=main_sampler(w)),
    output:
        FLIPS,
    params:
        **calls("estimate_flips", of_wildcards),
