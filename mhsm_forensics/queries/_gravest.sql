-- gravest: the act, of several readings the gravest, which comes first; where neither route nor name is known, the name
substr(coalesce(act, operation), 1, instr(concat(coalesce(act, operation), '|'), '|') - 1) AS gravest
