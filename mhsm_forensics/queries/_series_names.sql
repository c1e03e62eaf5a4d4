-- names of a series, and its number
dense_rank() OVER (
  ORDER BY one_hsm NULLS FIRST, one_operation NULLS FIRST, one_principal NULLS FIRST, one_caller_ip NULLS FIRST,
    one_key NULLS FIRST
) AS series,
one_hsm AS hsm,
one_operation AS operation,
one_principal AS principal,
one_caller_ip AS caller_ip,
one_key AS key,
bin
