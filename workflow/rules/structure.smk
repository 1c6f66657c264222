# Input: trained weights and the images they were trained on. Output: beside the weights structure.npz (how linear and how
# Gaussian the denoiser is) and trajectories.npz (several denoisers sampled from the same noise); structure.csv.


use rule on_gpu as measure_structure with:
    input:
        model=MODEL,
        meta=MODEL_META,
        images=of_base(IMAGES),
        subset=SUBSET,
    output:
        output=STRUCTURE_RUN,
        trajectories=TRAJECTORIES,
    params:
        **calls(
            "measure_structure",
            lambda w: flags(
                study_of(w).structure.model_dump(exclude={"trajectories"}),
                count=study_of(w).structure.trajectories,
                noise_seed=study_of(w).sampling.noise_seeds[0],
                batch_size=study_of(w).sampling.batch_size,
                run=dict(w.items()),
            ),
        ),


use rule script as estimate_structure with:
    input:
        measurements=lambda w: of_study(STRUCTURE_RUN, w),
    output:
        STRUCTURE,
    localrule: True
    params:
        **calls("estimate_structure", of_wildcards),
