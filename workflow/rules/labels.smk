# Input: samples with the main sampler, their classes; a user's data/labels/<study>.csv. Output: results/<study>/labels/: generated
# images to label by hand; results/<study>/labelled.csv: class proportions by those labels.


use rule script as label_sheet with:
    input:
        samples=lambda w: of_study(SAMPLES, w, sampler=main_sampler(w)),
        classes=lambda w: of_study(CLASSES, w, sampler=main_sampler(w)),
    output:
        sheet=SHEET,
        page=SHEET_PAGE,
    localrule: True
    params:
        **calls(
            "label_sheet",
            lambda w: flags(study=w.study, count=study_of(w).classifiers.sheet),
        ),


use rule script as measure_labels with:
    input:
        labels=LABELS,
        samples=lambda w: of_study(SAMPLES, w, sampler=main_sampler(w)),
        classes=lambda w: of_study(CLASSES, w, sampler=main_sampler(w)),
        subsets=lambda w: of_study(SUBSET, w),
    output:
        LABELLED,
    params:
        **calls(
            "measure_labels",
            lambda w: flags(study=w.study, bootstrap=study_of(w).bias.bootstrap),
        ),
