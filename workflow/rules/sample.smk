# Input: trained weights. Output: samples-<sampler>-<steps>.npz beside them: generated images, image i of every model
# from the same noise; and what it took (JSON).


use rule on_gpu as sample with:
    input:
        model=MODEL,
        meta=MODEL_META,
    output:
        output=SAMPLES,
        usage=SAMPLE_USAGE,
    wildcard_constraints:
        sampler=r"[a-z]+-\d+",
    params:
        **calls(
            "sample",
            lambda w: flags(
                sampler=w.sampler.split("-")[0],
                steps=w.sampler.split("-")[1],
                count=study_of(w).sampling.images,
                noise_seeds=study_of(w).sampling.noise_seeds,
                batch_size=study_of(w).sampling.batch_size,
                run=dict(w.items()),
            ),
        ),
