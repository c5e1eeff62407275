"""Tk plumbing: handing work between threads, the theme, the shell. Knows nothing of datasets or runs."""
