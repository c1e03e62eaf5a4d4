-- Acts that change, export or destroy, allowed or not; a run of the same act is one row.
WITH judged AS (
  SELECT
    *,
    @who,
    @control,
    @group
  FROM events
), steps AS (
  SELECT
    *,
    CASE
      WHEN t - lag(t) OVER (
        PARTITION BY hsm, who, caller_ip, operation, operation_class, effect, outcome
        ORDER BY
          @order
      ) <= 1800000000 THEN 0
      ELSE 1
    END AS starts
  FROM judged
  WHERE control = 1
), numbered AS (
  SELECT
    *,
    sum(starts) OVER (
      PARTITION BY hsm, who, caller_ip, operation, operation_class, effect, outcome
      ORDER BY
        @order
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS nth
  FROM steps
)
SELECT
  min(t) AS start_t,
  max(t) AS end_t,
  hsm,
  max(actor) AS actor,
  who AS principal,
  max(principal_type) AS principal_type,
  caller_ip,
  operation,
  operation_class,
  effect,
  outcome,
  max(group_name) AS group_name,
  count(*) AS events,
  count(DISTINCT key) AS keys,
  array_sort(array_agg(DISTINCT key_name) FILTER (WHERE key_name IS NOT NULL)) AS key_list,
  array_sort(array_agg(event_id)) AS event_ids
FROM numbered
GROUP BY hsm, who, caller_ip, operation, operation_class, effect, outcome, nth
ORDER BY start_t, hsm NULLS FIRST, who NULLS FIRST, caller_ip NULLS FIRST, operation NULLS FIRST,
  outcome NULLS FIRST, min(event_id)
