from processor.siblings.guards import Guards, Siblings

__all__ = [
    "Guards",
    "Siblings",
]
