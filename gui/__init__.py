"""Darknet Studio's window and library: from a folder of photos to a trained detector."""
