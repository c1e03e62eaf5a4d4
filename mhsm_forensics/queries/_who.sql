-- who: the actor; of a record that names none, what stands in place of a name
CASE WHEN actor IS NULL THEN principal ELSE actor END AS who
