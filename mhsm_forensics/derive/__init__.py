"""Evidence → Parquet parts: what one worker does, with nothing imported that it can do without.

A part holds the events of some evidence files in a row, and beside it their rejects, the records that are out of scope
and those of other logs and lists that give context. Duplicates are still in it: they are known only when the whole case
is. `Reader` remembers lines from part to part, and does its last steps on a thread; `load_part` does all of one part.
"""

from ._pages import keeping_pages
from ._part import Loaded, Reader, load_part
from ._stages import AtOnce, Stage
from ._writers import TABLES, open_table

__all__ = ["TABLES", "AtOnce", "Loaded", "Reader", "Stage", "keeping_pages", "load_part", "open_table"]
