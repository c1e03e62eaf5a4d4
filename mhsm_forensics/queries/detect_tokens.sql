-- Tokens out of place: `shared`, one token used from two addresses by a principal whose tokens stay at one on all but
-- :days of its days; `moved`, a token used elsewhere than where it was issued, after :days days on which that never was so.
WITH given AS (
  SELECT *, coalesce(object_id, '') AS oid, CAST(floor(t / 86400e6) AS BIGINT) AS day
  FROM events
  WHERE principal IS NOT NULL AND caller_ip IS NOT NULL
), shared AS (
  SELECT token_id, principal, oid, min(day) AS day
  FROM given
  WHERE token_id IS NOT NULL
  GROUP BY token_id, principal, oid
  HAVING count(DISTINCT caller_ip) > 1
), habit AS (
  SELECT principal, oid FROM shared GROUP BY principal, oid HAVING count(DISTINCT day) > :days
), moves AS (
  SELECT
    principal,
    oid,
    min(CASE WHEN token_ip <> caller_ip THEN t END) AS moved_t
  FROM given
  WHERE token_ip IS NOT NULL
  GROUP BY principal, oid
), settled AS (
  SELECT m.principal, m.oid
  FROM moves m
  JOIN given g ON g.principal = m.principal AND g.oid = m.oid AND g.token_ip = g.caller_ip AND g.t < m.moved_t
  GROUP BY m.principal, m.oid
  HAVING count(DISTINCT g.day) >= :days
), found AS (
  SELECT 'shared' AS kind, g.*
  FROM given g
  JOIN shared s ON s.token_id = g.token_id AND s.principal = g.principal AND s.oid = g.oid
  LEFT JOIN habit h ON h.principal = g.principal AND h.oid = g.oid
  WHERE h.principal IS NULL
  UNION ALL
  SELECT 'moved' AS kind, g.*
  FROM given g
  JOIN settled s ON s.principal = g.principal AND s.oid = g.oid
  WHERE g.token_ip <> g.caller_ip
)
SELECT
  kind, event_id, time, hsm, operation, outcome, principal, object_id, caller_ip, client, key_name, token_id, token_ip
FROM found
ORDER BY kind, t, event_id
