"""What the rules find, and what an analyst writes."""

from __future__ import annotations

from ._column import Column

FINDINGS = (
    Column(
        "finding_id",
        "string",
        "the rule and a digest of the first event: the same after a rebuild, and when other findings come or go",
    ),
    Column(
        "number", "string", "`F01`, `F02`, …: in the order of the findings, for people; another run may number anew"
    ),
    Column("rule_id", "string", "the rule that judged so"),
    Column("title", "string", "one line: what, who, how many"),
    Column("severity", "string", "`critical`, `high`, `medium`, `low`, `info`"),
    Column("confidence", "string", "`high`, `medium`, `low`: how sure the rule is of its reading"),
    Column("hsm", "string", "the managed HSM"),
    Column("first_time", "timestamp", "time of the first event, UTC"),
    Column("last_time", "timestamp", "time of the last event, UTC"),
    Column("principal", "string", "who"),
    Column("object_id", "string", "object id of the principal"),
    Column("caller_ip", "string", "from where; the most frequent address if there are several"),
    Column("keys", "list", "names of the keys concerned"),
    Column("events", "int", "number of events"),
    Column("event_ids", "list", "all of them"),
    Column("techniques", "list", "MITRE ATT&CK ids, in the numbering of v19"),
    Column("techniques_before", "list", "those of them that had another number before v19, in that one"),
    Column("why", "string", "why this matters"),
    Column("benign", "string", "what innocent activity looks the same"),
    Column("next_step", "string", "what to do next"),
)

NOTES = (
    Column("note_id", "string", "id of the note; a digest of what it says, who said it and when"),
    Column("time", "timestamp", "when it was written, UTC"),
    Column("by", "string", "who wrote it, as their machine knew them"),
    Column("kind", "string", "`tag`, `bookmark`, `comment`, `hypothesis`, `evidence`, `t0`, `answer`, `view`; `retraction`, `recovered`"),
    Column("text", "string", "its words; the tag, the title, the hypothesis, the answer"),
    Column("about", "list", "`event_id`s of the records that it is about"),
    Column("detail", "string", "JSON: comment of a tag, time of T0, question and state of an answer, question of a view, …"),
    Column("replaces", "string", "the note that it corrects"),
    Column("retracts", "string", "the note that it takes back"),
)  # fmt: skip
