"""What was asked of an HSM, and which built-in role allows it: by the route of a request, its answer, and its name.

The names that Managed HSM writes are only partly published, so a name alone is never trusted to be known.
`operations.csv` is the vocabulary: every name with a source (documented), every name that the REST surface lets one expect
(expected) and preview names, each with its path, its method and the status of its success. Path and status of a record
say which of them it can have been, whatever it is called; its name is the second witness.
"""

from ._meaning import Meaning, meaning
from ._rights import Grant, allows, granted, role_ids
from ._routes import at_path, class_of_path, readings
from ._vocabulary import EFFECTS, SOURCES, Operation, vocabulary

__all__ = [
    "EFFECTS", "SOURCES", "Grant", "Meaning", "Operation", "allows", "at_path", "class_of_path", "granted", "meaning",
    "readings", "role_ids", "vocabulary",
]  # fmt: skip
