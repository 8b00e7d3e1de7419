"""The library inside of other programs' machinery: each module behind its extra, none imported by the core."""
