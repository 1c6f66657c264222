# The entrance to the workflow, which stands in workflow/Snakefile: snakemake --cores all
# Options that are always loaded: profiles/default (a link to workflow/profiles/default).


include: "workflow/Snakefile"


workflow.default_target = "all"  # an include leaves the default target as it was: none
