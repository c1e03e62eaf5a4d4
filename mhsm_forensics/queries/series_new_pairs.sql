-- Events of each series by bins of :width microseconds, and how many of them were the first of an identity from an address.
WITH numbered AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY actor, caller_ip
      ORDER BY
        @order
    ) AS nth
  FROM events
), chosen AS (
  SELECT
    @series,
    nth
  FROM numbered
), counted AS (
  SELECT
    one_hsm,
    one_operation,
    one_principal,
    one_caller_ip,
    one_key,
    bin,
    count(*) AS events,
    count(CASE WHEN nth = 1 THEN 1 END) AS new_pairs
  FROM chosen
  GROUP BY one_hsm, one_operation, one_principal, one_caller_ip, one_key, bin
)
SELECT
  @series_names,
  events,
  new_pairs
FROM counted
ORDER BY series, bin
