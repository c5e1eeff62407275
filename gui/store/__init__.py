"""The library on disk. The only place that knows peewee; takes and gives the frozen records of gui.core.records."""
