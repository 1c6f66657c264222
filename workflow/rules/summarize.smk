# Input: the tables of all measurements. Output: summary.csv, their union; metrics/<study>: its headline numbers for DVC.


use rule light as summarize with:
    input:
        parts=[
            BIAS,
            DIVERSITY,
            NEIGHBORS,
            REPRODUCIBILITY,
            QUALITY,
            STRUCTURE,
            DENOISING,
            MEMBERSHIP,
            PARAMETERS,
        ],
    output:
        report(
            SUMMARY,
            caption="../report/summary.rst",
            category="Tables",
            labels={"study": "{study}", "table": "every measurement (summary.csv)"},
        ),
    log:
        "logs/summarize/{study}.log",
    benchmark:
        "logs/benchmarks/summarize/{study}.tsv"
    params:
        **calls("summarize"),


use rule light as write_metrics with:
    input:
        summary=SUMMARY,
    output:
        metrics=METRICS,
        plot=METRICS_PLOT,
    log:
        "logs/write_metrics/{study}.log",
    benchmark:
        "logs/benchmarks/write_metrics/{study}.tsv"
    params:
        **calls("write_metrics"),
