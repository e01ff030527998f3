"""Features of the main application: each module's `add(router, database)` serves some pages.

The build file lists the modules. A later one may replace a page of an earlier one.
"""
