# Input: flips.npz of all models. Output: flips.csv: flips, bias and variance of the class, beside neighbours that vote.


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
