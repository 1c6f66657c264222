"""Networks whose noise levels are treated alike or by stages. Imports no torch."""

UNIFIED = "unified"
KINDS = {
    UNIFIED: "one network",
    "separate": "a network a stage",
    "multi-stage": "one encoder, a decoder a stage",
}
