-- Tokens out of place: `shared`, one token used from two addresses by a principal whose tokens stay at one on all but
-- :days of its days; `moved`, a token used elsewhere than where it was issued, after :days days on which that never was so.
WITH given AS (
  SELECT *, CAST(floor(t / 86400e6) AS BIGINT) AS day
  FROM events
  WHERE actor IS NOT NULL AND caller_ip IS NOT NULL
), shared AS (
  SELECT token_id, actor, min(day) AS day
  FROM given
  WHERE token_id IS NOT NULL
  GROUP BY token_id, actor
  HAVING count(DISTINCT caller_ip) > 1
), habit AS (
  SELECT actor FROM shared GROUP BY actor HAVING count(DISTINCT day) > :days
), moves AS (
  SELECT
    actor,
    min(CASE WHEN token_ip <> caller_ip THEN t END) AS moved_t
  FROM given
  WHERE token_ip IS NOT NULL
  GROUP BY actor
), settled AS (
  SELECT m.actor
  FROM moves m
  JOIN given g ON g.actor = m.actor AND g.token_ip = g.caller_ip AND g.t < m.moved_t
  GROUP BY m.actor
  HAVING count(DISTINCT g.day) >= :days
), found AS (
  SELECT 'shared' AS kind, g.*
  FROM given g
  JOIN shared s ON s.token_id = g.token_id AND s.actor = g.actor
  LEFT JOIN habit h ON h.actor = g.actor
  WHERE h.actor IS NULL
  UNION ALL
  SELECT 'moved' AS kind, g.*
  FROM given g
  JOIN settled s ON s.actor = g.actor
  WHERE g.token_ip <> g.caller_ip
)
SELECT
  kind, event_id, time, hsm, operation, act, outcome, actor, principal, object_id,
  caller_ip, client, key, key_name, token_id, token_ip
FROM found
ORDER BY
  kind,
  @order
