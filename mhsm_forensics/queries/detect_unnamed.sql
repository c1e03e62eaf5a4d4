-- Names that no source has, on routes that say what they are: the first call of each, with how many there are.
WITH unnamed AS (
  SELECT
    *,
    count(*) OVER (PARTITION BY operation, act) AS events,
    row_number() OVER (
      PARTITION BY operation, act
      ORDER BY
        @order
    ) AS nth
  FROM events
  WHERE known_by = 'route' AND operation_status = 'unseen' AND coalesce(operation_class, '') <> 'authentication'
)
SELECT event_id, time, hsm, operation, act, events
FROM unnamed
WHERE nth = 1
ORDER BY
  @order
