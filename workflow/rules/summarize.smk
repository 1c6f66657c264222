# Input: the tables of all measurements. Output: summary.csv, their union; metrics/<study>: its headline numbers for DVC.


rule summarize:
    input:
        parts=[BIAS, DIVERSITY, NEIGHBORS, REPRODUCIBILITY, STRUCTURE, PARAMETERS],
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
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("summarize"),
    shell:
        "python $DEPTHBIAS/scripts/summarize.py --parts {input.parts:q} --output {output:q} &> {log:q}"


rule write_metrics:
    input:
        summary=SUMMARY,
    output:
        metrics=METRICS,
        plot=METRICS_PLOT,
    log:
        "logs/write_metrics/{study}.log",
    benchmark:
        "logs/benchmarks/write_metrics/{study}.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=digest("write_metrics"),
    shell:
        "python $DEPTHBIAS/scripts/write_metrics.py --summary {input.summary:q} --metrics {output.metrics:q} --plot {output.plot:q}"
        " &> {log:q}"
