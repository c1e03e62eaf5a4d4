-- One identity at work in two places at once: its events in turn from one and from the other, within :seconds of each
-- other. The column that says the place comes out of a closed list.
WITH known AS (
  SELECT actor, object_id, caller_ip /* place */ AS place, t, tick, evidence_id, source_offset, source_number, event_id, time
  FROM events
  WHERE actor IS NOT NULL AND caller_ip /* place */ IS NOT NULL
), in_turn AS (
  SELECT
    *,
    lag(place) OVER own AS place_before,
    lag(event_id) OVER own AS event_before,
    lag(time) OVER own AS time_before,
    t - lag(t) OVER own AS pause
  FROM known
  WINDOW own AS (
    PARTITION BY actor
    ORDER BY
      @order
  )
)
SELECT
  actor,
  actor AS principal,
  max(object_id) AS object_id,
  least(place, place_before) AS one_place,
  greatest(place, place_before) AS other_place,
  min(time_before) AS first_time,
  max(time) AS last_time,
  count(*) AS turns,
  min(pause) / 1e6 AS shortest_seconds,
  min(event_before) AS event_id,
  min(event_id) AS next_event_id
FROM in_turn
WHERE place <> place_before AND pause <= :seconds * 1e6
GROUP BY actor, least(place, place_before), greatest(place, place_before)
ORDER BY turns DESC, actor, one_place, other_place
