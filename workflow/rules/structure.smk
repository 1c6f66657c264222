# Input: structure.npz of all models. Output: structure.csv.


use rule script as estimate_structure with:
    input:
        measurements=lambda w: of_study(STRUCTURE_RUN, w),
    output:
        STRUCTURE,
    localrule: True
    params:
        **calls("estimate_structure", of_wildcards),
