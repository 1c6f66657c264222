# Input: embedded samples, of all samplers, and embedded real images. Output: results/<study>/: quality.csv (precision, recall,
# density, coverage, KID), manifold.npz (which images lie on the manifold of the real images of their class).


# One job: a job for each run would mostly import torch.
use rule on_gpu as measure_quality with:
    input:
        images=of_base(IMAGES),
        real=of_base(EMBEDDED_REAL),
        subsets=lambda w: of_study(SUBSET, w),
        samples=lambda w: of_study(SAMPLES, w),
        embedded=lambda w: of_study(EMBEDDED, w),
    output:
        output=QUALITY,
        manifold=MANIFOLD,
        about=QUALITY_ABOUT,
    params:
        **calls(
            "measure_quality",
            lambda w: flags(
                study_of(w).quality,
                embeddings=study_of(w).neighbors.embeddings,
                study=w.study,
            ),
        ),
