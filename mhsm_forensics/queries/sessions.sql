-- Stretches of work: events of one principal from one address, by one client with one token, until a pause that does not
-- fit. With :gap_minutes, a longer pause does not fit; without it, one that is twenty times the usual pause of that
-- principal there, at least half an hour and at most four; half an hour where fewer than ten pauses show no habit.
WITH called AS (
  SELECT
    *,
    @who
  FROM events
), events_before AS (
  SELECT
    actor,
    who,
    caller_ip,
    client,
    token_id,
    t,
    tick,
    evidence_id,
    source_offset,
    source_number,
    event_id,
    operation,
    key,
    outcome,
    @control,
    t - lag(t) OVER (
      PARTITION BY who, caller_ip, client, token_id
      ORDER BY
        @order
    ) AS pause
  FROM called
), cadence AS (
  SELECT
    who,
    caller_ip,
    client,
    coalesce(
      :gap_minutes * 60e6,
      CASE WHEN count(pause) < 10 THEN 1800e6 ELSE least(greatest(20 * median(pause), 1800e6), 14400e6) END
    ) AS longest_pause
  FROM events_before
  GROUP BY who, caller_ip, client
), numbered AS (
  SELECT
    e.*,
    c.longest_pause,
    sum(CASE WHEN e.pause <= c.longest_pause THEN 0 ELSE 1 END) OVER (
      PARTITION BY e.who, e.caller_ip, e.client, e.token_id
      ORDER BY
        @order
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS nth
  FROM events_before e
  JOIN cadence c
    ON e.who IS NOT DISTINCT FROM c.who
    AND e.caller_ip IS NOT DISTINCT FROM c.caller_ip
    AND e.client IS NOT DISTINCT FROM c.client
), totals AS (
  SELECT
    who,
    caller_ip,
    client,
    token_id,
    nth,
    max(actor) AS actor,
    min(t) AS start_t,
    max(t) AS end_t,
    min(event_id) AS first_event_id,
    max(longest_pause) / 1e6 AS longest_pause_seconds,
    count(*) AS events,
    count(DISTINCT coalesce(operation, '(no operation)')) AS operations,
    count(DISTINCT key) AS keys,
    count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
    CAST(sum(control) AS BIGINT) AS control_events
  FROM numbered
  GROUP BY who, caller_ip, client, token_id, nth
), by_operation AS (
  SELECT
    who,
    caller_ip,
    client,
    token_id,
    nth,
    coalesce(operation, '(no operation)') AS name,
    count(*) AS times,
    row_number() OVER (
      PARTITION BY who, caller_ip, client, token_id, nth
      ORDER BY count(*) DESC, coalesce(operation, '(no operation)')
    ) AS place
  FROM numbered
  GROUP BY who, caller_ip, client, token_id, nth, coalesce(operation, '(no operation)')
), tops AS (
  SELECT
    who,
    caller_ip,
    client,
    token_id,
    nth,
    max(CASE WHEN place = 1 THEN name || ' ' || CAST(times AS STRING) END)
      || coalesce(max(CASE WHEN place = 2 THEN ', ' || name || ' ' || CAST(times AS STRING) END), '')
      || coalesce(max(CASE WHEN place = 3 THEN ', ' || name || ' ' || CAST(times AS STRING) END), '')
      || CASE WHEN count(*) > 3 THEN ' … ' || CAST(count(*) - 3 AS STRING) || ' more' ELSE '' END AS top_operations
  FROM by_operation
  GROUP BY who, caller_ip, client, token_id, nth
)
SELECT
  row_number() OVER (
    ORDER BY a.start_t, a.who NULLS FIRST, a.caller_ip NULLS FIRST, a.client NULLS FIRST, a.first_event_id
  ) AS session,
  a.actor,
  a.who AS principal,
  a.caller_ip,
  a.client,
  a.token_id,
  a.start_t,
  a.end_t,
  (a.end_t - a.start_t) / 1e6 AS seconds,
  a.longest_pause_seconds,
  a.events,
  a.operations,
  b.top_operations,
  a.keys,
  a.denied,
  a.control_events
FROM totals a
JOIN tops b
  ON a.who IS NOT DISTINCT FROM b.who
  AND a.caller_ip IS NOT DISTINCT FROM b.caller_ip
  AND a.client IS NOT DISTINCT FROM b.client
  AND a.token_id IS NOT DISTINCT FROM b.token_id
  AND a.nth = b.nth
ORDER BY session
