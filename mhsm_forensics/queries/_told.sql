-- Which route told of which event: of a case, `witnesses` has every record that says one.
SELECT
  coalesce(e.hsm, '') AS hsm,
  w.route,
  w.event_id,
  min(e.t) AS t,
  min(e.time) AS time
FROM witnesses w
JOIN events e ON e.event_id = w.event_id
WHERE w.log = 'audit'
GROUP BY e.hsm, w.route, w.event_id
