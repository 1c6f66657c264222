# Input: denoising-errors.npz of all models. Output: denoising.csv, membership.csv; depths of a sweep at equal loss.


use rule script as estimate_denoising with:
    input:
        measurements=lambda w: of_study(DENOISING_RUN, w),
    output:
        DENOISING,
    localrule: True
    params:
        **calls("estimate_denoising", of_wildcards),


use rule script as measure_membership with:
    input:
        measurements=lambda w: of_study(DENOISING_RUN, w),
    output:
        MEMBERSHIP,
    params:
        **calls("measure_membership", of_wildcards),


use rule script as measure_matched with:
    input:
        meta=lambda w: CLASSIFIER_META.format(study=SWEEPS[w.sweep].study),
        subsets=lambda w: of_study(SUBSET, SimpleNamespace(study=SWEEPS[w.sweep].study)),
        classes=lambda w: of_sweep(CLASSES, w),
        manifolds=lambda w: expand(MANIFOLD, study=PARAMS.points(w.sweep)),
        denoising=lambda w: of_sweep(DENOISING_RUN, w),
    output:
        **pages(MATCHED, "matched", sweep="{sweep}", table="depths at equal loss"),
    params:
        **calls(
            "measure_matched",
            lambda w: flags(
                STUDIES[SWEEPS[w.sweep].study].bias,
                sweep=w.sweep,
                studies=list(PARAMS.points(w.sweep)),
                values=list(PARAMS.points(w.sweep).values()),
            ),
        ),
