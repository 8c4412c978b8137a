"""Figures as text: tables, plots, and the aims they are held against."""
