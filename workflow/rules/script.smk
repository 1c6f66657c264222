# What rules have in common: a script that is called with the names and values of its inputs, outputs and options as flags.
# `use rule script as NAME with:` and the like make a rule of it. Its `params` say which script, and with which options.
# A rule that takes seconds says `localrule: True`, and is never sent to a node. Snakemake would not inherit it.
# Its log and benchmark are named after it (workflow/records.py).


# A job.
rule script:
    conda:
        "../../environment.yml"
    shell:
        'python "$DEPTHBIAS/scripts/{params.script}.py" {params.options} {params.files} &> {log:q}'


# A job of torch.
rule compute:
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        'python "$DEPTHBIAS/scripts/{params.script}.py" {params.options} {params.files}'
        " --threads {threads} &> {log:q}"


# A job of torch that takes a GPU where there is one.
use rule compute as on_gpu with:
    resources:
        gpu=1,
