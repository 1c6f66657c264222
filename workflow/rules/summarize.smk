# Input: the tables of all measurements. Output: summary.csv, their union; metrics/<study>: its headline numbers for DVC;
# verdict.json: what the study says about the slope it was run for.


use rule script as summarize with:
    input:
        parts=[
            BIAS,
            CLASSIFIERS,
            DIVERSITY,
            NEIGHBORS,
            REPRODUCIBILITY,
            QUALITY,
            STRUCTURE,
            DENOISING,
            MEMBERSHIP,
            FLIPS,
            PARAMETERS,
        ],
        labelled=labelled,
    output:
        report(
            SUMMARY,
            caption="../report/summary.rst",
            category="Tables",
            labels={"study": "{study}", "table": "every measurement (summary.csv)"},
        ),
    wildcard_constraints:
        **of_own(TRAINED),
    localrule: True
    params:
        **calls("summarize"),


use rule script as write_metrics with:
    input:
        summary=SUMMARY,
    output:
        metrics=METRICS,
        plot=METRICS_PLOT,
    localrule: True
    params:
        **calls("write_metrics"),


use rule script as write_verdict with:
    input:
        summary=SUMMARY,
    output:
        slopes=SLOPES,
        verdict=VERDICT,
    localrule: True
    params:
        **calls("write_verdict", endpoint_of),
