# Every path of the workflow, and look-ups in the configuration. No rules.

import json
import re
import shlex
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

# Not the folder of the main Snakefile, which may be another workflow that uses this one as a module.
ROOT = Path(str(workflow.current_basedir)).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from code_digest import digest, use_checkout
from depthbias.config import reading
from depthbias.config.raw_data import first_problem
from depthbias.data.registry import DATA_SETS
from depthbias.diffusion.architectures import get_architecture
from depthbias.system.errors import UserError
from depthbias.theory.stage_names import KINDS as STAGE_KINDS
from records import (
    hold_settings,
    name_logs,
    raw_content,
    refuse_unrecorded,
    refuse_windows,
    remember_failures,
)

refuse_windows()
use_checkout()
hold_settings(workflow)
remember_failures()

# Not `configfile:`, whose reader would run the Python in a file that asks for it (a YTE template). A workflow that uses
# this one as a module gives the parameters as `config`.
if workflow.config_settings.overwrite_config or workflow.config_settings.configfiles:
    sys.exit("error: --config, --configfile: parameters are read from params.yaml only")
try:
    PARAMS = reading.parse(dict(config), "config") if config else reading.load("params.yaml")
except UserError as error:
    sys.exit(f"error: {error}")
config.update(PARAMS.model_dump())  # for the captions of the report

ACTIVE = PARAMS.active
PHASES = ["data", "train", "sample", "labels", "evaluate", "figures", "sweeps"]


def any_of(names):
    """A wildcard constraint; of no names one that nothing matches."""
    return "|".join(map(re.escape, names)) or "(?!)"


# A sweep makes studies that differ in one value from the study they are based on, of which they use the images, the
# split and the classifier; those of snapshots the weights too.
SWEEPS = PARAMS.sweeps
STUDIES, BASE, SNAPSHOT_OF = dict(PARAMS.studies), {}, {}
for sweep, block in SWEEPS.items():
    for point, value in PARAMS.points(sweep).items():
        STUDIES[point] = PARAMS.study(sweep, point, value)
        if point != block.study:
            BASE[point] = block.study
            if block.vary == "snapshots":
                SNAPSHOT_OF[point] = int(value)

# An audit is a study that brings what it measures. Its subjects that come from the same noise are a group: a study of its
# own, which uses the images, the split and the classifier of the audit.
TRAINED, AUDITS, GROUPS = list(STUDIES), PARAMS.audits, {}
for audit, block in AUDITS.items():
    GROUPS[audit] = block.groups(audit)
    STUDIES |= {audit: block, **GROUPS[audit]}
    BASE |= dict.fromkeys(GROUPS[audit], audit)
AUDITED = [study for study in STUDIES if study not in TRAINED]


wildcard_constraints:
    study=any_of(STUDIES),
    sweep=any_of(SWEEPS),
    ratio=r"natural|[\d.]+(-[\d.]+)+",
    architecture=r"[a-z0-9-]+",
    seed=r"\d+",
    sampler=r"given|[a-z]+-\d+",


# Paths. {study}, {ratio}, {architecture}, {seed} and {sampler} are the only wildcards, {sweep} in the figure of a sweep.

IMAGES = "data/{study}/images.npz"
SPLIT = "data/{study}/split.json"
SUBSET = "data/{study}/{ratio}/seed{seed}.json"
RUN = "results/{study}/{ratio}/{architecture}/seed{seed}"
MODEL = f"{RUN}/model.safetensors"
MODEL_META = f"{RUN}/model.json"
TRAIN_LOG = f"{RUN}/train.csv"
SNAPSHOTS = f"{RUN}/snapshots.safetensors"
TRAIN_USAGE = f"{RUN}/train-usage.json"
SAMPLES = f"{RUN}/samples-{{sampler}}.npz"
SAMPLE_USAGE = f"{RUN}/samples-{{sampler}}-usage.json"
CLASSES = f"{RUN}/classes-{{sampler}}.npz"
CLASSIFIER = "results/{study}/classifier.safetensors"
CLASSIFIER_META = "results/{study}/classifier.json"
CONTROL = "results/{study}/control.npz"
BIAS = "results/{study}/bias.csv"
OPINIONS = "results/{study}/opinions.npz"
CLASSIFIERS = "results/{study}/classifiers.csv"
SHEET = "results/{study}/labels/sheet.png"
SHEET_PAGE = "results/{study}/labels/sheet.html"
LABELS = "data/labels/{study}.csv"  # a user's; a study without it lacks LABELLED
LABELLED = "results/{study}/labelled.csv"
EMBEDDED = f"{RUN}/embeddings-{{sampler}}.npz"
EMBEDDED_REAL = "results/{study}/embeddings.npz"
DIVERSITY = "results/{study}/diversity.csv"
DIVERSITY_ABOUT = "results/{study}/diversity.json"
NEIGHBORS = "results/{study}/neighbors.csv"
NEIGHBORS_ABOUT = "results/{study}/neighbors.json"
NEAREST_PAIRS = "results/{study}/nearest-pairs.csv"
PARAMETERS = "results/{study}/parameters.csv"
REPRODUCIBILITY = "results/{study}/reproducibility.csv"
QUALITY = "results/{study}/quality.csv"
QUALITY_ABOUT = "results/{study}/quality.json"
MANIFOLD = "results/{study}/manifold.npz"
STRUCTURE_RUN = f"{RUN}/structure.npz"
TRAJECTORIES = f"{RUN}/trajectories.npz"
DENOISING_RUN = f"{RUN}/denoising-errors.npz"
FLIPS_RUN = f"{RUN}/flips.npz"
JACOBIAN_RUN = f"{RUN}/jacobian.npz"
EDITING_RUN = f"{RUN}/editing.npz"
STRUCTURE = "results/{study}/structure.csv"
DENOISING = "results/{study}/denoising.csv"
MEMBERSHIP = "results/{study}/membership.csv"
FLIPS = "results/{study}/flips.csv"
SUMMARY = "results/{study}/summary.csv"
SLOPES = "results/{study}/verdict.csv"
VERDICT = "results/{study}/verdict.json"
PAGE = "results/{study}/index.html"
FIGURES = "results/{study}/figures"
TABLES = "results/{study}/tables"
SWEEP_FIGURE = "results/sweeps/{sweep}"
MATCHED = "results/sweeps/{sweep}-matched"
THEORY_PARTS = {
    "landscape": "results/theory/landscape.csv",
    "molrg": "results/theory/molrg.csv",
    "jacobian": "results/theory/jacobian.csv",
    "editing": "results/theory/editing.csv",
    "bypass": "results/theory/bypass.csv",
    "watermark": "results/theory/watermark.csv",
    "families": "results/theory/families.csv",
    "stages": "results/theory/stages.csv",
}
THEORY = "results/theory/summary.csv"
THEORY_FIGURE = "results/theory/figures"
STAGES = [f"results/theory/stages-{kind}-seed{{seed}}.npz" for kind in STAGE_KINDS]
FAMILIES = "results/theory/families-seed{seed}.npz"
# Of what is brought.
BROUGHT = "data/{study}/brought.json"
BROUGHT_SAMPLES = f"{RUN}/brought-{{sampler}}.json"
AUDIT = "results/{study}/audit.json"
PAIRS = "results/{study}/pairs.csv"
CARD = "results/{study}/card.md"
METRICS = "metrics/{study}.json"  # kept in git, outside what DVC stores: dvc metrics, dvc plots
METRICS_PLOT = "metrics/{study}.csv"
# Every format is a target: of a job whose other files are there, Snakemake makes a file again only if it is asked for.
FIGURE_KINDS, TABLE_KINDS = ["svg", "png"], ["csv", "md", "html"]
FIGURE_FILES = [f"{FIGURES}/{{name}}.{kind}" for kind in FIGURE_KINDS]
TABLE_FILES = [f"{TABLES}/{{name}}.{kind}" for kind in TABLE_KINDS]


# Look-ups


def study_of(wildcards):
    return STUDIES[wildcards.study]


def raw_state(wildcards):
    """What the raw files of a study hold; nothing of data sets that have a checksum."""
    data = study_of(wildcards).data
    made = IMAGES.format(study=wildcards.study)
    return raw_content(data.raw, made) if DATA_SETS[data.dataset].watched else ""


def of_own(names):
    """A wildcard constraint: these studies."""
    return {"study": any_of(names)}


def of_base(path):
    """An input that the studies of a sweep share with the study they are based on."""
    return lambda w: path.format(**dict(w.items()) | {"study": BASE.get(w.study, w.study)})


def flags(block=(), **more):
    """Keys and values of a block of the configuration, and more, as command-line flags.

    A list stands after one flag, a mapping is JSON; of booleans there is the flag if it is true.
    """
    words = []
    for key, value in {**dict(block), **more}.items():
        if value is False:
            continue
        items = [] if value is True else [value]
        if isinstance(value, dict):
            items = [json.dumps(value)]
        elif isinstance(value, list):
            items = value
        words += [f"--{key.replace('_', '-')}", *map(str, items)]
    return shlex.join(words)


def fingerprint_of(path):
    """The contents of a file from outside as a parameter: it may be exchanged for one of an older date."""
    return sha256(Path(path).read_bytes()).hexdigest() if Path(path).is_file() else ""


def of_wildcards(w):
    """The wildcards of a job as flags: which study it is about, and of which ratio and so on."""
    return flags(w.items())


def embeddings_of(w):
    """How the images of a study are embedded, as flags."""
    study = study_of(w)
    distance = {"backbone": study.diversity.backbone} if study.diversity else {}
    return flags(embeddings=study.neighbors.embeddings, **distance)


def of_classifier(path):
    """The file of the classifier of a study, where there is one: a study that brings may lack it."""
    return lambda w: of_base(path)(w) if study_of(w).classes else []


def effective_depths(w):
    """The file that tells the effective depths of a study's models, if it has any that are known."""
    is_audit, block = w.study in AUDITED, study_of(w)
    return [] if is_audit and not block.models else expand(DENOISING, study=w.study)


def endpoint_of(w):
    """The slope that a study is run for, as flags."""
    study = study_of(w)
    return flags(study.endpoint, ratio=study.ratios[0])


def files(wildcards, input, output):
    """The inputs and outputs of a job as flags; an output without a name is `--output`."""
    made = dict(output.items()) or {"output": output}
    return flags({name: value for name, value in [*input.items(), *made.items()] if value})


# What each script behind measure_model.py calls the files of the rule.
MEASURED = {
    "measure_structure": {
        **{name: name for name in ("model", "meta", "images", "subset")},
        "output": "structure",
        "trajectories": "trajectories",
    },
    "measure_denoising": {
        **{name: name for name in ("model", "meta", "images", "split", "subset")},
        "output": "denoising",
    },
    "measure_flips": {
        **{name: name for name in ("model", "meta", "classifier", "classifier_meta")},
        **{name: name for name in ("images", "split", "subset", "first_subset")},
        "output": "flips",
    },
}


def measured_files(wildcards, input, output):
    """The files of the scripts behind measure_model.py, by the flags of each."""
    named = {**dict(input.items()), **dict(output.items())}
    words = [
        f"then {script} {flags({flag: named[name] for flag, name in names.items()})}"
        for script, names in MEASURED.items()
    ]
    return " ".join([*words, "then all"])


def measured_options(w):
    """The options of these scripts."""
    study = study_of(w)
    structure = flags(
        study.structure.model_dump(exclude={"trajectories"}),
        count=study.structure.trajectories,
        noise_seed=study.sampling.noise_seeds[0],
    )
    flips = flags(study.flips.model_dump(exclude={"images"}), count=study.flips.images)
    common = flags(batch_size=study.sampling.batch_size, run=dict(w.items()))
    return (
        f"measure_structure {structure} then measure_denoising {flags(study.denoising)} "
        f"then measure_flips {flips} then all {common}"
    )


def calls(name, options=""):
    """Params of what calls scripts/<name>.py with options, a text or a function of the wildcards.

    Options and files are apart, as Snakemake looks for no change in params that depend on files.
    """
    return {"script": name, "code": digest(name), "files": files, "options": options}


def of_study(path, wildcards, **narrowed):
    """All files of a path template for one study; `narrowed` gives values or lists of them for some wildcards."""
    study = study_of(wildcards)
    values = {
        "ratio": study.ratios,
        "architecture": study.architectures,
        "seed": study.seeds,
        "sampler": study.sampling.samplers,
    }
    values.update(narrowed)
    used = {key: value for key, value in values.items() if f"{{{key}}}" in path}
    return expand(path, study=wildcards.study, **used)


def of_sweep(path, wildcards):
    """The files of a path template for the main sampler and all studies of a sweep."""
    found = [SimpleNamespace(study=point) for point in PARAMS.points(wildcards.sweep)]
    return [name for w in found for name in of_study(path, w, sampler=main_sampler(w))]


def main_sampler(wildcards):
    return study_of(wildcards).sampling.samplers[0]


def first_seed(path, wildcards, **narrowed):
    """As of_study, for the first seed and the main sampler: what the image figures show."""
    study = study_of(wildcards)
    return of_study(
        path,
        wildcards,
        seed=study.seeds[0],
        sampler=main_sampler(wildcards),
        **narrowed,
    )


def of_seed(path, wildcards, which):
    """All U-Nets of one ratio with the first (0) or second (1) seed of a study of disjoint subsets."""
    seed = study_of(wildcards).seeds[which]
    return of_study(path, wildcards, ratio=wildcards.ratio, seed=seed)


def drawing(path, caption, category, **labels):
    """The two files of a figure; the PNG goes into the report."""
    caption = f"../report/{caption}.rst"
    png = report(f"{path}.png", caption=caption, category=category, labels=labels)
    return {"output": [f"{path}.svg", png]}


def figure(name, caption, category, **labels):
    """The two files of a figure of a study."""
    return drawing(f"{FIGURES}/{name}", caption, category, study="{study}", **labels)


def of_ratio(name, category, title):
    """The two files of a figure of one ratio of a study."""
    path = f"{name}-{{ratio}}"
    return figure(path, name, category, figure=title, ratio="{ratio}")


def table(name, title):
    """The three files of a table of a study."""
    return pages(f"{TABLES}/{name}", name, study="{study}", table=title)


def pages(path, caption, **labels):
    """The three files of a table; the page goes into the report."""
    caption = f"../report/table_{caption}.rst"
    html = report(f"{path}.html", caption=caption, category="Tables", labels=labels)
    return {
        "output_csv": f"{path}.csv",
        "output_md": f"{path}.md",
        "output_html": html,
    }


def labelled(wildcards):
    """What follows from labels by hand, where there are some."""
    there = Path(LABELS.format(study=wildcards.study)).is_file()
    return expand(LABELLED, study=wildcards.study) if there else []


def named_in(words, paths=False):
    """The studies whose targets are among the words of a command, or with `paths` whose files are."""
    known = [*PARAMS.studies, *AUDITS]
    return [
        s
        for s in known
        for w in words
        if w == s or w.endswith(f"_{s}") or (paths and f"/{s}/" in w)
    ]


def asked_for(words):
    """The active studies and those whose targets are among the words of a command, with their sweeps' studies.

    And the theory bench, where a word names it or a part of it, with the study whose models it measures.
    """
    named = {*named_in(words)}
    theory = any(word.split("_")[0] == "theory" for word in words)
    if theory and PARAMS.theory:
        named |= {part.study for _, part in PARAMS.theory.on_studies()}
    return [s for s in STUDIES if BASE.get(s, s) in {*ACTIVE, *named}] + ["theory"] * theory


def refuse_impossible(words):
    """Exit with one line if the raw files of the studies that the words of a command name do not fit params.yaml.

    Those of the active studies, if it names none.
    """
    checked = [
        study
        for study in named_in(words, paths=True) or ACTIVE
        if study in {*PARAMS.studies, *PARAMS.audits}
    ]
    if problem := first_problem(PARAMS, dict.fromkeys(checked)):
        sys.exit(f"error: params.yaml: {problem}")


def disjoint_figure(study):
    """The figure of two seeds that share no training image, where a study has such."""
    apart = STUDIES[study].disjoint and len(STUDIES[study].seeds) > 1
    return ["disjoint"] if apart else []


def study_figures(study):
    """The figures and tables of a study."""
    names = ["proportions", "kappa", "thresholds", "losses", "real", "quality", "diversity"]
    names += ["neighbors", "copied-training", "membership", "depth-use", "convergence"]
    names += ["bias-variance", "flips", "linearity", "structure", "score-errors", "linear-maps"]
    kinds = ["grid", "nearest-pairs", "trajectories", "roc", *disjoint_figure(study)]
    names += [f"{kind}-{ratio}" for kind in kinds for ratio in STUDIES[study].ratios]
    tables = [
        "proportions",
        "classifiers",
        "quality",
        "architectures",
        "neighbors",
        "membership",
        "usage",
    ]
    return [
        *expand(FIGURE_FILES, study=study, name=names),
        *expand(TABLE_FILES, study=study, name=tables),
    ]


def page_figures(study):
    """Both files of each figure that the page of a study may show; it takes the smaller one."""
    wanted = ["kappa", "diversity", "neighbors", "membership", "bias-variance", "score-errors"]
    wanted += ["depth-use", "convergence", "quality", "proportions", "thresholds"]
    asked = expand(f"{FIGURES}/{{name}}.{{kind}}", study=study, name=wanted, kind=["svg", "png"])
    return [path for path in asked if path in study_figures(study)]


def sweep_figures(study):
    """The figures of all sweeps of a study; where its seeds share no image, what they have in common at each size."""
    sweeps = [name for name in SWEEPS if SWEEPS[name].study == study]
    made = expand([f"{SWEEP_FIGURE}.{kind}" for kind in FIGURE_KINDS], sweep=sweeps)
    if len(STUDIES[study].architectures) > 1:
        times = [name for name in sweeps if SWEEPS[name].vary == "snapshots"]
        made += expand([f"{MATCHED}.{kind}" for kind in TABLE_KINDS], sweep=times)
    sizes = [name for name in sweeps if SWEEPS[name].vary == "subset_size"]
    apart = [
        f"{kind}-{ratio}" for kind in disjoint_figure(study) for ratio in STUDIES[study].ratios
    ]
    points = [point for name in sizes for point in PARAMS.points(name)]
    return made + expand(FIGURE_FILES, study=points, name=apart)


def theory_files(part):
    """The table and the figures of a part of the theory bench."""
    path = f"{THEORY_FIGURE}/{{name}}.{{kind}}"
    pictures = {"editing": ["edits"], "families": ["family-samples"]}
    names = [*THEORY_FIGURES[part], *pictures.get(part, [])]
    return [THEORY_PARTS[part], *expand(path, name=names, kind=FIGURE_KINDS)]


def targets(phase, study):
    """The files that a phase of a study makes."""
    wildcards = SimpleNamespace(study=study)
    return {
        "data": lambda: of_study(SUBSET, wildcards),
        "train": lambda: of_study(MODEL, wildcards),
        "sample": lambda: of_study(SAMPLES, wildcards),
        "labels": lambda: expand([SHEET, SHEET_PAGE], study=study),
        "evaluate": lambda: expand(SUMMARY, study=study),
        "figures": lambda: [
            *expand([SUMMARY, METRICS, METRICS_PLOT, VERDICT, PAGE], study=study),
            *study_figures(study),
        ],
        "sweeps": lambda: sweep_figures(study),
        "audit": lambda: expand([SUMMARY, PAIRS, PAGE, AUDIT, CARD], study=study),
    }[phase]()
