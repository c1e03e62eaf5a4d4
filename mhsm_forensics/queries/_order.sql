-- order of events: the tick of 100 ns, then the place in the file
t, tick, evidence_id, source_offset, source_number, event_id
