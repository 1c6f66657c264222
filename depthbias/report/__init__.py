"""Figures and tables from the tidy table."""
