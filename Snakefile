# depthbias: bias amplification, memorisation and structure of diffusion models against depth.
#
#   snakemake --cores all                        the active studies of params.yaml
#   snakemake --cores all --resources gpu=3      the same, at most three GPU jobs at a time
#   snakemake --cores all mnist-small            one study; also data_X, train_X, sample_X, evaluate_X, figures_X
#
# The way of the data: params.yaml -> rule -> script -> library -> one file -> next rule.
#   workflow/rules/common.smk    every path, and look-ups in the configuration
#   workflow/rules/data.smk      prepare, split, subset
#   workflow/rules/train.smk     train
#   workflow/rules/sample.smk    sample
#   workflow/rules/evaluate.smk  train_classifier, classify, measure_bias, summarize, write_metrics
#   workflow/rules/neighbors.smk embed, measure_diversity, measure_neighbors, measure_reproducibility, their figures
#   workflow/rules/structure.smk  measure_structure, estimate_structure, their figures
#   workflow/rules/sweeps.smk    snapshot, plot_sweep
#   workflow/rules/figures.smk   plot_*, write_proportions, write_architectures, write_usage

from snakemake.utils import min_version

min_version("9.10")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


rule all:
    default_target: True
    input:
        [targets("figures", study) for study in ACTIVE],


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/neighbors.smk"
include: "workflow/rules/structure.smk"
include: "workflow/rules/sweeps.smk"
include: "workflow/rules/figures.smk"


# On a cluster these run where Snakemake does: they take seconds, or download (prepare).
localrules:
    prepare,
    split,
    subset,
    estimate_structure,
    summarize,
    plot_proportions,
    plot_kappa,
    plot_grid,
    plot_real,
    plot_losses,
    plot_diversity,
    plot_neighbors,
    plot_nearest_pairs,
    plot_linearity,
    plot_structure,
    plot_score_errors,
    plot_linear_maps,
    plot_trajectories,
    plot_disjoint,
    plot_sweep,
    write_metrics,
    write_proportions,
    write_neighbor_table,
    write_architectures,
    write_usage,


# Every study, and every phase of it, is a target by name whether active or not.
for study in PARAMS.studies:

    rule:
        name:
            study
        input:
            targets("figures", study),

    for phase in PHASES:

        rule:
            name:
                f"{phase}_{study}"
            input:
                targets(phase, study),


# Without Snakemake's record of how it was made a result passes for fresh whatever the parameters. `snakemake --touch
# --forceall` vouches for such files.
if workflow.is_main_process and not {"--touch", "-t", "--unlock"} & set(sys.argv):
    refuse_unrecorded(
        [file for rule in workflow.rules for file in rule.output],
        asked_for(sys.argv),
    )
