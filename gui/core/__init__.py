"""Use cases: what the window and the command line both do. No tkinter, no peewee; frozen records in and out."""
