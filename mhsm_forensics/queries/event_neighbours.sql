-- Where an event stands among those with the same principal, key or correlation id, and which come before and after it.
WITH named AS (
  SELECT
    t,
    tick,
    evidence_id,
    source_offset,
    source_number,
    event_id,
    CASE :by WHEN 'actor' THEN actor WHEN 'key' THEN key WHEN 'correlation_id' THEN correlation_id END
      AS name
  FROM events
), alike AS (
  SELECT
    event_id,
    lag(event_id) OVER in_order AS before,
    lead(event_id) OVER in_order AS after,
    row_number() OVER in_order AS place,
    count(*) OVER () AS events
  FROM named
  WHERE name = :name
  WINDOW in_order AS (
    ORDER BY
      @order
  )
)
SELECT before, after, place, events
FROM alike
WHERE event_id = :event_id
ORDER BY place
