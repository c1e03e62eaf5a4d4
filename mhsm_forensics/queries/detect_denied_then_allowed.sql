-- What a principal was first denied and, within :days days, allowed for the first time. Reads and uses of a key are
-- compared for the same key: a right to one says nothing of another.
WITH judged AS (
  SELECT
    *,
    @control,
    @gravest
  FROM events
  WHERE actor IS NOT NULL AND coalesce(act, operation) IS NOT NULL AND coalesce(operation_class, '') <> 'authentication'
), tries AS (
  SELECT
    *,
    coalesce(hsm, '') AS hsm_name,
    CASE
      WHEN key IS NULL OR control = 1 THEN ''
      WHEN act LIKE '%|%' AND gravest NOT IN ('KeyUpdate', 'KeyRotationPolicySet') THEN ''
      ELSE key
    END AS about,
    CASE WHEN outcome IN ('success', 'accepted') THEN 1 ELSE 0 END AS allowed
  FROM judged
  WHERE outcome IN ('success', 'accepted', 'denied')
), turns AS (
  SELECT
    hsm_name,
    actor,
    gravest,
    about,
    min(CASE WHEN allowed = 0 THEN t END) AS denied_t,
    min(CASE WHEN allowed = 1 THEN t END) AS allowed_t
  FROM tries
  GROUP BY hsm_name, actor, gravest, about
  HAVING min(CASE WHEN allowed = 0 THEN t END) < min(CASE WHEN allowed = 1 THEN t END)
    AND min(CASE WHEN allowed = 1 THEN t END) - min(CASE WHEN allowed = 0 THEN t END) <= :days * 86400e6
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.act, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name,
  e.control, e.allowed
FROM tries e
JOIN turns x ON x.hsm_name = e.hsm_name AND x.actor = e.actor AND x.gravest = e.gravest
  AND x.about = e.about
WHERE e.t <= x.allowed_t
ORDER BY
  @order
