"""Networks, denoisers and samplers."""
