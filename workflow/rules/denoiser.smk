# Input: trained weights, the images they were trained on, held-out ones, the classifier. Output: beside the weights, for the
# estimates of structure, denoising and flips: structure.npz (how linear and how Gaussian the denoiser is), trajectories.npz
# (several denoisers sampled from the same noise), denoising-errors.npz (image by image, of the model and of it without its
# deepest stages), flips.npz (classes of images that were sent through noise and back).


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
    wildcard_constraints:
        **of_own(TRAINED),
    params:
        **calls("measure_model", measured_options) | {"files": measured_files},
