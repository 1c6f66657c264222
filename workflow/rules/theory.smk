# Input: the block `theory` of params.yaml, and training images of one study. Output: results/theory/: a table of each part,
# summary.csv, their union, and figures. Targets: theory, theory_landscape, theory_molrg.

OF_LANDSCAPE, OF_MOLRG = PARAMS.theory.landscape, PARAMS.theory.molrg

# {part: {name of a figure: title in the report}}. A figure's function: depthbias/report/theory_figures.py.
THEORY_FIGURES = {
    "landscape": {
        "merging": "minima that merge: simulation and two laws",
        "laws": "kappa of the laws, beside that of studies",
        "surface": "one energy at several levels",
        "energy": "minima and curvature of the energy of training images",
    },
    "molrg": {
        "phases": "subspaces recovered, against dimension and points",
        "boundary": "the boundary of recovery, and the learned denoiser",
    },
}


use rule compute as measure_landscape with:
    input:
        images=IMAGES.format(study=OF_LANDSCAPE.study),
        subsets=expand(
            SUBSET,
            study=OF_LANDSCAPE.study,
            ratio=STUDIES[OF_LANDSCAPE.study].ratios,
            seed=STUDIES[OF_LANDSCAPE.study].seeds[0],
        ),
    output:
        THEORY_PARTS["landscape"],
    params:
        **calls(
            "measure_landscape",
            flags(
                OF_LANDSCAPE.model_dump(exclude={"study", "kappa_of"}),
                seed=PARAMS.theory.seed,
            ),
        ),


use rule compute as measure_molrg with:
    output:
        THEORY_PARTS["molrg"],
    params:
        **calls("measure_molrg", flags(OF_MOLRG.model_dump(), seed=PARAMS.theory.seed)),


use rule script as summarize_theory with:
    input:
        parts=list(THEORY_PARTS.values()),
    output:
        report(
            THEORY,
            caption="../report/theory-summary.rst",
            category="Theory",
            labels={"table": "every number (summary.csv)"},
        ),
    localrule: True
    params:
        **calls("summarize"),


for part, figures in THEORY_FIGURES.items():
    for name, title in figures.items():

        rule:
            name:
                f"plot_theory_{name}"
            input:
                rows=THEORY_PARTS[part],
                summaries=expand(SUMMARY, study=OF_LANDSCAPE.kappa_of if name == "laws" else []),
            output:
                **drawing(
                    f"{THEORY_FIGURE}/{name}",
                    f"theory-{name}",
                    "Theory",
                    part=part,
                    figure=title,
                ),
            localrule: True
            conda:
                "../../environment.yml"
            params:
                **calls("plot_theory", name),
            shell:
                'python "$DEPTHBIAS/scripts/{params.script}.py" {params.options} {params.files} &> {log:q}'
