-- Stretches of work: events of one principal from one address, with no pause longer than :gap_minutes between them.
WITH steps AS (
  SELECT
    principal,
    caller_ip,
    t,
    event_id,
    operation,
    key_name,
    outcome,
    -- control: an operation that changes, exports or destroys, or an unknown one with a status that no read returns
    CASE
      WHEN effect IN ('change', 'export', 'destroy') THEN 1
      WHEN operation_class = 'access_control' AND http_status = 201 THEN 1
      WHEN coalesce(effect, 'unknown') = 'unknown' AND http_status IN (201, 202, 204) THEN 1
      ELSE 0
    END AS control,
    CASE
      WHEN t - lag(t) OVER (PARTITION BY principal, caller_ip ORDER BY t, event_id) <= :gap_minutes * 60e6 THEN 0
      ELSE 1
    END AS starts
  FROM events
), numbered AS (
  SELECT
    *,
    sum(starts) OVER (
      PARTITION BY principal, caller_ip ORDER BY t, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS nth
  FROM steps
), totals AS (
  SELECT
    principal,
    caller_ip,
    nth,
    min(t) AS start_t,
    max(t) AS end_t,
    count(*) AS events,
    count(DISTINCT coalesce(operation, '(no operation)')) AS operations,
    count(DISTINCT key_name) AS keys,
    count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
    CAST(sum(control) AS BIGINT) AS control_events
  FROM numbered
  GROUP BY principal, caller_ip, nth
), by_operation AS (
  SELECT
    principal,
    caller_ip,
    nth,
    coalesce(operation, '(no operation)') AS name,
    count(*) AS times,
    row_number() OVER (
      PARTITION BY principal, caller_ip, nth ORDER BY count(*) DESC, coalesce(operation, '(no operation)')
    ) AS place
  FROM numbered
  GROUP BY principal, caller_ip, nth, coalesce(operation, '(no operation)')
), tops AS (
  SELECT
    principal,
    caller_ip,
    nth,
    max(CASE WHEN place = 1 THEN name || ' ' || CAST(times AS STRING) END)
      || coalesce(max(CASE WHEN place = 2 THEN ', ' || name || ' ' || CAST(times AS STRING) END), '')
      || coalesce(max(CASE WHEN place = 3 THEN ', ' || name || ' ' || CAST(times AS STRING) END), '')
      || CASE WHEN count(*) > 3 THEN ' … ' || CAST(count(*) - 3 AS STRING) || ' more' ELSE '' END AS top_operations
  FROM by_operation
  GROUP BY principal, caller_ip, nth
)
SELECT
  row_number() OVER (ORDER BY a.start_t, a.principal NULLS FIRST, a.caller_ip NULLS FIRST) AS session,
  a.principal,
  a.caller_ip,
  a.start_t,
  a.end_t,
  (a.end_t - a.start_t) / 1e6 AS seconds,
  a.events,
  a.operations,
  b.top_operations,
  a.keys,
  a.denied,
  a.control_events
FROM totals a
JOIN tops b
  ON a.principal IS NOT DISTINCT FROM b.principal
  AND a.caller_ip IS NOT DISTINCT FROM b.caller_ip
  AND a.nth = b.nth
ORDER BY session
