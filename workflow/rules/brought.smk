# Look-ups of audits: what their blocks name, as flags and files. No rules.


def named(block):
    """The files and folders that a block names, those left out not."""
    return [path for path in block.model_dump().values() if path]


def of_subject(w):
    """What is brought under an architecture's name."""
    return study_of(w).subjects[w.architecture]


def brought_images(w):
    """How the images of an audit are brought, as flags."""
    audit = study_of(w)
    given = audit.data.model_dump(exclude={"dataset"})
    if audit.heldout:
        given |= {f"heldout_{key}": path for key, path in audit.heldout.model_dump().items()}
    classes = {name: rule.model_dump() for name, rule in audit.classes.items()}
    return flags({key: value for key, value in given.items() if value}, classes=classes)


def sides_of(w):
    """Size and channels of the images of an audit, as flags."""
    data = study_of(w).data
    return flags(size=data.size, channels=data.channels)


def group_parts(group):
    """The tables of a group that its audit has what they need for."""
    block, audit = STUDIES[group], STUDIES[BASE[group]]
    wanted = {
        BIAS: bool(block.classes),
        CLASSIFIERS: bool(block.classes),
        DIVERSITY: block.diversity is not None,
        NEIGHBORS: True,
        REPRODUCIBILITY: len(block.models) > 1,
        QUALITY: True,
        DENOISING: bool(block.models) and audit.heldout is not None,
        MEMBERSHIP: bool(block.models) and audit.heldout is not None,
    }
    return expand([path for path, there in wanted.items() if there], study=group)


def groups_of(w):
    """The groups of an audit, as wildcards."""
    return [SimpleNamespace(study=group) for group in GROUPS[w.study]]


def of_groups(path):
    """The files of a path template of all groups of an audit; with their main sampler."""
    return lambda w: [
        name
        for group in groups_of(w)
        for name in of_study(path, group, sampler=main_sampler(group))
    ]
