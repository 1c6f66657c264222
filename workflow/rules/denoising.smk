# Input: trained weights, the images they were trained on, and held-out ones. Output: beside the weights denoising-errors.npz
# (errors image by image, of the model and of it without its deepest stages); denoising.csv, membership.csv.


use rule on_gpu as measure_denoising with:
    input:
        model=MODEL,
        meta=MODEL_META,
        images=of_base(IMAGES),
        split=of_base(SPLIT),
        subset=SUBSET,
    output:
        DENOISING_RUN,
    params:
        **calls(
            "measure_denoising",
            lambda w: flags(
                study_of(w).denoising,
                batch_size=study_of(w).sampling.batch_size,
                run=dict(w.items()),
            ),
        ),


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
