# Input: the files of a data set as downloaded (data/raw/..., or bundled). Output: data/<study>/: prepared images,
# the split into training pool and held-out images, and one training subset (an index file) per ratio and seed.


rule prepare:
    input:
        labels=lambda w: study_of(w).data.labels or [],
    output:
        IMAGES,
    wildcard_constraints:
        **of_own(TRAINED),
    localrule: True
    conda:
        "../../environment.yml"
    threads: 4
    params:
        code=digest("prepare"),
        raw=raw_state,
        data=lambda w: flags(study_of(w).data.model_dump(exclude={"heldout", "seed"})),
        labels=lambda w: fingerprint_of(study_of(w).data.labels),
    shell:
        'python "$DEPTHBIAS/scripts/prepare.py" {params.data} --workers {threads} --output {output:q} &> {log:q}'


use rule script as split with:
    input:
        images=IMAGES,
    output:
        SPLIT,
    wildcard_constraints:
        **of_own(TRAINED),
    localrule: True
    params:
        **calls(
            "split",
            lambda w: flags(
                classes={k: v.model_dump() for k, v in study_of(w).classes.items()},
                heldout=study_of(w).data.heldout,
                by_person=study_of(w).data.by_person,
                on_conflict=study_of(w).data.on_conflict,
                seed=study_of(w).data.seed,
            ),
        ),


use rule script as subset with:
    input:
        split=of_base(SPLIT),
    output:
        SUBSET,
    wildcard_constraints:
        **of_own(TRAINED),
    priority: 1  # before any training, as it finds a size that the data do not allow
    localrule: True
    params:
        **calls(
            "subset",
            lambda w: flags(
                ratio=w.ratio,
                seed=w.seed,
                size=study_of(w).subset_size,
                disjoint=study_of(w).disjoint,
            ),
        ),
