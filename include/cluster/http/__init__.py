"""The HTTP face of the stand-in: routes, content types, watch streams, tables, proxy."""
