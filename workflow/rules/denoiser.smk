# Input: trained weights, the images they were trained on, held-out ones, the classifier. Output: beside the weights, for the
# estimates of structure, denoising and flips: structure.npz (how linear and how Gaussian the denoiser is), trajectories.npz
# (several denoisers sampled from the same noise), denoising-errors.npz (image by image, of the model and of it without its
# deepest stages), flips.npz (classes of images that were sent through noise and back).

MEASURED = {
    "measure_structure": {
        **{name: name for name in ("model", "meta", "images", "subset")},
        "output": "structure",
        "trajectories": "trajectories",
    },
    "measure_denoising": {
        **{name: name for name in ("model", "meta", "images", "split", "subset")},
        "output": "denoising",
    },
    "measure_flips": {
        **{name: name for name in ("model", "meta", "classifier", "classifier_meta")},
        **{name: name for name in ("images", "split", "subset", "first_subset")},
        "output": "flips",
    },
}


def measured_files(wildcards, input, output):
    """The files of the scripts behind measure_model.py, by the flags of each."""
    named = {**dict(input.items()), **dict(output.items())}
    words = [
        f"+ {script} {flags({flag: named[name] for flag, name in names.items()})}"
        for script, names in MEASURED.items()
    ]
    return " ".join([*words, "+ all"])


def measured_options(w):
    """The options of these scripts."""
    study = study_of(w)
    structure = flags(
        study.structure.model_dump(exclude={"trajectories"}),
        count=study.structure.trajectories,
        noise_seed=study.sampling.noise_seeds[0],
    )
    flips = flags(study.flips.model_dump(exclude={"images"}), count=study.flips.images)
    common = flags(batch_size=study.sampling.batch_size, run=dict(w.items()))
    return (
        f"measure_structure {structure} + measure_denoising {flags(study.denoising)} "
        f"+ measure_flips {flips} + all {common}"
    )


use rule on_gpu as measure_model with:
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
        structure=STRUCTURE_RUN,
        trajectories=TRAJECTORIES,
        denoising=DENOISING_RUN,
        flips=FLIPS_RUN,
    params:
        **calls("measure_model", measured_options) | {"files": measured_files},
