-- Events of each series by bins of :width microseconds, and how many of them were the first of an identity from an address.
WITH numbered AS (
  SELECT *, row_number() OVER (PARTITION BY principal, caller_ip ORDER BY t, event_id) AS nth FROM events
), chosen AS (
  SELECT
    CASE WHEN :by_hsm THEN hsm END AS one_hsm,
    CASE WHEN :by_operation THEN operation END AS one_operation,
    CASE WHEN :by_principal THEN principal END AS one_principal,
    CASE WHEN :by_caller_ip THEN caller_ip END AS one_caller_ip,
    CASE WHEN :by_key_name THEN key_name END AS one_key_name,
    CAST(floor(t / CAST(:width AS DOUBLE)) AS BIGINT) AS bin,
    nth
  FROM numbered
), counted AS (
  SELECT
    one_hsm,
    one_operation,
    one_principal,
    one_caller_ip,
    one_key_name,
    bin,
    count(*) AS events,
    count(CASE WHEN nth = 1 THEN 1 END) AS new_pairs
  FROM chosen
  GROUP BY one_hsm, one_operation, one_principal, one_caller_ip, one_key_name, bin
)
SELECT
  dense_rank() OVER (
    ORDER BY one_hsm NULLS FIRST, one_operation NULLS FIRST, one_principal NULLS FIRST, one_caller_ip NULLS FIRST,
      one_key_name NULLS FIRST
  ) AS series,
  one_hsm AS hsm,
  one_operation AS operation,
  one_principal AS principal,
  one_caller_ip AS caller_ip,
  one_key_name AS key_name,
  bin,
  events,
  new_pairs
FROM counted
ORDER BY series, bin
