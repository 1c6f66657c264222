# Input: data/<study>/ images, subset and what is held out. Output: results/<study>/<ratio>/<architecture>/seed<k>/: EMA weights (safetensors),
# their description (JSON), the training log (CSV) and what it took (JSON).


use rule on_gpu as train with:
    input:
        images=of_base(IMAGES),
        subset=SUBSET,
        split=of_base(SPLIT),
    output:
        model=MODEL,
        meta=MODEL_META,
        log=TRAIN_LOG,
        kept_snapshots=SNAPSHOTS,
        usage=TRAIN_USAGE,
    wildcard_constraints:
        study=any_of(study for study in TRAINED if study not in SNAPSHOT_OF),
    params:
        **calls(
            "train",
            lambda w: flags(
                study_of(w).training_of(w.architecture),
                width=study_of(w).width,
                run=dict(w.items()),
            ),
        ),


use rule script as snapshot with:
    input:
        kept_snapshots=of_base(SNAPSHOTS),
        whole=of_base(MODEL_META),
    output:
        model=MODEL,
        meta=MODEL_META,
    wildcard_constraints:
        study=any_of(SNAPSHOT_OF),
    params:
        **calls(
            "snapshot",
            lambda w: flags(seen=SNAPSHOT_OF[w.study], run=dict(w.items())),
        ),
