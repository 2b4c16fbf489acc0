"""Generates a world: who charges when, where and how much, and how each vendor reports it."""
