-- series: one combination of the columns that are asked for, the others null, in bins of :width microseconds
CASE WHEN :by_hsm THEN hsm END AS one_hsm,
CASE WHEN :by_operation THEN operation END AS one_operation,
CASE WHEN :by_principal THEN CASE WHEN actor IS NULL THEN principal ELSE actor END END AS one_principal,
CASE WHEN :by_caller_ip THEN caller_ip END AS one_caller_ip,
CASE WHEN :by_key THEN key END AS one_key,
CAST(floor(t / CAST(:width AS DOUBLE)) AS BIGINT) AS bin
