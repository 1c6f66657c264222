# Input: what an audit names: images, models. Output: data/<audit>/ images, split and subset; results/<group>/: the same files
# as of a study that trains, from where its rules go on; results/<audit>/: summary.csv of all groups, pairs.csv, index.html,
# audit.json, card.md.


rule bring_images:
    output:
        images=IMAGES,
        split=SPLIT,
        about=BROUGHT,
    wildcard_constraints:
        **of_own(AUDITS),
    localrule: True
    conda:
        "../../environment.yml"
    threads: 4
    params:
        code=digest("bring_images"),
        files=files,
        options=brought_images,
        raw=lambda w: raw_content(
            [
                path
                for block in (study_of(w).data, study_of(w).heldout)
                if block
                for path in (block.raw, block.labels)
                if path
            ],
            IMAGES.format(study=w.study),
        ),
    shell:
        'python "$DEPTHBIAS/scripts/bring_images.py" {params.options} {params.files} --workers {threads} &> {log:q}'


use rule script as whole_subset with:
    input:
        split=of_base(SPLIT),
    output:
        SUBSET,
    wildcard_constraints:
        **of_own(AUDITED),
    localrule: True
    params:
        **calls("whole_subset"),


rule bring_samples:
    input:
        training=of_base(BROUGHT),
    output:
        output=SAMPLES,
        about=BROUGHT_SAMPLES,
    wildcard_constraints:
        sampler="given",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 4
    params:
        code=digest("bring_samples"),
        files=files,
        options=lambda w: f"{sides_of(w)} {flags(given=of_subject(w).images, run=dict(w.items()))}",
        raw=lambda w: raw_content(of_subject(w).images, SAMPLES.format(**dict(w.items()))),
    shell:
        'python "$DEPTHBIAS/scripts/bring_samples.py" {params.options} {params.files} --workers {threads} &> {log:q}'


use rule script as bring_model with:
    input:
        images=of_base(IMAGES),
        subset=SUBSET,
    output:
        model=MODEL,
        meta=MODEL_META,
    wildcard_constraints:
        **of_own(AUDITED),
    params:
        **calls(
            "bring_model",
            lambda w: f"{sides_of(w)} "
            + flags(
                {key: path for key, path in of_subject(w).model_dump().items() if path},
                run=dict(w.items()),
            ),
        ),
        raw=lambda w: raw_content(named(of_subject(w)), MODEL.format(**dict(w.items()))),


use rule script as one_class with:
    input:
        samples=SAMPLES,
        split=of_base(SPLIT),
    output:
        CLASSES,
    wildcard_constraints:
        **of_own(study for study in AUDITED if not STUDIES[study].classes),
    localrule: True
    params:
        **calls("one_class"),


use rule on_gpu as measure_subject with:
    input:
        model=MODEL,
        meta=MODEL_META,
        images=of_base(IMAGES),
        split=of_base(SPLIT),
        subset=SUBSET,
    output:
        DENOISING_RUN,
    wildcard_constraints:
        **of_own(AUDITED),
    params:
        **calls(
            "measure_denoising",
            lambda w: flags(
                study_of(w).denoising,
                batch_size=study_of(w).sampling.batch_size,
                brought=True,
                run=dict(w.items()),
            ),
        ),


use rule script as summarize_audit with:
    input:
        parts=lambda w: [part for group in groups_of(w) for part in group_parts(group.study)],
        pairs=of_groups(NEAREST_PAIRS),
        images=IMAGES,
        samples=of_groups(SAMPLES),
    output:
        output=SUMMARY,
        closest=PAIRS,
    wildcard_constraints:
        **of_own(AUDITS),
    localrule: True
    params:
        **calls("summarize_audit", of_wildcards),


use rule script as write_audit with:
    input:
        summary=SUMMARY,
        pairs=PAIRS,
        images=IMAGES,
        about=BROUGHT,
        manifolds=of_groups(MANIFOLD),
        subset=lambda w: of_study(SUBSET, groups_of(w)[0])[0],
        samples=of_groups(SAMPLES),
        classes=of_groups(CLASSES),
        meta=lambda w: [
            path
            for group in groups_of(w)
            if study_of(group).models
            for path in of_study(MODEL_META, group)
        ],
        brought=lambda w: [
            path
            for group in groups_of(w)
            if not study_of(group).models
            for path in of_study(BROUGHT_SAMPLES, group)
        ],
    output:
        page=PAGE,
        audit=AUDIT,
        card=CARD,
        figures=report(
            "results/{study}/pairs.png",
            caption="../report/pairs.rst",
            category="Diversity and memorisation",
            labels={"study": "{study}", "figure": "closest pairs"},
        ),
    wildcard_constraints:
        **of_own(AUDITS),
    localrule: True
    params:
        **calls(
            "write_audit",
            lambda w: flags(study=w.study, settings=study_of(w).model_dump(exclude_none=True)),
        ),
