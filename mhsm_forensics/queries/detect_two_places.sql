-- A principal at work from two addresses in turn, within :seconds of each other and :turns times or more in a day, though
-- it hardly ever does so on its other days, of which there are :days or more.
WITH known AS (
  SELECT t, tick, evidence_id, source_offset, source_number, event_id, actor, caller_ip, CAST(floor(t / 86400e6) AS BIGINT) AS day
  FROM events
  WHERE actor IS NOT NULL AND caller_ip IS NOT NULL
), active AS (
  SELECT actor FROM known GROUP BY actor HAVING count(DISTINCT day) > :days AND count(DISTINCT caller_ip) > 1
), in_turn AS (
  SELECT
    k.*,
    lag(k.caller_ip) OVER own AS place_before,
    lag(k.event_id) OVER own AS event_before,
    k.t - lag(k.t) OVER own AS pause
  FROM known k
  JOIN active a ON a.actor = k.actor
  WINDOW own AS (
    PARTITION BY k.actor
    ORDER BY
      @order
  )
), turns AS (
  SELECT * FROM in_turn WHERE caller_ip <> place_before AND pause <= :seconds * 1e6
), days AS (
  SELECT actor, day, count(*) AS turns FROM turns GROUP BY actor, day
), odd AS (
  SELECT a.actor, a.day
  FROM days a
  LEFT JOIN days b ON b.actor = a.actor AND b.day <> a.day
  WHERE a.turns >= :turns
  GROUP BY a.actor, a.day
  HAVING count(b.day) < 2
), ids AS (
  SELECT t.event_id FROM turns t JOIN odd o ON o.actor = t.actor AND o.day = t.day
  UNION
  SELECT t.event_before AS event_id FROM turns t JOIN odd o ON o.actor = t.actor AND o.day = t.day
)
SELECT e.event_id, e.time, e.hsm, e.operation, e.act, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM ids i
JOIN events e ON e.event_id = i.event_id
ORDER BY
  @order
